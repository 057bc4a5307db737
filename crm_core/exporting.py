"""Tables for other programs. What people typed never becomes a formula there."""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import IO, Any

from pydantic import BaseModel

from crm_core.importing.cells import FORMULA_STARTS, PADDING

BYTE_ORDER_MARK = "\ufeff"
"""Tells Excel that the file is UTF-8."""


def write_csv(to: IO[str], columns: Sequence[str], rows: Iterable[BaseModel]) -> None:
    """A head and a line for each row: days and instants in ISO 8601, amounts with a decimal point."""
    to.write(BYTE_ORDER_MARK)
    lines = csv.writer(to, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    lines.writerow(columns)
    lines.writerows([cell(getattr(row, column)) for column in columns] for row in rows)


def cell(value: Any) -> str:
    """The value as text; an apostrophe in front keeps a text from being taken for a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    text = str(value)
    if isinstance(value, str) and (text.startswith("'") or text.lstrip(PADDING).startswith(FORMULA_STARTS)):
        return f"'{text}"
    return text
