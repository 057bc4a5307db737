"""Reads very many numbers in a few rows: the database lines them up as text, taken in at once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Text, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from crm_core.engines import embedded_version

A_SECOND = 1_000_000
A_DAY = 86_400 * A_SECOND
"""In microseconds."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

AFTER_THE_POINT = len("2000-01-01 00:00:00.") + 1
"""Where SQLAlchemy writes the microseconds of an instant, in SQLite."""

IS_QUICK = embedded_version() >= (3, 38)
"""Whether this SQLite has `unixepoch`, which takes a third of the time."""


class WholeNumbers(TypeDecorator[list[int]]):
    """Whole numbers as text, with commas between them; null is none."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> list[int]:
        return whole_numbers(value)


def whole_numbers(text: str | None) -> list[int]:
    """What `gathered` has lined up."""
    found: list[int] = [] if text is None else json.loads(f"[{text}]")
    return found


class gathered(GenericFunction[list[int]]):  # noqa: N801  # reads as the SQL function it is
    """The whole numbers of a column, without nulls, as a list.

    Several of them, in one statement, over columns that are null in the same rows, have the same order.
    """

    type = WholeNumbers()
    inherit_cache = True
    name = "gathered"


@compiles(gathered)
def _gathered_on_a_server(element: gathered, compiler: SQLCompiler, **options: Any) -> str:
    return f"string_agg(({compiler.process(element.clauses.clauses[0], **options)})::text, ',')"


@compiles(gathered, "sqlite")
def _gathered_in_the_embedded_database(element: gathered, compiler: SQLCompiler, **options: Any) -> str:
    return f"group_concat({compiler.process(element.clauses.clauses[0], **options)})"


class side_by_side(GenericFunction[list[Any]]):  # noqa: N801
    """Several figures as one list, so that a subquery has one column to tell them in.

    There, totals of money are in minor units, which SQLite tells in digits beyond 64 bits, and what was
    `gathered` is still text.
    """

    type = JSON()
    inherit_cache = True
    name = "side_by_side"


@compiles(side_by_side)
def _list_on_a_server(element: side_by_side, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_build_array{compiler.function_argspec(element, **options)}"


@compiles(side_by_side, "sqlite")
def _list_in_the_embedded_database(element: side_by_side, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array{compiler.function_argspec(element, **options)}"


def since_epoch(at: datetime) -> int:
    """What SQL's `microseconds` makes of the instant."""
    return (at - EPOCH) // timedelta(microseconds=1)


def instant_of(since: int) -> datetime:
    """The instant so many microseconds after the epoch."""
    return EPOCH + timedelta(microseconds=since)


class microseconds(GenericFunction[int]):  # noqa: N801
    """An instant as microseconds since the beginning of 1970, exactly."""

    type = BigInteger()
    inherit_cache = True
    name = "microseconds"


@compiles(microseconds)
def _microseconds_on_a_server(element: microseconds, compiler: SQLCompiler, **options: Any) -> str:
    instant = compiler.process(element.clauses.clauses[0], **options)
    return f"CAST(extract(epoch FROM {instant}) * {A_SECOND} AS bigint)"


@compiles(microseconds, "sqlite")
def _microseconds_in_the_embedded_database(
    element: microseconds, compiler: SQLCompiler, **options: Any
) -> str:
    instant = compiler.process(element.clauses.clauses[0], **options)
    seconds = f"unixepoch({instant})" if IS_QUICK else f"strftime('%s', {instant})"
    return f"({seconds} * {A_SECOND} + substr({instant}, {AFTER_THE_POINT}))"
