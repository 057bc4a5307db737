"""How numbers, money and days are written in the workspace's locale, and other people's text on a line."""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import (
    NumberFormatError,
    format_decimal,
    format_percent,
    get_currency_symbol,
    parse_decimal,
)

from crm_core.analytics.rate import Rate
from crm_core.columns import exact_amount
from crm_core.currency import SOME_AMOUNT, Currency
from crm_core.errors import InvalidInput
from crm_core.services.settings_service import Workspace

K = TypeVar("K")

NONE = "–"

KEPT_TEXTS = 10_000
"""Amounts, numbers and days whose text is kept: each is written again with every drawing of its screen."""

ZERO = Decimal(0)

DIRECTION_CHANGES = dict.fromkeys([0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def one_line(text: str, *, limit: int = 200) -> str:
    """Somebody's text for an element that shows text as it is: without line breaks, and not too long."""
    visible = text if text.isprintable() else _visible(text)  # hardly ever is there anything else
    clean = " ".join(visible.split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _visible(text: str) -> str:
    """With blanks for control characters, and without what can't be encoded or turns the direction."""
    encodable = text.encode("utf-8", "replace").decode()
    return "".join(
        " " if unicodedata.category(character) == "Cc" else character
        for character in encodable.translate(DIRECTION_CHANGES)
    )


def initials(name: str) -> str:
    """The first letters of the first and the last word of somebody's name."""
    letters = [next((each for each in word if each.isalnum()), "") for word in name.split()]
    first, *others = [each for each in letters if each] or [name[:1]]
    return f"{first}{others[-1] if others else ''}".upper()


def told_apart(names: Mapping[K, str]) -> dict[K, str]:
    """What to choose from, by key: namesakes get their key, for Streamlit knows a choice by its text."""
    texts = {key: one_line(name) for key, name in names.items()}
    often = Counter(texts.values())
    return {key: f"{text} #{key}" if often[text] > 1 else text for key, text in texts.items()}


def lines(text: str) -> str:
    """Somebody's text for an element that shows text as it is, line breaks included."""
    encodable = text.encode("utf-8", "replace").decode().translate(DIRECTION_CHANGES)
    return "".join(
        character if character == "\n" or unicodedata.category(character) != "Cc" else " "
        for character in encodable.replace("\r\n", "\n").expandtabs(4)
    )


def money(amount: Decimal | None, workspace: Workspace) -> str:
    """An amount in the workspace's currency, exactly; decimals only where it has any, then all of them."""
    return NONE if amount is None else _money(amount or ZERO, workspace.locale, workspace.currency)


@lru_cache(KEPT_TEXTS)
def _money(amount: Decimal, spoken: str, currency: str) -> str:
    locale = Locale.parse(spoken)
    pattern = copy(locale.currency_formats["standard"])
    decimals = _decimals(amount, currency)
    pattern.frac_prec = (decimals, decimals)
    return str(pattern.apply(amount, locale, currency=currency, currency_digits=False))


def amount(value: Decimal | None, workspace: Workspace) -> str:
    """An amount as somebody types it: in the locale, without a currency; empty where it is unknown."""
    return "" if value is None else _amount(value or ZERO, workspace.locale, workspace.currency)


@lru_cache(KEPT_TEXTS)
def _amount(value: Decimal, locale: str, currency: str) -> str:
    decimals = _decimals(value, currency)
    pattern = f"#,##0.{'0' * decimals}" if decimals else "#,##0"
    return format_decimal(value, pattern, locale=locale)


def _decimals(amount: Decimal, currency: str) -> int:
    """How many are shown: none of a whole amount, or else the currency's, or as many more as it takes."""
    if amount == amount.to_integral_value():
        return 0
    return Currency(currency).decimals_of(amount)


def read_amount(typed: str, workspace: Workspace) -> Decimal | None:
    """The amount that somebody typed in the locale; None for nothing. Raises `InvalidInput`.

    More decimals than the currency has are refused, in the words of the locale.
    """
    currency = Currency(workspace.currency)
    symbol = get_currency_symbol(workspace.currency, locale=workspace.locale)
    typed = typed.strip().removeprefix(workspace.currency).removeprefix(symbol).removesuffix(symbol)
    text = "".join(typed.split()).replace("'", "’")
    if not text:
        return None
    try:
        found = parse_decimal(text, locale=workspace.locale, strict=True)
    except NumberFormatError:
        found = None
    if found is None or not found.is_finite() or not currency.allows(found):
        example = amount(currency.floored(SOME_AMOUNT), workspace)
        why = "" if found is None else f"{currency.code} has {currency.in_words}. "
        raise InvalidInput(f"{why}Write an amount like {example}.")
    if found < 0:
        raise InvalidInput("Write an amount of 0 or more.")
    return exact_amount(found)


def total(amount: Decimal, workspace: Workspace, *, deals: int, without_value: int) -> str:
    """What deals are worth together; a dash where none of them has a value: unknown is not zero."""
    return NONE if deals and deals == without_value else money(amount, workspace)


def counted(count: int, without_value: int, workspace: Workspace, kind: str = "", overdue: int = 0) -> str:
    """“1,234 open deals, 9 overdue, 12 without a value”: over what a sum was made, and what it leaves out."""
    late = f", {number(overdue, workspace)} overdue" if overdue else ""
    left_out = f", {number(without_value, workspace)} without a value" if without_value else ""
    return deals(count, workspace, kind) + late + left_out


def number(count: int, workspace: Workspace) -> str:
    """A whole number with the locale's separators."""
    return _number(count, workspace.locale)


@lru_cache(KEPT_TEXTS)
def _number(count: int, locale: str) -> str:
    return format_decimal(count, locale=locale)


def decimal(value: float, workspace: Workspace) -> str:
    """A number with up to one decimal."""
    return format_decimal(round(value, 1), "#,##0.#", locale=workspace.locale)


def deals(count: int, workspace: Workspace, kind: str = "") -> str:
    """“1 deal”, “1,234 open deals”."""
    noun = "deal" if count == 1 else "deals"
    return " ".join(filter(None, (number(count, workspace), kind, noun)))


def counted_as(count: int, workspace: Workspace, noun: str) -> str:
    """“1 lead”, “1,234 companies”."""
    plural = f"{noun[:-1]}ies" if noun.endswith("ny") else f"{noun}s"
    return f"{number(count, workspace)} {noun if count == 1 else plural}"


def percent(rate: Rate, workspace: Workspace) -> str:
    """A rate with up to two decimals; a dash where there is none."""
    return NONE if rate.value is None else share(rate.value, workspace)


def share(part: Decimal | float, workspace: Workspace) -> str:
    """A part of 1 as a percentage."""
    return _share(part or ZERO, workspace.locale)


@lru_cache(KEPT_TEXTS, typed=True)
def _share(part: Decimal | float, locale: str) -> str:
    return format_percent(part, "#,##0.##%", locale=locale)


def day(on: date | None, workspace: Workspace) -> str:
    """A calendar day, such as Mar 18, 2026."""
    return NONE if on is None else _day(on, workspace.locale)


@lru_cache(KEPT_TEXTS)
def _day(on: date, locale: str) -> str:
    return format_date(on, "medium", locale=locale)


def month(of: date, workspace: Workspace) -> str:
    """The month of a day, such as Mar 2026."""
    return format_skeleton("yMMM", of, locale=workspace.locale)


def month_in_full(of: date, workspace: Workspace) -> str:
    """The month of a day, such as March 2026."""
    return format_skeleton("yMMMM", of, locale=workspace.locale)


def moment(at: datetime, workspace: Workspace) -> str:
    """An instant in the workspace's time zone, such as Mar 18, 2026, 4:05 PM."""
    zone, locale = workspace.calendar.zone, workspace.locale
    time = format_time(at, "short", tzinfo=zone, locale=locale)
    return f"{day(at.astimezone(zone).date(), workspace)}, {time}"


def days(start: date, last: date, workspace: Workspace) -> str:
    """A span of days, both ends included."""
    return f"{day(start, workspace)} – {day(last, workspace)}"
