"""Tables for other programs. What people typed never becomes a formula there."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import IO, Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.numbers import get_currency_symbol
from pydantic import BaseModel

from crm_core.columns import DECIMALS
from crm_core.currency import Currency
from crm_core.importing.cells import FORMULA_STARTS, PADDING
from crm_core.services.settings_service import Workspace

BYTE_ORDER_MARK = "\ufeff"
"""Tells Excel that the file is UTF-8."""

MOST_ROWS = 1_048_575
"""Rows that a sheet of Excel holds below its head."""

LONGEST_TEXT = 32_767
"""Characters, in UTF-16, that a cell of Excel holds."""

FIRST_DAY = date(1900, 1, 1)
"""Excel knows no day before it."""

PHONE_NUMBER = re.compile("[ \u00a0]*\\+[ \u00a0]*[0-9][0-9 \u00a0]*")
"""One plus, digits and spaces: a spreadsheet may take it for a number, but has nothing to calculate."""

BETWEEN = "; "
"""What separates several texts in a cell, as in other programs' files of contacts."""

RICH_TEXT = "<r>"
"""XlsxWriter takes what begins so for its own markup."""


class ExportFormat(StrEnum):
    CSV = "csv"
    EXCEL = "xlsx"

    @property
    def label(self) -> str:
        return "CSV" if self is ExportFormat.CSV else "Excel"

    @property
    def media_type(self) -> str:
        if self is ExportFormat.CSV:
            return "text/csv"
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Kind(StrEnum):
    """What the cells of a column hold: amounts in the workspace's currency, percentages from 0 to 100."""

    TEXT = "text"
    NUMBER = "number"
    AMOUNT = "amount"
    PERCENT = "percent"
    DAY = "day"
    INSTANT = "instant"


WIDTHS = {
    Kind.TEXT: 24,
    Kind.NUMBER: 10,
    Kind.AMOUNT: 16,
    Kind.PERCENT: 12,
    Kind.DAY: 12,
    Kind.INSTANT: 17,
}
"""Of a column, in characters."""

FILTER_BUTTON = 3
"""Characters that it takes of a head."""

Looks = dict[Kind | int | None, Any]
"""Formats of Excel's cells."""


@dataclass(frozen=True)
class Column:
    """A head in words, what stands below it, and how wide in characters; by default as its kind needs."""

    heading: str
    kind: Kind = Kind.TEXT
    width: int | None = None

    def told(self, workspace: Workspace) -> str:
        """The head with the currency or the time zone, where it needs one."""
        if self.kind is Kind.AMOUNT:
            return f"{self.heading} ({workspace.currency})"
        if self.kind is Kind.INSTANT:
            return f"{self.heading} ({workspace.calendar.zone.key})"
        return self.heading


def write_csv(to: IO[str], columns: Sequence[str], rows: Iterable[BaseModel]) -> None:
    """A head and a line for each row: days and instants in ISO 8601, amounts with a decimal point."""
    _write_lines(to, columns, ([cell(getattr(row, column)) for column in columns] for row in rows))


def write_csv_for_people(
    to: IO[bytes], columns: Sequence[Column], rows: Iterable[Sequence[Any]], *, workspace: Workspace
) -> None:
    """CSV that a spreadsheet reads well: heads in words, instants in the workspace's time zone."""
    text = io.TextIOWrapper(to, "utf-8", newline="")
    heads = [column.told(workspace) for column in columns]
    known = _tellers(workspace)
    tellers = [known[column.kind] for column in columns]
    lines = ([tell(value) for tell, value in zip(tellers, row, strict=True)] for row in rows)
    try:
        _write_lines(text, heads, lines)
    finally:
        text.detach()  # leaves the file open


def write_excel(
    to: IO[bytes],
    columns: Sequence[Column],
    rows: Iterable[Sequence[Any]],
    *,
    workspace: Workspace,
    title: str,
    rows_per_sheet: int = MOST_ROWS,
) -> None:
    """A workbook of one sheet, or of as many as the rows need, in little memory however many there are.

    Amounts, percentages, days and instants are numbers that Excel counts with; text is text, cut where a cell
    holds no more. Days before 1900 are text, too. `title` names the sheets.
    """
    from xlsxwriter import Workbook  # the rest of the program starts without it

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    with Workbook(to, options) as book:
        book.use_zip64()
        looks = _looks(book, workspace)
        sheet = _begin_sheet(book, columns, workspace, title, looks)
        written, sheets = 0, 1
        for row in rows:
            if written == rows_per_sheet:
                sheet.autofilter(0, 0, written, len(columns) - 1)
                written, sheets = 0, sheets + 1
                sheet = _begin_sheet(book, columns, workspace, f"{title} {sheets}", looks)
            written += 1
            for position, (column, value) in enumerate(zip(columns, row, strict=True)):
                _write_cell(sheet, written, position, value, column.kind, looks, workspace.calendar.zone)
        sheet.autofilter(0, 0, written, len(columns) - 1)


def cell(value: Any) -> str:
    """The value as text; an apostrophe in front keeps a text from being taken for a formula.

    A phone number such as +41 79 123 45 67 is none.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    text = _joined(value)
    if isinstance(value, str | tuple) and (text.startswith("'") or _is_formula(text)):
        return f"'{text}"
    return text


def _joined(value: Any) -> str:
    """The value as text; several texts one after the other."""
    return BETWEEN.join(value) if isinstance(value, tuple) else str(value)


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet would run it."""
    return text.lstrip(PADDING).startswith(FORMULA_STARTS) and not PHONE_NUMBER.fullmatch(text)


def _write_lines(to: IO[str], heads: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    to.write(BYTE_ORDER_MARK)
    table = csv.writer(to, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    table.writerow(heads)
    table.writerows(lines)


def _tellers(workspace: Workspace) -> dict[Kind, Callable[[Any], str]]:
    """How each kind of value is written in a line of CSV."""

    def instant(at: datetime | None) -> str:
        return "" if at is None else str(_here(at, workspace.calendar.zone))

    def percent(value: int | None) -> str:
        return "" if value is None else f"{value}%"

    return {**dict.fromkeys(Kind, cell), Kind.INSTANT: instant, Kind.PERCENT: percent}


def _here(at: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall showed then, to the second."""
    try:
        return at.astimezone(zone).replace(tzinfo=None, microsecond=0)
    except OverflowError:  # in a zone where the first or the last year is over
        return at.replace(tzinfo=None, microsecond=0)


def _looks(book: Any, workspace: Workspace) -> Looks:
    """The format of each kind of cell; that of None is the head's, that of a number is of finer amounts."""
    own = Currency(workspace.currency).decimals
    finer: Looks = {
        decimals: book.add_format({"num_format": amount_format(workspace, decimals)})
        for decimals in range(own + 1, DECIMALS + 1)
    }
    return {
        **finer,
        None: book.add_format({"bold": True}),
        Kind.AMOUNT: book.add_format({"num_format": amount_format(workspace, own)}),
        Kind.PERCENT: book.add_format({"num_format": "0%"}),
        Kind.DAY: book.add_format({"num_format": "yyyy-mm-dd"}),
        Kind.INSTANT: book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
    }


def amount_format(workspace: Workspace, decimals: int) -> str:
    """How Excel writes an amount in the workspace's currency, with its sign where the locale puts it."""
    sign = get_currency_symbol(workspace.currency, locale=workspace.locale).replace('"', "")
    pattern = Locale.parse(workspace.locale).currency_formats["standard"].pattern
    number = f"#,##0.{'0' * decimals}" if decimals else "#,##0"
    if pattern.find("¤") > pattern.find("0"):
        return f'{number} "{sign}"'
    space = " " if "\u00a0" in pattern or sign[-1].isalpha() else ""
    return f'"{sign}"{space}{number}'


def _begin_sheet(book: Any, columns: Sequence[Column], workspace: Workspace, title: str, looks: Looks) -> Any:
    sheet = book.add_worksheet(title)
    sheet.freeze_panes(1, 0)
    for position, column in enumerate(columns):
        head = column.told(workspace)
        width = max(column.width or WIDTHS[column.kind], len(head) + FILTER_BUTTON)
        sheet.set_column(position, position, width)
        sheet.write_string(0, position, head, looks[None])
    return sheet


def _write_cell(
    sheet: Any, row: int, column: int, value: Any, kind: Kind, looks: Looks, zone: ZoneInfo
) -> None:
    if value in (None, "", ()):
        return
    if kind is Kind.TEXT:
        sheet.write_string(row, column, _fitting(_joined(value)))
    elif kind is Kind.DAY or kind is Kind.INSTANT:
        shown = _here(value, zone) if isinstance(value, datetime) else value
        if (shown.date() if isinstance(shown, datetime) else shown) < FIRST_DAY:
            sheet.write_string(row, column, str(shown))
        else:
            sheet.write_datetime(row, column, shown, looks[kind])
    else:
        number = float(value) / 100 if kind is Kind.PERCENT else float(value)
        look = looks.get(_decimals(value)) if kind is Kind.AMOUNT else None
        sheet.write_number(row, column, number, look or looks.get(kind))


def _decimals(amount: Decimal) -> int:
    """How many the amount is written with."""
    return -int(amount.as_tuple().exponent)


def _fitting(text: str) -> str:
    """As much of the text as a cell holds, and never anything but text."""
    if text.startswith(RICH_TEXT):
        text = f"'{text}"
    if len(text) * 2 <= LONGEST_TEXT:
        return text
    encoded = text.encode("utf-16-le")
    if len(encoded) <= LONGEST_TEXT * 2:
        return text
    return encoded[: (LONGEST_TEXT - 1) * 2].decode("utf-16-le", "ignore") + "…"
