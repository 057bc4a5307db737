"""How numbers, money, days and other people's text are written on a screen."""

import re
import unicodedata
from copy import copy
from datetime import date
from decimal import Decimal

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal, format_percent

from crm_core.analytics.rate import Rate
from crm_core.services.settings_service import Workspace

NONE = "–"

MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^\"'&=@/])")
REWRITTEN_AFTERWARDS = re.compile(r"(:|@|www(?=\.)|-(?=[->])|<(?=-))", re.IGNORECASE)
WORD_JOINER = "\u2060"
DIRECTION_CHANGES = dict.fromkeys([0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def literal(text: str | None, *, limit: int = 200) -> str:
    """Somebody's text for an element that renders Markdown: shown as typed, on one line."""
    if not text:
        return NONE
    clean = one_line(text, limit=limit)
    return MARKDOWN.sub(r"\\\1", REWRITTEN_AFTERWARDS.sub(r"\1" + WORD_JOINER, clean)) or NONE


def one_line(text: str, *, limit: int = 200) -> str:
    """Somebody's text for an element that shows text as it is: without line breaks, and not too long."""
    encodable = text.encode("utf-8", "replace").decode()
    visible = "".join(
        " " if unicodedata.category(character) == "Cc" else character
        for character in encodable.translate(DIRECTION_CHANGES)
    )
    clean = " ".join(visible.split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def money(amount: Decimal | None, workspace: Workspace) -> str:
    """An amount in the workspace's currency; cents only where there are any."""
    if amount is None:
        return NONE
    locale = Locale.parse(workspace.locale)
    pattern = copy(locale.currency_formats["standard"])
    if amount == amount.to_integral_value():
        pattern.frac_prec = (0, 0)
    return str(pattern.apply(amount, locale, currency=workspace.currency, currency_digits=False))


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
    return format_decimal(count, locale=workspace.locale)


def deals(count: int, workspace: Workspace, kind: str = "") -> str:
    """“1 deal”, “1,234 open deals”."""
    noun = "deal" if count == 1 else "deals"
    return " ".join(filter(None, (number(count, workspace), kind, noun)))


def percent(rate: Rate, workspace: Workspace) -> str:
    """A rate with up to two decimals; a dash where there is none."""
    return NONE if rate.value is None else share(rate.value, workspace)


def share(part: Decimal | float, workspace: Workspace) -> str:
    """A part of 1 as a percentage."""
    return format_percent(part, "#,##0.##%", locale=workspace.locale)


def day(on: date | None, workspace: Workspace) -> str:
    """A calendar day, such as Mar 18, 2026."""
    return NONE if on is None else format_date(on, "medium", locale=workspace.locale)


def days(start: date, last: date, workspace: Workspace) -> str:
    """A span of days, both ends included."""
    return f"{day(start, workspace)} – {day(last, workspace)}"
