"""What the text of one cell means: a moment, an amount, a percentage. Each refuses with a sentence."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from babel.numbers import get_currency_symbol, list_currencies

from crm_core.currency import Currency
from crm_core.errors import InvalidInput

P = ParamSpec("P")
T = TypeVar("T")

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a cell for a formula; our export puts an apostrophe before it.

A phone number gets none, see `crm_core.exporting.PHONE_NUMBER`.
"""

PADDING = " \u00a0\ufeff\u200b\u2060"
"""What a spreadsheet ignores in front of a formula."""

TIME_DIRECTIVES = re.compile(r"%[HIMSfpcX]")
DIRECTIVES = re.compile("%.")
WORDS = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]*")
"""What may be the name of a time zone."""

GROUPED = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}"
"""Thousands as most of the world writes them, or as India does: 12,34,567."""

PLAIN_AMOUNT = re.compile(rf"(?:[0-9]+|{GROUPED})(?:\.[0-9]*)?|\.[0-9]+")

GROUP_MARKS = re.compile("[\\s'\u2019\u02bc\u00b4`]")
"""What separates thousands besides comma and point: any space, any apostrophe."""

NUMBER_MARKS = r"\d.,'\u2019\u02bc\u00b4`"

AMOUNT_PARTS = re.compile(
    rf"(?P<opened>\()?\s*(?P<sign>[+\-\u2212])?\s*(?P<before>[^{NUMBER_MARKS}\s()+\-\u2212]*)"
    rf"\s*(?P<minus>[\-\u2212])?\s*(?P<number>[{NUMBER_MARKS}][{NUMBER_MARKS}\s]*?)"
    rf"\s*(?P<scale>[kKM](?![A-Za-z]))?\s*(?P<after>[^{NUMBER_MARKS}\s()+\-\u2212]*)"
    r"\s*(?P<trailing>[\-\u2212])?\s*(?P<closed>\))?"
)

LONGEST_AMOUNT = 100
"""Characters of a cell in which signs, symbols and marks are looked for."""

THOUSAND = 3
"""Digits of a group of thousands."""

SCALES = {None: 1, "k": 1_000, "K": 1_000, "M": 1_000_000}

DASHES = {"-", "\u2013", "\u2014", "\u2212"}
"""A cell that says nothing but this has no amount."""

PERCENTAGE = re.compile(r"(?P<number>[0-9]{1,3}(?:[.,][0-9]*)?|[.,][0-9]+)\s*(?P<sign>%)?")

NO_PROBABILITY = "A probability is a number from 0 to 100."

PERHAPS_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
"""What reads as 1234 to some and as 1.234 to others."""

ISO_LAYOUTS = {"%Y-%m-%d": 10, "%Y-%m-%d %H:%M": 16, "%Y-%m-%d %H:%M:%S": 19}
"""The layouts that most programs write, by the length of their texts."""

ISO_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?: [0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?")

LONGEST_MOMENT = 200
"""Characters of a cell that can be a date."""

REMEMBERED, LONGEST_REMEMBERED = 20_000, 200
"""How many texts of a kind have their meaning remembered, and how many characters they have at the most."""

FIRST_YEAR, LAST_YEAR = 1900, 2200

SHORT = 40
"""Characters of a cell that a sentence shows."""

LONGEST_NAME = 200
"""Characters of a file's or a column's name that a sentence shows."""


def remembered(meaning: Callable[Concatenate[str, P], T]) -> Callable[Concatenate[str, P], T]:
    """Look the meaning of a short text up where it was asked before: rows have many texts in common."""
    known = lru_cache(REMEMBERED)(meaning)

    @wraps(meaning)
    def find(text: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if len(text) > LONGEST_REMEMBERED:
            return meaning(text, *args, **kwargs)
        return known(text, *args, **kwargs)  # type: ignore[arg-type]  # all are hashable

    return find


def moment(text: str, formats: Sequence[str], zone: ZoneInfo) -> date | datetime:
    """The day that the cell names; an instant if it tells a time, the workspace's unless it has a zone."""
    for layout in formats if len(text) <= LONGEST_MOMENT else ():
        read = _moment_written(text, layout)
        if read is None:
            continue
        if not FIRST_YEAR <= read.year <= LAST_YEAR:
            raise InvalidInput(f"The year is not between {FIRST_YEAR} and {LAST_YEAR}.")
        if not tells_time(layout):
            return read.date()
        return read if read.tzinfo else read.replace(tzinfo=zone)
    examples = " or ".join(datetime(2026, 12, 31, 17, 30, tzinfo=zone).strftime(one) for one in formats)
    raise InvalidInput(f"This is not a date of the calendar, written like {examples}.")


@remembered
def _moment_written(text: str, layout: str) -> datetime | None:
    """What a text of that layout means; None if it is written otherwise."""
    try:
        if ISO_LAYOUTS.get(layout) == len(text) and ISO_MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)  # as `strptime` reads it, in a twentieth of the time
        return _read_with_zone(text.strip(), layout)
    except ValueError:
        return None


def _read_with_zone(text: str, layout: str) -> datetime:
    """As `strptime` reads it, but with every zone that the text names or the layout spells out."""
    if "%Z" not in layout:
        read = datetime.strptime(text, layout)  # noqa: DTZ007  # without a zone it is a time in the workspace's
        spelt_out = _zone_in(DIRECTIVES.sub(" ", layout)) if tells_time(layout) else None
        return read.replace(tzinfo=spelt_out) if spelt_out else read
    without = layout.replace("%Z", " ", 1).strip()
    for found in WORDS.finditer(text):
        if found[0] in _zone_names():
            rest = f"{text[: found.start()]} {text[found.end() :]}".strip()
            return datetime.strptime(rest, without).replace(tzinfo=ZoneInfo(found[0]))
    raise ValueError("There is no time zone.")


def _zone_in(literally: str) -> tzinfo | None:
    """The zone that a layout spells out beside its directives, such as a Z or UTC at the end."""
    words = WORDS.findall(literally)
    names = [word for word in words if word in _zone_names()]
    if names:
        return ZoneInfo(names[0])
    return UTC if "Z" in words else None


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def tells_time(layout: str) -> bool:
    """Whether dates of this layout come with a time of day."""
    return TIME_DIRECTIVES.search(layout) is not None


def amount(text: str, *, currency: str, decimal_comma: bool = False) -> Decimal | None:
    """Exactly the amount that the cell gives, not rounded; None for a mere dash.

    Thousands may be separated by a comma or point, any space or any apostrophe, in threes or as in India. K
    and M mean thousands and millions. The currency's symbol or code may stand before or after.
    """
    if text.strip() in DASHES:
        return None
    is_short = len(text) <= LONGEST_AMOUNT or text.isdecimal()
    parts = AMOUNT_PARTS.fullmatch(text.strip()) if is_short else None
    number = _with_point_and_commas(parts["number"], decimal_comma) if parts else ""
    if parts is None or not PLAIN_AMOUNT.fullmatch(number) or bool(parts["opened"]) != bool(parts["closed"]):
        example = "1234,50" if decimal_comma else "1234.50"
        raise InvalidInput(f"This is not an amount written like {example}.")
    if parts["opened"] or parts["minus"] or parts["trailing"] or parts["sign"] not in (None, "+"):
        raise InvalidInput("An amount can't be negative.")
    for word in (parts["before"], parts["after"]):
        if word and not is_currency(word, currency):
            raise InvalidInput(f"This is not in {currency}.")
    if Currency(currency).decimals < THOUSAND:
        _refuse_what_may_be_thousands(number, decimal_comma)
    return Decimal(number.replace(",", "")) * SCALES[parts["scale"]]


def _with_point_and_commas(number: str, decimal_comma: bool) -> str:
    """The number as 1,234.50, if it has one kind of mark between its thousands."""
    if decimal_comma:
        number = number.translate(str.maketrans(",.", ".,"))
    marks = {" " if mark.isspace() else mark for mark in GROUP_MARKS.findall(number)}
    if len(marks) + ("," in number) > 1:
        return ""
    return GROUP_MARKS.sub(",", number)


def is_zero(text: str) -> bool:
    """Whether the cell says 0, however it is written: 0, 0.00, 0,00 €."""
    parts = AMOUNT_PARTS.fullmatch(text.strip()) if len(text) <= LONGEST_AMOUNT else None
    if parts is None or not all(map(_is_any_currency, filter(None, (parts["before"], parts["after"])))):
        return False
    return {digit for digit in parts["number"] if digit.isdigit()} == {"0"}


@remembered
def _is_any_currency(word: str) -> bool:
    return any(is_currency(word, code) for code in list_currencies())


def is_currency(word: str, code: str) -> bool:
    """Whether a word means the currency of that code: the code itself, or its symbol."""
    return word.upper() == code or get_currency_symbol(code, "en").endswith(word)


def _refuse_what_may_be_thousands(number: str, decimal_comma: bool) -> None:
    """Where a currency has fewer decimals, three of them may be thousands with the other mark."""
    if PERHAPS_THOUSANDS.fullmatch(number):
        mark, setting = ("comma", "false") if decimal_comma else ("point", "true")
        raise InvalidInput(
            f"If the {mark} separates thousands, set decimal_comma = {setting} in the mapping; otherwise"
            " write the amount with no more decimals than the currency has."
        )


@remembered
def currency(text: str, expected: str) -> str:
    """The code of the currency that a cell names; a symbol is taken for the expected one if it can be."""
    word = text.strip()
    if is_currency(word, expected):
        return expected
    if word.upper() not in list_currencies():
        raise InvalidInput("This is no currency. Write its code, such as EUR.")
    return word.upper()


@remembered
def percent(text: str, *, of_one: bool = False) -> int:
    """A probability as a whole percentage, halves rounded up.

    A number between 0 and 1 is a fraction: 0.65 is 65 %. `of_one`: the column has no others, so 1 is 100 %.
    """
    found = PERCENTAGE.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(NO_PROBABILITY)
    number = Decimal(found["number"].replace(",", "."))
    if is_part_of_one(text) or (of_one and not found["sign"]):
        number *= 100
    if number > 100:
        raise InvalidInput(NO_PROBABILITY)
    return int(number.quantize(Decimal(1), ROUND_HALF_UP))


def is_part_of_one(text: str) -> bool:
    """Whether a probability is written as a fraction, such as 0.65."""
    return 0 < _bare_number(text) < 1


def is_above_one(text: str) -> bool:
    """Whether a probability is written as a percentage, such as 65."""
    return _bare_number(text) > 1


def _bare_number(text: str) -> Decimal:
    """The number of a probability without a sign; 0 for any other."""
    found = PERCENTAGE.fullmatch(text.strip())
    return Decimal(found["number"].replace(",", ".")) if found and not found["sign"] else Decimal(0)


def unescaped(text: str) -> str:
    """The cell without the apostrophe by which our export keeps spreadsheets from running it.

    Phone numbers have one in files of earlier versions.
    """
    is_escaped = text.startswith("''") or (
        text.startswith("'") and text[1:].lstrip(PADDING).startswith(FORMULA_STARTS)
    )
    return text[1:] if is_escaped else text


def harmless(text: str) -> str:
    """The text with everything spelt out that a terminal would obey instead of showing it."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def shortened(text: str, limit: int = SHORT) -> str:
    """The beginning of the text, harmless on a terminal."""
    return harmless(text[:limit]) + ("…" if len(text) > limit else "")


def quoted(names: Iterable[str]) -> str:
    """Names in quotation marks, harmless on a terminal."""
    return ", ".join(f"“{shortened(name, LONGEST_NAME)}”" for name in names)


def numbered(rows: Sequence[int], most: int) -> str:
    """The first rows by their numbers, as many as a sentence should name."""
    return ", ".join(map(str, rows[:most])) + (", …" if len(rows) > most else "")
