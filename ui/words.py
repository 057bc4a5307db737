"""How numbers, money, days and other people's text are written on a screen."""

import re
from functools import lru_cache

from babel.dates import get_date_format

from crm_core.services.settings_service import Workspace
from crm_core.words import (
    NONE,
    amount,
    counted,
    counted_as,
    day,
    days,
    deals,
    decimal,
    initials,
    lines,
    moment,
    money,
    month,
    number,
    one_line,
    percent,
    read_amount,
    share,
    told_apart,
    total,
)

__all__ = [
    "NONE",
    "amount",
    "counted",
    "counted_as",
    "day",
    "day_format",
    "days",
    "deals",
    "decimal",
    "initials",
    "lines",
    "literal",
    "moment",
    "money",
    "month",
    "number",
    "one_line",
    "percent",
    "read_amount",
    "share",
    "told_apart",
    "total",
]

MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^\"'&=@/])")
READ_TOGETHER = re.compile(
    r"(?<=:)(?=[\w+-]+:|//)|(?<=@)(?=[\w-])|(?<=www)(?=\.)|(?<=-)(?=[->])|(?<=<)(?=-)|(?<=[<>~])(?==)",
    re.IGNORECASE,
)
"""Where Streamlit finds emoji, icons, addresses and arrows, although Markdown's own signs are escaped."""

NOTHING = ":color[]"
"""Markdown of an element without text, style or width: what stands around it is not read together."""


def literal(text: str | None, *, limit: int = 200) -> str:
    """Somebody's text for an element that renders Markdown: shown and copied as typed, on one line."""
    if not text:
        return NONE
    parts = READ_TOGETHER.split(one_line(text, limit=limit))
    return NOTHING.join(MARKDOWN.sub(r"\\\1", part) for part in parts) or NONE


def day_format(workspace: Workspace) -> str:
    """How days are typed here: the locale's order, of the three that the calendar field knows."""
    return _day_format(workspace.locale)


@lru_cache
def _day_format(locale: str) -> str:
    pattern = get_date_format("short", locale=locale).pattern.lower()
    first = min("ymd", key=lambda letter: pattern.find(letter))
    return {"y": "YYYY-MM-DD", "m": "MM/DD/YYYY", "d": "DD.MM.YYYY" if "." in pattern else "DD/MM/YYYY"}[
        first
    ]
