"""Fills the columns by which texts are compared: folded names, the digits of phone numbers.

They follow from the texts beside them, in the live tables and in those of versions, wherever a session writes
a record. They are no facts of their own: no history tells of them, and `refill` makes them anew at any time.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    MetaData,
    ScalarSelect,
    Table,
    Text,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from crm_core.columns import LINE_END, SOURCE, Compared, Digits, a_line
from crm_core.folding import fold
from crm_core.models import VERSIONS, Base, Record, Settings
from crm_core.phones import digits_of

RIGHT = Table(
    "right_texts",
    MetaData(),
    Column("is_number", Boolean, primary_key=True),
    Column("text", Text, primary_key=True),
    Column("right", Text),
    prefixes=["TEMPORARY"],
)
"""What the texts of a table are compared by, as names and as phone numbers."""


@cache
def compared_columns(table: Table) -> Mapping[str, Column[Any]]:
    """The table's compared columns by their names."""
    return {column.name: column for column in table.columns if isinstance(column.type, Compared)}


def follow(session: Session, rows: Iterable[Base]) -> None:
    """Set what follows from the texts of rows that are about to be written."""
    country = None
    for row in rows:
        for name, column in compared_columns(row.__table__).items():
            source = column.info[SOURCE]
            if get_history(row, source, PASSIVE_NO_INITIALIZE).has_changes():
                country = country or home_country(session)
                setattr(row, name, _compared(column, getattr(row, source), country))


def of_state(model: type[Record], state: Mapping[str, Any], country: str) -> dict[str, str | None]:
    """What follows from the texts of a record's state."""
    return {
        name: _compared(column, state.get(column.info[SOURCE]), country)
        for name, column in compared_columns(model.__table__).items()
    }


def home_country(session: Session) -> str:
    """Where phone numbers without a country's code belong."""
    return session.get_one(Settings, 1).country


def refill(connection: Connection, kind: type[Compared] = Compared) -> set[Table]:
    """Make the columns of that kind anew from the texts where they are not right; returns in which tables."""
    country = _country(connection)
    refilled = set()
    for table in _tables():
        columns = [column for column in compared_columns(table).values() if isinstance(column.type, kind)]
        if any(_is_wrong(connection, column, country) for column in columns):
            _put_right(connection, table, columns, country)
            refilled.add(table)
    return refilled


def wrong(connection: Connection) -> Iterable[Column[Any]]:
    """The columns that don't follow from their texts somewhere."""
    country = _country(connection)
    for table in _tables():
        columns = compared_columns(table).values()
        yield from (column for column in columns if _is_wrong(connection, column, country))


def _country(connection: Connection) -> str:
    country: str = connection.scalars(select(Settings.__table__.c.country)).one()
    return country


def _tables() -> Iterable[Table]:
    """The live tables and those of versions."""
    versions = set(VERSIONS.values())
    yield from (table for table in Base.metadata.sorted_tables if table not in versions)
    yield from versions


def _compared(column: Column[Any], source: str | Sequence[str] | None, country: str) -> str | None:
    """What the column has for a text, or for several, see `columns.a_line`."""
    if not source:
        return None
    if not isinstance(source, str):
        return "".join(a_line(_compared(column, text, country) or "") for text in source)
    return digits_of(source, country) if isinstance(column.type, Digits) else fold(source)


def _is_wrong(connection: Connection, column: Column[Any], country: str) -> bool:
    pairs = connection.execute(select(_text(column), column).where(_text(column).is_not(None)).distinct())
    return any(_compared(column, text, country) != found for text, found in pairs)


def _put_right(connection: Connection, table: Table, columns: Sequence[Column[Any]], country: str) -> None:
    """One statement for the whole table: a server writes a row anew with every one that changes it."""
    RIGHT.create(connection)
    rows: dict[tuple[bool, str], str | None] = {}
    for column in columns:
        for text in connection.scalars(select(_text(column)).where(_text(column).is_not(None)).distinct()):
            stored = text if isinstance(text, str) else LINE_END.join(text)
            rows[isinstance(column.type, Digits), stored] = _compared(column, text, country)
    connection.execute(
        RIGHT.insert(),
        [{"is_number": kind, "text": text, "right": right} for (kind, text), right in rows.items()],
    )
    connection.execute(update(table).values({column: _looked_up(column) for column in columns}))
    RIGHT.drop(connection)


def _looked_up(column: Column[Any]) -> ScalarSelect[Any]:
    """SQL: what the column's text is compared by."""
    is_meant = (
        RIGHT.c.is_number.is_(isinstance(column.type, Digits)),
        RIGHT.c.text == type_coerce(_text(column), Text),
    )
    return select(RIGHT.c.right).where(*is_meant).scalar_subquery()


def _text(column: Column[Any]) -> Column[Any]:
    """What a column follows from."""
    return column.table.c[column.info[SOURCE]]
