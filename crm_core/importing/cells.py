"""What the text of one cell means: a moment, an amount, a percentage. Each refuses with a sentence."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_symbol

from crm_core.columns import exact_amount
from crm_core.errors import InvalidInput

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a cell for a formula; our export puts an apostrophe before it."""

PADDING = " \u00a0\ufeff\u200b\u2060"
"""What a spreadsheet ignores in front of a formula."""

TIME_DIRECTIVES = re.compile(r"%[HIMSfpcX]")

PLAIN_AMOUNT = re.compile(r"(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]*)?|\.[0-9]+")

AMOUNT_PARTS = re.compile(r"(?P<before>[^\d\s.,+-]*)\s*(?P<number>[\d.,+-]+)\s*(?P<after>[^\d\s.,+-]*)")

PERHAPS_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
"""What reads as 1234 to some and as 1.234 to others."""

FIRST_YEAR, LAST_YEAR = 1900, 2200

SHORT = 40
"""Characters of a cell that a sentence shows."""

LONGEST_NAME = 200
"""Characters of a file's or a column's name that a sentence shows."""


def moment(text: str, formats: Sequence[str], zone: ZoneInfo) -> date | datetime:
    """The day that the cell names; an instant if it tells a time, the workspace's unless it has a zone."""
    for layout in formats:
        try:
            read = datetime.strptime(text.strip(), layout)  # noqa: DTZ007  # the zone comes below
        except ValueError:
            continue
        if not FIRST_YEAR <= read.year <= LAST_YEAR:
            raise InvalidInput(f"The year is not between {FIRST_YEAR} and {LAST_YEAR}.")
        if not tells_time(layout):
            return read.date()
        return read if read.tzinfo else read.replace(tzinfo=zone)
    examples = " or ".join(datetime(2026, 12, 31, 17, 30, tzinfo=zone).strftime(one) for one in formats)
    raise InvalidInput(f"This is not a date of the calendar, written like {examples}.")


def tells_time(layout: str) -> bool:
    """Whether dates of this layout come with a time of day."""
    return TIME_DIRECTIVES.search(layout) is not None


def amount(text: str, *, currency: str, decimal_comma: bool = False) -> Decimal:
    """Exactly the amount: digits, with thousands separators and the workspace's currency if you like."""
    parts = AMOUNT_PARTS.fullmatch(text.strip())
    number = parts["number"] if parts else ""
    if decimal_comma:
        number = number.translate(str.maketrans(",.", ".,"))
    if number.startswith("-") and PLAIN_AMOUNT.fullmatch(number[1:]):
        raise InvalidInput("An amount can't be negative.")
    if parts is None or not PLAIN_AMOUNT.fullmatch(number):
        example = "1234,50" if decimal_comma else "1234.50"
        raise InvalidInput(f"This is not an amount written like {example}.")
    symbol = get_currency_symbol(currency, "en")
    for word in (parts["before"], parts["after"]):
        if word and word != currency and not symbol.endswith(word):
            raise InvalidInput(f"This is not in {currency}, the workspace's currency.")
    _refuse_what_would_be_rounded(number, decimal_comma)
    return exact_amount(number.replace(",", ""))


def _refuse_what_would_be_rounded(number: str, decimal_comma: bool) -> None:
    """More than two decimals are fine only if the rest is zeros, and not three: those may be thousands."""
    decimals = number.partition(".")[2]
    if len(decimals) <= 2 or (len(decimals) > 3 and not decimals[2:].strip("0")):
        return
    if PERHAPS_THOUSANDS.fullmatch(number):
        mark, setting = ("comma", "false") if decimal_comma else ("point", "true")
        raise InvalidInput(
            f"If the {mark} separates thousands, set decimal_comma = {setting} in the mapping; otherwise more"
            " than two decimals can't be kept."
        )
    raise InvalidInput("More than two decimals can't be kept.")


def percent(text: str) -> int:
    """A whole number from 0 to 100, with or without the sign."""
    number = re.fullmatch(r"([0-9]{1,3})(?:\.0+)?\s*%?", text.strip())
    if number is None or int(number[1]) > 100:
        raise InvalidInput("A probability is a whole number from 0 to 100.")
    return int(number[1])


def unescaped(text: str) -> str:
    """The cell as it was before our export kept spreadsheets from running it as a formula."""
    is_escaped = text.startswith("''") or (
        text.startswith("'") and text[1:].lstrip(PADDING).startswith(FORMULA_STARTS)
    )
    return text[1:] if is_escaped else text


def normal(text: str) -> str:
    """The text without what people vary: case, and spaces at the ends or in a row."""
    return " ".join(text.split()).casefold()


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
