"""Column types that store and refuse the same on SQLite and PostgreSQL, before a driver sees the value."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeEngine

from crm_core.errors import InvalidInput

DECIMALS = 4
"""Decimals that are stored of an amount, whatever its currency: more than any currency has."""

UNITS = 10**DECIMALS
"""Ten-thousandths: an amount is stored as so many of them for each whole unit of the currency."""

SMALLEST_AMOUNT = Decimal(1).scaleb(-DECIMALS)

AMOUNT = re.compile(r"(?ai:[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)")

ADDED_UP_ON_SQLITE = "added_up"
"""Name under which `crm_core.engines` registers `added_up` with SQLite."""

LOW_BITS = 32
LOW = 2**LOW_BITS - 1
LARGEST_INTEGER = 2**63 - 1
"""The largest that SQLite keeps as a number."""

LARGEST_AMOUNT = Decimal("9999999999999.99")
"""Ten trillion; a total of it over any number of rows is exact too, see `total_amount`."""

TOO_MANY_DECIMALS = f"An amount of money has at most {DECIMALS} decimals. Round it first."


def any_amount(value: Decimal | int | str) -> Decimal:
    """The amount, however fine; refuses floats, NaN, infinities and the absurdly large."""
    if isinstance(value, float):
        raise InvalidInput("An amount of money can't be a float: pass a Decimal, an int or a string.")
    try:
        if not isinstance(value, Decimal | int | str):  # Python makes one of a list, too
            raise InvalidOperation
        if isinstance(value, str) and not AMOUNT.fullmatch(value.strip()):  # and of 1_2
            raise InvalidOperation
        amount = Decimal(value)
    except (InvalidOperation, ValueError, TypeError):
        raise InvalidInput("This is not an amount of money.") from None
    if not amount.is_finite() or abs(amount) > LARGEST_AMOUNT:
        raise InvalidInput(f"An amount of money can't be more than {LARGEST_AMOUNT:,}.")
    return amount


def exact_amount(value: Decimal | int | str) -> Decimal:
    """The amount, which can be stored; refuses what `any_amount` does, and more than four decimals.

    How many its currency allows is for `Currency.require` to say.
    """
    amount = any_amount(value)
    exact = amount.quantize(SMALLEST_AMOUNT)
    if exact != amount:
        raise InvalidInput(TOO_MANY_DECIMALS)
    return amount if -DECIMALS <= int(amount.as_tuple().exponent) <= 0 else exact


def amount_of(units: int | str) -> Decimal:
    """The amount that is stored as so many ten-thousandths, always with four decimals."""
    return Decimal(int(units)).scaleb(-DECIMALS)


def storable_text(value: str, limit: int | None = None) -> str:
    """The text itself; refuses what one of the databases or a browser can't carry."""
    if "\x00" in value:
        raise InvalidInput("Text can't contain a NUL character.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput("Text can't contain half of a surrogate pair.") from None
    if limit is not None and len(value) > limit:
        raise InvalidInput(f"Text is {len(value):,} characters long; at most {limit:,} fit here.")
    return value


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware in Python, UTC in the database; naive datetimes are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise InvalidInput("An instant needs a time zone.")
        try:
            value = value.astimezone(UTC)
        except OverflowError:
            raise InvalidInput("This instant lies outside of the calendar.") from None
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """One call for each of the many instants of a list, where `process_result_value` would take four."""
        return _read_from_a_file if dialect.name == "sqlite" else _read_from_a_server


def _read_from_a_file(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(f"{stored}+00:00")


def _read_from_a_server(stored: datetime | None) -> datetime | None:
    if stored is None or stored.tzinfo is None:  # which no column of ours has
        return stored and stored.replace(tzinfo=UTC)
    return stored.astimezone(UTC)


class TenThousandths(TypeDecorator[Decimal]):
    """Money: Decimal in Python, whole ten-thousandths (64-bit) in the database; `total_amount` adds it up."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | str | None, dialect: Dialect) -> int | None:
        return None if value is None else int(exact_amount(value) * UNITS)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Decimal | None]:
        return _read_amount


def _read_amount(stored: int | str | None) -> Decimal | None:
    return None if stored is None else amount_of(stored)


class Line(TypeDecorator[str]):
    """One line of text from a user, with a length limit."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable_text(value, getattr(self.impl, "length", None))


LINE_END = "\n"
"""What stands between several texts in one column."""


def a_line(compared: str) -> str:
    """How a compared column of several texts has each of them: between line ends, to be found whole."""
    return f"{LINE_END}{compared}{LINE_END}"


class Lines(TypeDecorator[tuple[str, ...]]):
    """Short texts from a user, in their order: one a line in the database, NULL where there is none."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[str] | None, dialect: Dialect) -> str | None:
        texts = tuple(value or ())
        if any(LINE_END in text or not text for text in texts):
            raise InvalidInput("Each text of a list is one line, and not empty.")
        return storable_text(LINE_END.join(texts)) or None

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:
        return tuple(value.split(LINE_END)) if value else ()


class LongText(TypeDecorator[str]):
    """Text of any length from a user."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable_text(value)


class Compared(TypeDecorator[str]):
    """What a text is compared by: bytes, on both databases, whatever language a server was set up in."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()


class Folded(Compared):
    """A text as `crm_core.folding.fold` makes it."""

    cache_ok = True


class Digits(Compared):
    """A phone number as `crm_core.phones.digits_of` makes it."""

    cache_ok = True


SOURCE = "source"
"""Under which the info of a compared column names the text that it follows from."""


def folded_from(source: str, *, index: bool = False) -> Any:
    """A column that follows from another one's text, for all that looks for it or sorts by it.

    `crm_core.compared_texts` fills it. Nullable, as no old table takes a required column.
    """
    return mapped_column(Folded(), nullable=True, index=index, info={SOURCE: source})


def digits_from(source: str, *, index: bool = False) -> Any:
    """A column that follows from another one's phone number."""
    return mapped_column(Digits(), nullable=True, index=index, info={SOURCE: source})


class by_bytes(GenericFunction[str]):  # noqa: N801  # reads as the SQL function it is
    """A text in the order of its bytes, as SQLite has it anyway."""

    type = Text()
    inherit_cache = True
    name = "by_bytes"


@compiles(by_bytes)
def _by_bytes_on_a_server(element: by_bytes, compiler: SQLCompiler, **options: Any) -> str:
    return f'({compiler.process(element.clauses.clauses[0], **options)} COLLATE "C")'


@compiles(by_bytes, "sqlite")
def _by_bytes_in_the_embedded_database(element: by_bytes, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses.clauses[0], **options)


def stored_enum(kind: type[StrEnum], name: str) -> Enum:
    """An enum stored as its values in plain text, with a check constraint the database enforces."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=30,
        values_callable=lambda members: [member.value for member in members],
    )


class total_amount(GenericFunction[Decimal]):  # noqa: N801  # reads as the SQL function it is
    """Σ of a column of money, exact at any size on both databases; null where there is nothing to add.

    SQLite's own `sum` fails beyond 64 bits. It adds amounts, not other totals.
    """

    type = TenThousandths()
    inherit_cache = True
    name = "total_amount"


@compiles(total_amount)
def _total_on_a_server(element: total_amount, compiler: SQLCompiler, **options: Any) -> str:
    return f"sum({compiler.process(element.clauses.clauses[0], **options)})"


@compiles(total_amount, "sqlite")
def _total_in_the_embedded_database(element: total_amount, compiler: SQLCompiler, **options: Any) -> str:
    amount = f"({compiler.process(element.clauses.clauses[0], **options)})"
    low = f"sum({amount} & {LOW})"
    high = f"sum({amount} >> {LOW_BITS}) FILTER (WHERE {amount} NOT BETWEEN 0 AND {LOW})"
    return f"{ADDED_UP_ON_SQLITE}({low}, {high})"


def added_up(low: int | None, high: int | None) -> int | str | None:
    """One number out of the sum of the low bits of many and the sum of their high bits.

    Digits where SQLite has no such number; it sorts them after every number, and padded by size.
    """
    if low is None:
        return None
    total = low + ((high or 0) << LOW_BITS)
    return total if abs(total) <= LARGEST_INTEGER else f"{total:040}"


Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

Money = Annotated[Decimal, mapped_column(TenThousandths)]

ColumnTypes = dict[Any, Any]
PYTHON_TO_COLUMN: ColumnTypes = {datetime: UtcDateTime, str: LongText, dict[str, Any]: Document}
