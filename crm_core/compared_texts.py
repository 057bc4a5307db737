"""Fills the columns by which texts are compared: folded names, the digits of phone numbers.

They follow from the texts beside them, in the live tables and in those of versions, wherever a session writes
a record. They are no facts of their own: no history tells of them, and `refill` makes them anew at any time.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, Text, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from crm_core.columns import SOURCE, Compared, Digits
from crm_core.folding import fold
from crm_core.models import VERSIONS, Base, Record, Settings
from crm_core.phones import digits_of

RIGHT = Table(
    "right_texts",
    MetaData(),
    Column("text", Text, primary_key=True),
    Column("right", Text),
    prefixes=["TEMPORARY"],
)
"""What some texts are compared by."""


@cache
def compared_columns(table: Table) -> Mapping[str, Column[Any]]:
    """The table's compared columns by their names."""
    return {column.name: column for column in table.columns if isinstance(column.type, Compared)}


def follow(session: Session, row: Base) -> None:
    """Set what follows from the texts of a row that is about to be written."""
    for name, column in compared_columns(row.__table__).items():
        if get_history(row, column.info[SOURCE], PASSIVE_NO_INITIALIZE).has_changes():
            setattr(row, name, _compared(column, getattr(row, column.info[SOURCE]), home_country(session)))


def of_state(session: Session, model: type[Record], state: Mapping[str, Any]) -> dict[str, str | None]:
    """What follows from the texts of a record's state."""
    country = home_country(session)
    return {
        name: _compared(column, state.get(column.info[SOURCE]), country)
        for name, column in compared_columns(model.__table__).items()
    }


def home_country(session: Session) -> str:
    """Where phone numbers without a country's code belong."""
    return session.get_one(Settings, 1).country


def refill(connection: Connection, kind: type[Compared] = Compared) -> set[Table]:
    """Make the columns of that kind anew from the texts where they are not right; returns in which tables."""
    country = connection.scalars(select(Settings.__table__.c.country)).one()
    refilled = set()
    for table in _tables():
        for column in compared_columns(table).values():
            if isinstance(column.type, kind) and (right := _right(connection, column, country)):
                _put_right(connection, column, right)
                refilled.add(table)
    return refilled


def wrong(connection: Connection) -> Iterable[Column[Any]]:
    """The columns that don't follow from their texts somewhere."""
    country = connection.scalars(select(Settings.__table__.c.country)).one()
    for table in _tables():
        yield from (
            column for column in compared_columns(table).values() if _right(connection, column, country)
        )


def _tables() -> Iterable[Table]:
    """The live tables and those of versions."""
    versions = set(VERSIONS.values())
    yield from (table for table in Base.metadata.sorted_tables if table not in versions)
    yield from versions


def _compared(column: Column[Any], text: str | None, country: str) -> str | None:
    if text is None:
        return None
    return digits_of(text, country) if isinstance(column.type, Digits) else fold(text)


def _right(connection: Connection, column: Column[Any], country: str) -> dict[str, str | None]:
    """What the texts should be compared by that are compared by something else."""
    text = column.table.c[column.info[SOURCE]]
    pairs = connection.execute(select(text, column).where(text.is_not(None)).distinct())
    right = ((text, found, _compared(column, text, country)) for text, found in pairs)
    return {text: expected for text, found, expected in right if expected != found}


def _put_right(connection: Connection, column: Column[Any], right: Mapping[str, str | None]) -> None:
    """One statement for all rows, however many have the same text."""
    table, text = column.table, column.table.c[column.info[SOURCE]]
    RIGHT.create(connection)
    connection.execute(RIGHT.insert(), [{"text": each, "right": value} for each, value in right.items()])
    follows = update(table).where(text == RIGHT.c.text).values({column: RIGHT.c.right})
    connection.execute(follows)
    RIGHT.drop(connection)
