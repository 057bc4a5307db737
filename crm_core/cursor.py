"""Where a page of a list ended, so that the next one goes on there, whoever adds or deletes meanwhile."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Date, Integer, String, and_, or_
from sqlalchemy.types import TypeEngine

from crm_core.columns import Compared, Line, LongText, TenThousandths, UtcDateTime, storable_text
from crm_core.errors import InvalidInput
from crm_core.schemas.fields import LARGEST_ID
from crm_core.sorting import Sort


def _small_number(text: str) -> int:
    """Percents and positions: no database takes what has hundreds of digits."""
    return int(text[:9])


READERS: tuple[tuple[tuple[type[TypeEngine[Any]], ...], Callable[[str], Any]], ...] = (
    ((TenThousandths,), Decimal),
    ((UtcDateTime,), datetime.fromisoformat),
    ((Date,), date.fromisoformat),
    ((Integer,), _small_number),
    ((Compared, Line, LongText, String), storable_text),
)
"""How a value of each type that a list is sorted by is read back from text."""


class ForeignCursor(InvalidInput):
    def __init__(self) -> None:
        super().__init__("This cursor does not belong to this list. Begin at its first page.")


@dataclass(frozen=True)
class Cursor:
    """The order of a list, and its last row's values of the columns that it is sorted by, and id."""

    sort: Sort
    values: tuple[Any, ...]
    record_id: int

    def __str__(self) -> str:
        values = [None if value is None else str(value) for value in self.values]
        return base64.urlsafe_b64encode(
            json.dumps([self.sort.value, *values, self.record_id]).encode()
        ).decode()

    @classmethod
    def read(cls, text: str, sort: Sort, columns: Sequence[Any]) -> "Cursor":
        """The cursor that was written so for a list sorted by those columns. Raises `ForeignCursor`."""
        try:
            of, *values, record_id = json.loads(base64.urlsafe_b64decode(text.encode()))
            if of != sort.value or not 0 < int(record_id) <= LARGEST_ID:
                raise ForeignCursor
            read = [
                None if value is None else _reader(column)(value)
                for column, value in zip(columns, values, strict=True)
            ]
            return cls(sort, tuple(read), int(record_id))
        except (AttributeError, ValueError, TypeError, ArithmeticError, RecursionError, InvalidInput):
            raise ForeignCursor from None

    def beyond(self, columns: Sequence[Any], record_id: Any) -> ColumnElement[bool]:
        """SQL: the rows that come after it in its order; unknown values come last."""
        falls = self.sort.is_falling
        later: ColumnElement[bool] = record_id < self.record_id if falls else record_id > self.record_id
        for column, value in reversed(list(zip(columns, self.values, strict=True))):
            if value is None:
                later = and_(column.is_(None), later)
            else:
                beyond = column < value if falls else column > value
                later = or_(beyond, and_(column == value, later), column.is_(None))
        return later


def _reader(column: Any) -> Callable[[str], Any]:
    return next(read for types, read in READERS if isinstance(column.type, types))
