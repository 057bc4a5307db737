"""The index of every three letters in a row that names are found by, whatever part of them is looked for.

On PostgreSQL it belongs to the tables. On SQLite it lies beside them, holds the texts as Python lowers them,
and is written wherever a session writes a name (docs/decisions/0007-names-are-found-by-their-letters.md).
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, inspect, literal_column, or_, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from crm_core.columns import contains, lowered
from crm_core.models import SEARCHED, Opportunity, Record
from crm_core.models.search import CREATE_EXTENSION, CREATE_TABLE, SERVER_INDEX, texts_in

SHORTEST = 3
"""Letters that the index needs.

For fewer every text is read: in the tables, or in the index where SQLite would have to ask Python for the
lower case of each.
"""

ALIKE = "\ufffd\ufffe\uffff"
"""What SQLite's index takes for one and the same."""


def is_embedded(session: Session) -> bool:
    """Whether the index lies beside the tables."""
    return session.get_bind().dialect.name == "sqlite"


def ids_called(session: Session, model: type[Record], names: Iterable[str], wanted: str) -> Select[int]:
    """SQL: the live records that have the lower-case text in one of those columns."""
    table, is_long = SEARCHED[model], len(wanted) >= SHORTEST
    if not is_embedded(session) or (wanted.isascii() and not is_long):
        return select(model.id).where(or_(*(contains(getattr(model, name), wanted) for name in names)))
    if is_long and not any(letter in wanted for letter in ALIKE):
        phrase = '"{}"'.format(wanted.replace('"', '""'))
        found = literal_column(table.name).match(f"{{{' '.join(names)}}} : {phrase}")
    else:
        found = or_(*(func.instr(table.c[name], wanted) > 0 for name in names))
    return select(table.c.rowid).where(found)


def learn_flushed(session: Session, _context: Any) -> None:
    """Put into the index what a flush has written."""
    for record in (*session.new, *session.dirty) if is_embedded(session) else ():
        model = type(record)
        names = texts_in(SEARCHED[model]) if isinstance(record, Record) else []
        if any(get_history(record, name, PASSIVE_NO_INITIALIZE).has_changes() for name in names):
            learn(session, model, [{name: getattr(record, name) for name in ("id", *names)}])


def learn(session: Session, model: type[Record], rows: Iterable[Mapping[str, Any]]) -> None:
    """Put rows into the index, or in the place of what it has of them; a server does so by itself."""
    if is_embedded(session):
        names = texts_in(SEARCHED[model])
        texts = [(row["id"], *(row[name] and row[name].lower() for name in names)) for row in rows]
        session.connection().exec_driver_sql(_putting(model), texts)


@cache
def _putting(model: type[Record]) -> str:
    return str(insert(SEARCHED[model]).prefix_with("OR REPLACE").compile(dialect=sqlite.dialect()))


def forget(session: Session) -> None:
    """Empty the index, as the tables were."""
    for table in SEARCHED.values() if is_embedded(session) else ():
        session.execute(delete(table))


def rebuild(connection: Connection) -> None:
    """Make the index anew from what the tables hold. Raises `DBAPIError` where a server does not allow it."""
    (_fill_anew if connection.dialect.name == "sqlite" else _complete)(connection)


def _fill_anew(connection: Connection) -> None:
    for model, table in SEARCHED.items():
        live, names = model.__table__.c, texts_in(table)
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table.name}")
        connection.execute(CREATE_TABLE[model])
        texts = select(live.id, *(lowered(live[name]) for name in names))
        connection.execute(insert(table).from_select(["rowid", *names], texts))


def _complete(connection: Connection) -> None:
    """What a server has of the index is right; it may never have been allowed to make it."""
    connection.execute(CREATE_EXTENSION)
    for model, index in SERVER_INDEX.items():
        index.create(connection, checkfirst=True)
        connection.exec_driver_sql(f"ANALYZE {model.__tablename__}")


def is_complete(session: Session) -> bool:
    """Whether the index is there at all; without it a server still finds everything, slowly."""
    names = {index["name"] for index in inspect(session.connection()).get_indexes("opportunities")}
    return is_embedded(session) or SERVER_INDEX[Opportunity].name in names
