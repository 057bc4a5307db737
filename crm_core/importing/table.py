"""Reads a CSV file row by row, and refuses what is none before it can do harm."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from crm_core.errors import InvalidInput
from crm_core.importing.cells import LONGEST_NAME, quoted, shortened

LARGEST_FILE = 100_000_000
"""Bytes."""

LONGEST_LINE = 1_000_000
"""Characters; a line of a million commas would otherwise become a million cells."""

MOST_COLUMNS = 500

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}

OTHER_KINDS = {
    b"PK\x03\x04": "a spreadsheet or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "a compressed file",
    b"%PDF": "a PDF",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
"""What a file is that begins with these bytes."""

SAVE_AS = "Save it as CSV in UTF-8 and import that."


class UnreadableFile(InvalidInput):
    """The file as a whole can't be read as a table of deals."""


@dataclass(frozen=True)
class Row:
    """One row below the header; `number` is the spreadsheet's, where the header is row 1."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class MalformedRow:
    """A row that has no clear cells, and why."""

    number: int
    reason: str


@dataclass(frozen=True)
class Table:
    """The header, and the rows below it, which can be read once."""

    header: list[str]
    rows: Iterator[Row | MalformedRow]


def name_of(file: Path | bytes) -> str:
    """What to call the file in a sentence."""
    return shortened(file.name, LONGEST_NAME) if isinstance(file, Path) else "The file"


@contextmanager
def open_table(
    file: Path | bytes, *, encoding: str = "utf-8", delimiter: str | None = None
) -> Iterator[Table]:
    """The file as a table. Without a delimiter, the one that splits the header into most columns is taken.

    Raises `UnreadableFile`, also while the rows are read.
    """
    name = name_of(file)
    with _opened(file, name) as raw:
        _refuse_other_kinds(raw, name)
        text = io.TextIOWrapper(raw, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")
        lines = _lines(text, name)
        first = next(lines, "")
        delimiter = delimiter or max(DELIMITERS, key=lambda one: len(_cells(first, one)))
        reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
        header = _header(reader, name)
        yield Table(header, _rows(reader, header))


@contextmanager
def _opened(file: Path | bytes, name: str) -> Iterator[BinaryIO]:
    try:
        if isinstance(file, Path) and file.is_dir():
            raise UnreadableFile(f"{name} is a folder. Name the CSV file in it.")
        if isinstance(file, Path) and not file.is_file():
            raise UnreadableFile(f"There is no file {name}. Check its name and folder.")
        raw = file.open("rb") if isinstance(file, Path) else io.BytesIO(file)
    except OSError as error:
        raise UnreadableFile(f"{name} can't be opened: {error.strerror}.") from error
    with raw:
        if (size := raw.seek(0, io.SEEK_END)) > LARGEST_FILE:
            raise UnreadableFile(
                f"{name} has {size / 1e6:,.0f} MB; at most {LARGEST_FILE / 1e6:,.0f} can be imported at once."
                " Split it."
            )
        raw.seek(0)
        yield raw


def _refuse_other_kinds(raw: BinaryIO, name: str) -> None:
    beginning = raw.read(4)
    raw.seek(0)
    if not beginning:
        raise UnreadableFile(f"{name} is empty. Export it again.")
    for magic, kind in OTHER_KINDS.items():
        if beginning.startswith(magic):
            raise UnreadableFile(f"{name} is {kind}, not CSV. {SAVE_AS}")


def _lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    number = 0
    try:
        while line := text.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise UnreadableFile(
                    f"{name} is no CSV file: its line {number:,} is longer than {LONGEST_LINE:,} characters."
                )
            yield line
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{name} is not {text.encoding.removesuffix('-sig').upper()} text (after line {number:,})."
            f" {SAVE_AS}"
        ) from error


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _header(reader: Iterator[list[str]], name: str) -> list[str]:
    try:
        header = [cell.strip() for cell in next(reader)]
    except csv.Error as error:
        raise UnreadableFile(f"{name} has no header in row 1: {_in_plain_words(error)}") from error
    if not any(header):
        raise UnreadableFile(f"{name} has a blank row 1, where the names of the columns should be.")
    if any("\x00" in cell for cell in header):
        raise UnreadableFile(f"{name} is not text: its first row contains NUL characters. {SAVE_AS}")
    if len(header) > MOST_COLUMNS:
        raise UnreadableFile(f"{name} has {len(header):,} columns; at most {MOST_COLUMNS} can be read.")
    named = [cell for cell in header if cell]
    if twice := sorted({cell for cell in named if named.count(cell) > 1}):
        raise UnreadableFile(f"{name} has two columns named {quoted(twice[:5])}. Rename or remove one.")
    return header


def _rows(reader: Iterator[list[str]], header: list[str]) -> Iterator[Row | MalformedRow]:
    """Rows without any text are passed over, but counted; a quote that swallowed lines ends the reading."""
    number = 1
    while True:
        number += 1
        line = reader.line_num  # type: ignore[attr-defined]
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield MalformedRow(number, _in_plain_words(error))
            if reader.line_num > line + 1:  # type: ignore[attr-defined]
                yield MalformedRow(number + 1, "This row and all below it were not read, because of that.")
                return
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) == len(header):
            yield Row(number, dict(zip(header, cells, strict=True)))
        else:
            yield MalformedRow(number, f"It has {len(cells):,} cells; the header has {len(header):,}.")


def _in_plain_words(error: csv.Error) -> str:
    """The csv module's complaint as a sentence."""
    complaint = str(error)
    if "unexpected end" in complaint:
        return "A quotation mark is opened and never closed."
    if "expected after" in complaint:
        return "A quotation mark stands inside a quoted cell; write it twice."
    if "field limit" in complaint:
        return f"A cell has more than {csv.field_size_limit():,} characters."
    return f"It can't be split into cells ({complaint})."
