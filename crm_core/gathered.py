"""Reads very many numbers in a few rows: the database lines them up as text, taken in at once."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

BEFORE_THE_FIRST_DAY = 1_721_424.5
"""The Julian day on which the day before the calendar's first begins."""


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


def never_negative(days: Iterable[int]) -> list[int]:
    """Lengths in days: a day that stays what it was may lie before one of another time zone."""
    return [max(each, 0) for each in days]


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

    There, totals of money are in ten-thousandths, which SQLite tells in digits beyond 64 bits, and what was
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


class ordinal(GenericFunction[int]):  # noqa: N801
    """A day as Python's `date.toordinal` counts it: the first of January of the year 1 is 1."""

    type = Integer()
    inherit_cache = True
    name = "ordinal"


@compiles(ordinal)
def _ordinal_on_a_server(element: ordinal, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses.clauses[0], **options)} - DATE '0001-01-01' + 1)"


@compiles(ordinal, "sqlite")
def _ordinal_in_the_embedded_database(element: ordinal, compiler: SQLCompiler, **options: Any) -> str:
    day = compiler.process(element.clauses.clauses[0], **options)
    return f"CAST(julianday({day}) - {BEFORE_THE_FIRST_DAY} AS INTEGER)"
