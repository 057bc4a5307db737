"""Reads a CSV file row by row, and refuses what is none before it can do harm."""

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from crm_core.errors import InvalidInput
from crm_core.importing.cells import LONGEST_NAME, quoted, shortened

LARGEST_FILE = 40_000_000
"""Bytes."""

MOST_LINES = 2_000_000
"""Blank lines and those within cells included."""

LONGEST_ROW = 1_000_000
"""Characters, on all its lines together; a row of a million commas would otherwise become a million cells."""

MOST_COLUMNS = 500

PIECE = 1_000_000
"""Bytes that are decoded at once."""

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


class Table:
    """The header of a CSV file, and the rows below it."""

    def __init__(self, text: io.TextIOWrapper, name: str, delimiter: str | None) -> None:
        self._text = text
        self._name = name
        self._row_length = 0
        self._delimiter = delimiter or self._likely_delimiter()
        self.header = _header(self._reader(), name)

    def rows(self, most: int) -> Iterator[Row | MalformedRow]:
        """Every row, from the first one on each time. Raises `UnreadableFile` if there are more than `most`.

        Rows without any text are passed over, but numbered; a quote that swallowed lines ends the reading.
        """
        reader = self._reader()
        next(reader)
        count, number, columns = 0, 1, len(self.header)
        while True:
            number += 1
            line = reader.line_num  # type: ignore[attr-defined]
            self._row_length = 0
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield MalformedRow(number, _in_plain_words(error))
                if reader.line_num > line + 1:  # type: ignore[attr-defined]
                    yield MalformedRow(
                        number + 1, "This row and all below it were not read, because of that."
                    )
                    return
            else:
                if not any(cells) or not any(map(str.strip, cells)):
                    continue
                if len(cells) == columns:
                    yield Row(number, dict(zip(self.header, cells, strict=True)))
                else:
                    yield MalformedRow(number, f"It has {len(cells):,} cells; the header has {columns:,}.")
            count += 1
            if count > most:
                raise UnreadableFile(
                    f"{self._name} has more than {most:,} rows, which is the most that can be read at once."
                    " Split it, or remove rows that nobody needs."
                )

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._lines(), delimiter=self._delimiter, strict=True)

    def _likely_delimiter(self) -> str:
        """The one that splits the first line into most columns."""
        first = next(self._lines(), "")
        return max(DELIMITERS, key=lambda one: len(_cells(first, one)))

    def _lines(self) -> Iterator[str]:
        self._text.seek(0)
        self._row_length = 0
        number = 0
        while line := self._text.readline(LONGEST_ROW + 1):
            number += 1
            self._row_length += len(line)
            if self._row_length > LONGEST_ROW:
                raise UnreadableFile(
                    f"{self._name} is no CSV file: its row in line {number:,} is longer than"
                    f" {LONGEST_ROW:,} characters."
                )
            yield line


def name_of(file: Path | bytes) -> str:
    """What to call the file in a sentence."""
    return shortened(file.name, LONGEST_NAME) if isinstance(file, Path) else "The file"


@contextmanager
def open_table(
    file: Path | bytes, *, encoding: str = "utf-8", delimiter: str | None = None
) -> Iterator[Table]:
    """The file as a table, once all of it is known to be text of no more lines than can be read.

    Without a delimiter, the one that splits the header into most columns is taken. Raises `UnreadableFile`,
    also while the rows are read.
    """
    name = name_of(file)
    with _opened(file, name) as raw:
        _refuse_other_kinds(raw, name)
        _refuse_other_encodings(raw, name, encoding)
        text = io.TextIOWrapper(raw, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")
        yield Table(text, name, delimiter)


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


def _refuse_other_encodings(raw: BinaryIO, name: str, encoding: str) -> None:
    """Refuse what is no text in that encoding, or has too many lines, without reading it as a table."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 0
    try:
        while piece := raw.read(PIECE):
            if piece.endswith(b"\r"):
                piece += raw.read(1)  # which may belong to the same line end
            decoder.decode(piece)
            lines += _line_ends(piece)
            if lines > MOST_LINES:
                raise UnreadableFile(
                    f"{name} has more than {MOST_LINES:,} lines, which is the most that can be read at once."
                    " Remove its blank lines, or split it."
                )
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line = lines + _line_ends(error.object[: error.start]) + 1
        raise UnreadableFile(
            f"{name} is not {encoding.upper()} text (in line {line:,}). {SAVE_AS}"
        ) from error
    raw.seek(0)


def _line_ends(piece: bytes) -> int:
    return piece.count(b"\n") + piece.count(b"\r") - piece.count(b"\r\n")


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _header(reader: Iterator[list[str]], name: str) -> list[str]:
    try:
        header = [cell.strip() for cell in next(reader, [])]
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
