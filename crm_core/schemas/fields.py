"""Kinds of input that several records share, and what they refuse."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated, Any, TypeVar

from babel.numbers import list_currencies
from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from crm_core.columns import (
    DECIMALS,
    LARGEST_AMOUNT,
    SMALLEST_AMOUNT,
    any_amount,
    exact_amount,
    storable_text,
)
from crm_core.errors import InvalidInput
from crm_core.folding import INVISIBLE

Value = TypeVar("Value")

LARGEST_ID = 2**31 - 1
"""The largest key that PostgreSQL's INTEGER holds."""

LOOKS_EMPTY = {"Cc", "Cf", "Zl", "Zp", "Zs"}
"""Unicode categories of control, format and space characters."""

PART_OF_WHAT_STANDS_BEFORE = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0020, 0xE0080))))
"""Without them, a red heart would be a black one, and the flag of Scotland a black flag."""

WEB_ADDRESS = re.compile(r"(?ai:https?://)?(?P<host>[^\s/?#:@\\]+)(?::[0-9]{1,5})?(?:[/?#]\S*)?")

WWW = re.compile(r"^(?:www\.)+(?=[^.]+\.)")
"""What stands before a domain on the web, as long as a domain is left behind it."""

INSTANT_WITH_ZONE = re.compile(r"(?ai:\d{4}-\d{2}-\d{2}[t ]\d{2}:\d{2}.*(z|[+-]\d{2}:?\d{2}))")
BEGINS_WITH_A_DAY = re.compile(r"(?a:\d{4}-\d{2}-\d{2})")

LONGEST_EMAIL, LONGEST_WEBSITE, LONGEST_HOST, LONGEST_LABEL = 254, 500, 253, 63


class Schema(BaseModel):
    """Base of what comes in and goes out. What was refused is repeated in no message, and so in no log."""

    model_config = ConfigDict(
        from_attributes=True,
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_serialization_defaults_required=True,
    )


def visible(text: str) -> str:
    """The text itself; refuses one that shows nothing."""
    if all(map(_is_blank, text)):
        raise ValueError("Write at least one visible character.")
    return text


def host_of(website: str) -> str:
    """The company's domain as its address on the web tells it: in lower case, without “www.”.

    Raises `ValueError` for what is no address that starts with http://, https:// or the host itself.
    """
    address = WEB_ADDRESS.fullmatch(website)
    host = address["host"].lower().removesuffix(".") if address else ""
    if not _is_host(host):
        raise ValueError("This is not a web address. Write it like https://www.example.com or example.com.")
    return WWW.sub("", host)


def _is_host(host: str) -> bool:
    """Loosely: labels with dots between them, in any script, and no IP address."""
    labels = host.split(".")
    return (
        len(host) <= LONGEST_HOST
        and len(labels) > 1
        and all(map(_is_label, labels))
        and not labels[-1].isdecimal()
    )


def _is_label(label: str) -> bool:
    return (
        0 < len(label) <= LONGEST_LABEL
        and not label.startswith("-")
        and not label.endswith("-")
        and all(character in "-_" or unicodedata.category(character)[0] in "LMN" for character in label)
    )


def shows_something(text: str | None) -> bool:
    """Whether there is a visible character in it."""
    return not all(map(_is_blank, text or ""))


def _is_blank(character: str) -> bool:
    """Whether nothing is to be seen of it; NUL is no blank, so that it is refused wherever it stands."""
    if "!" <= character <= "~":
        return False
    return character != "\x00" and (
        unicodedata.category(character) in LOOKS_EMPTY or INVISIBLE.match(character) is not None
    )


def trimmed(text: str) -> str:
    """The text without blanks and invisible characters at its ends, such as come along when it is pasted."""
    first, end = 0, len(text)
    while first < end and _is_blank(text[first]):
        first += 1
    while first < end and _is_blank(text[end - 1]):
        end -= 1
    if first < end and not text[end - 1].isascii():
        while end < len(text) and text[end] in PART_OF_WHAT_STANDS_BEFORE:
            end += 1
    return text[first:end]


def _trimmed(value: Any) -> Any:
    return trimmed(value) if isinstance(value, str) else value


def _named(value: Any) -> Any:
    return visible(trimmed(value)) if isinstance(value, str) else value


def _unknown_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and all(map(_is_blank, value)) else value


def _storable(text: str, limit: int | None = None) -> str:
    try:
        return storable_text(text, limit)
    except InvalidInput as refusal:
        raise ValueError(str(refusal)) from refusal


def _email(text: str) -> str:
    address = _storable(trimmed(text), LONGEST_EMAIL)
    try:
        validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        raise ValueError("This is not an e-mail address. Write it like ada@example.com.") from None
    return address


def _website(text: str) -> str:
    address = _storable(trimmed(text), LONGEST_WEBSITE)
    host_of(address)
    return address


def _domain(text: str) -> str:
    return host_of(_storable(trimmed(text)))


def _currency(code: str) -> str:
    if code not in list_currencies():
        raise ValueError("This is not a currency's code of three letters. Write it like USD or EUR.")
    return code


def _amount(value: Any, read: Callable[[Any], Decimal] = exact_amount) -> Any:
    if value is None:
        return None
    if isinstance(value, bool):
        raise ValueError("This is not an amount of money.")
    try:
        return read(str(value) if isinstance(value, float) else value)
    except InvalidInput as refusal:
        raise ValueError(str(refusal)) from refusal


def _least(value: Any) -> Any:
    return _amount(value, lambda each: any_amount(each).quantize(SMALLEST_AMOUNT, ROUND_CEILING))


def _most(value: Any) -> Any:
    return _amount(value, lambda each: any_amount(each).quantize(SMALLEST_AMOUNT, ROUND_FLOOR))


def number(value: Any) -> Any:
    """The value itself; refuses true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("This is not a number.")
    return value


def with_zone(value: Any) -> Any:
    """The value itself; refuses text that is no instant with a time zone."""
    if isinstance(value, int | float) or (isinstance(value, str) and not INSTANT_WITH_ZONE.fullmatch(value)):
        raise ValueError(
            "Write the instant with its time zone, like 2026-03-31T12:00:00Z or 2026-03-31T12:00:00+02:00;"
            " in an address + is %2B."
        )
    return value


def written_out(value: Any) -> Any:
    """The value itself; refuses numbers, which Pydantic takes for seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and not BEGINS_WITH_A_DAY.match(value)):
        raise ValueError("Write the day like 2026-03-31.")
    return value


AMOUNT_OF_MONEY: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": float(LARGEST_AMOUNT)},
        {"type": "string", "pattern": rf"^[0-9]{{1,13}}(\.[0-9]{{1,{DECIMALS}}})?$"},
    ]
}
"""How it comes in, with no more decimals than the workspace's currency has."""

Maybe = Annotated[Value | None, BeforeValidator(_unknown_if_blank)]
"""A text that may be unknown; one without a visible character says that it is."""

StoredText = Annotated[str, AfterValidator(_storable)]
ShortText = Annotated[str, Field(max_length=500), AfterValidator(_storable)]
Text = Annotated[str, Field(max_length=100_000), AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=200), BeforeValidator(_named), AfterValidator(_storable)]
Title = Annotated[str, Field(max_length=200), BeforeValidator(_trimmed), AfterValidator(_storable)]
Phone = Annotated[str, Field(max_length=50), BeforeValidator(_trimmed), AfterValidator(_storable)]
Label = Annotated[str, Field(max_length=100), BeforeValidator(_trimmed), AfterValidator(_storable)]
NeededLabel = Annotated[
    str, Field(min_length=1, max_length=100), BeforeValidator(_named), AfterValidator(_storable)
]
StoredLabel = Annotated[str, Field(max_length=100), AfterValidator(_storable)]
"""One that is there already, to be found as it is."""

RequestId = Annotated[
    str, Field(min_length=1, max_length=64), AfterValidator(_storable), AfterValidator(visible)
]

CurrencyCode = Annotated[str, AfterValidator(_currency)]
Email = Annotated[str, AfterValidator(_email)]
Website = Annotated[str, AfterValidator(_website)]
Domain = Annotated[str, AfterValidator(_domain)]

Day = Annotated[date, BeforeValidator(written_out)]
GivenInstant = Annotated[AwareDatetime, BeforeValidator(with_zone)]
"""One that comes in, in whatever time zone."""

# A bound stands before the validator: only there JSON Schema gets to know it.
Amount = Annotated[
    Decimal, Field(ge=0), BeforeValidator(_amount), WithJsonSchema(AMOUNT_OF_MONEY, mode="validation")
]
LeastAmount = Annotated[
    Decimal, Field(ge=0), BeforeValidator(_least), WithJsonSchema(AMOUNT_OF_MONEY, mode="validation")
]
MostAmount = Annotated[
    Decimal, Field(ge=0), BeforeValidator(_most), WithJsonSchema(AMOUNT_OF_MONEY, mode="validation")
]
"""Bounds to compare with, however fine: no stored amount lies between such a bound and what is made of it."""

Id = Annotated[int, Field(ge=1, le=LARGEST_ID), BeforeValidator(number)]
Percent = Annotated[int, Field(ge=0, le=100), BeforeValidator(number)]

Money = Annotated[Decimal, Field(json_schema_extra={"pattern": rf"^[0-9]+(\.[0-9]{{1,{DECIMALS}}})?$"})]
"""An amount that goes out, as text with the currency's decimals; `Amount` is one that comes in."""

Instant = Annotated[datetime, Field(json_schema_extra={"pattern": "Z$"})]
"""One that goes out, in UTC."""


class Priced(Schema):
    """Base of what comes in with amounts."""

    currency: Maybe[CurrencyCode] = Field(
        default=None,
        exclude=True,
        description="What the amounts are in. It must be the workspace's currency, and is not stored.",
    )
