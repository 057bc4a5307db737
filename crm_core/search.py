"""What people look for, and the index of every three letters in a row by which it is found in names.

A name is found by words, in any order, each anywhere in one of the texts that the record is called; a person
by a phone number, too. Texts are compared as they are stored folded (`crm_core.compared_texts`). On
PostgreSQL the index belongs to the tables. On SQLite it lies beside them, and is written wherever a session
writes a name (docs/decisions/0007-names-are-found-by-their-letters.md).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    ExceptionContext,
    Select,
    Table,
    TableClause,
    column,
    delete,
    event,
    func,
    insert,
    inspect,
    literal_column,
    or_,
    select,
    table,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from crm_core import damage, phones
from crm_core.errors import SearchIndexDamaged
from crm_core.folding import fold
from crm_core.models import SEARCHED, Opportunity, Record
from crm_core.models.search import CREATE_EXTENSION, SERVER_INDEX, create_table, texts_in

T = TypeVar("T")

WRITTEN_AT_FIRST = {"data": ("id", "block"), "config": ("k", "v")}
"""The tables in which SQLite stores an index that have rows though it is empty, and their columns."""

SHORTEST = 3
"""Letters that the index needs; for fewer every text is read."""

ALIKE = "\ufffd\ufffe\uffff"
"""What SQLite's index, and its `LIKE`, take for one and the same."""

BETWEEN_WORDS = re.compile('[,;،؛、"<>]')
"""What is no part of a word, with or without blanks: “Example,Ada”, “Ada Example <ada@example.com>”."""

PART_OF_A_NUMBER = re.compile(r"[0-9+()./-]*[0-9][0-9+()./-]*")
NUMBER = re.compile(r"(?:tel[.:]? ?)?[0-9+()./ -]*[0-9][0-9+()./ -]*(?:(?:ext|x|#)[.:]? ?[0-9]+)?")
FEWEST_DIGITS = 5
"""Fewer say little of a phone number."""


@dataclass(frozen=True)
class Term:
    """What a record has to have to be found: every word, or else a phone number with one of the digits."""

    words: tuple[str, ...]
    digits: tuple[str, ...] = ()


def terms_of(text: str, country: str) -> Sequence[Term]:
    """What somebody looks for who types the text: each word, and what may be a phone number as a whole."""
    folded = fold(text)
    whole = " ".join(BETWEEN_WORDS.sub(" ", folded).split()) or folded
    if whole and (digits := _digits(whole, country)):
        return (Term(_each_once(whole.split()), digits),)
    found: list[Term] = []
    for may_be_a_number, words in groupby(whole.split(), lambda word: bool(PART_OF_A_NUMBER.fullmatch(word))):
        together = list(words)
        digits = _digits(" ".join(together), country) if may_be_a_number else ()
        found += [Term(_each_once(together), digits)] if digits else [Term((word,)) for word in together]
    return _each_once(found)


def _digits(text: str, country: str) -> tuple[str, ...]:
    """What a phone number has in it that is written like this; nothing where it can be none."""
    is_number = NUMBER.fullmatch(text) and sum(map(str.isdigit, text)) >= FEWEST_DIGITS
    return tuple(sorted(phones.pieces_of(text, country))) if is_number else ()


def _each_once(found: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(found))


def is_embedded(session: Session) -> bool:
    """Whether the index lies beside the tables."""
    return session.get_bind().dialect.name == "sqlite"


def ids_called(session: Session, model: type[Record], names: Sequence[str], wanted: str) -> Select[int]:
    """SQL: the live records that have the folded text in one of those columns."""
    table = SEARCHED[model]
    if not is_embedded(session) or len(wanted) < SHORTEST or _has_alike(wanted):
        return select(model.id).where(is_called(session, model, names, wanted))
    phrase = '"{}"'.format(wanted.replace('"', '""'))
    found = literal_column(table.name).match(f"{{{' '.join(names)}}} : {phrase}")
    return select(table.c.rowid).where(found)


def is_called(session: Session, row: type[Record], names: Iterable[str], wanted: str) -> ColumnElement[bool]:
    """SQL: the row has the folded text in one of those columns."""
    columns = [getattr(row, name) for name in names]
    if is_embedded(session) and _has_alike(wanted):
        return or_(*(func.instr(column, wanted) > 0 for column in columns))
    return or_(*(column.contains(wanted, autoescape=True) for column in columns))


def _has_alike(wanted: str) -> bool:
    return any(letter in wanted for letter in ALIKE)


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
        texts = [(row["id"], *(row[name] for name in names)) for row in rows]
        session.connection().exec_driver_sql(_putting(model), texts)


@cache
def _putting(model: type[Record]) -> str:
    return str(insert(SEARCHED[model]).prefix_with("OR REPLACE").compile(dialect=sqlite.dialect()))


@event.listens_for(Engine, "handle_error")
def refuse_when_damaged(failed: ExceptionContext) -> None:
    """Whatever meets a damaged index, be it a search or a change of a name, ends in one plain sentence."""
    if damage.is_of_search(failed.original_exception, failed.statement):
        raise SearchIndexDamaged from failed.original_exception


def forget(session: Session) -> None:
    """Empty the index, as the tables were."""
    for index in SEARCHED.values() if is_embedded(session) else ():
        session.execute(delete(index))


def rebuild(connection: Connection) -> None:
    """Make the index anew from what the tables hold. Raises `DBAPIError` where a server does not allow it."""
    if connection.dialect.name == "sqlite":
        _fill_anew(connection, SEARCHED)
    else:
        _complete(connection)


def follow(connection: Connection, changed: Collection[Table]) -> None:
    """Let the index follow tables whose texts were changed all at once; a server's does so by itself."""
    if connection.dialect.name == "sqlite":
        _fill_anew(connection, [model for model in SEARCHED if model.__table__ in changed])


def _fill_anew(connection: Connection, models: Iterable[type[Record]]) -> None:
    for model in models:
        live, index = model.__table__.c, SEARCHED[model]
        names = texts_in(index)
        _drop(connection, index)
        connection.execute(create_table(index))
        texts = select(live.id, *(live[name] for name in names))
        connection.execute(insert(index).from_select(["rowid", *names], texts))


def _drop(connection: Connection, index: TableClause) -> None:
    """SQLite drops only an index that it can read, so a damaged one first gets what an empty one has."""
    empty = table(f"empty_{index.name}", *map(column, texts_in(index)))
    if inspect(connection).has_table(f"{index.name}_data"):  # the index itself may be unreadable
        connection.execute(create_table(empty))
        for name, columns in WRITTEN_AT_FIRST.items():
            part, of_empty = (table(f"{each.name}_{name}", *map(column, columns)) for each in (index, empty))
            connection.execute(delete(part))
            connection.execute(insert(part).from_select(columns, select(of_empty)))
        connection.exec_driver_sql(f"DROP TABLE {empty.name}")
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {index.name}")


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
