"""When two phone numbers are the same, however they are written (by Google's `libphonenumber`)."""

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers
from babel import Locale
from babel.core import get_global
from phonenumbers import NumberParseException, PhoneNumber

from crm_core.folding import fold

DIALED_ABROAD = re.compile(r"^\D*(?:00|011)[\s().-]*(?=\d)")
"""What most countries and North America dial before a country's code, where people write no plus."""

WITH_A_COUNTRY = 11
"""Digits from which on a number that is none here may be one of another country, written without its plus."""

REMARK = re.compile(r"(?<=\d)[^\w+]*[^\W\d_]\D*$")
"""What people write behind a number, such as “(mobile)”; not an extension, which has digits."""

UNUSUAL_BREAK = re.compile("[·‧•∙⋅_]")
"""What also stands between digits, and `libphonenumber` does not know."""

NOT_A_DIGIT = re.compile(r"[^0-9]")

FOR_CALLERS_FROM_THERE = "(0)"

EXTENSION = "x"
"""What stands between a number and its extension."""

REMEMBERED = 20_000

COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""Every country and territory with phone numbers of its own, by the two letters of ISO 3166."""

ANYWHERE = "US"
"""The country of a locale that belongs to none, such as en_001."""


@lru_cache
def country_of(locale: str) -> str:
    """Where most people who write like this are: by the locale's own region, or its language's."""
    known = Locale.parse(locale)
    likely = get_global("likely_subtags").get(known.language)
    found = known.territory or (likely and Locale.parse(likely).territory)
    return found if found in COUNTRIES else ANYWHERE


@lru_cache(REMEMBERED)
def digits_of(text: str, country: str) -> str | None:
    """The number's digits in international form; an extension follows after an x. None without any digit.

    `country` (ISO 3166, two letters) is where a number without a country's code belongs. What is no number
    there, such as an internal one, or two of them in one field, stays what it is: its digits.
    """
    if number := _read(text, country):
        own = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
        return f"{own}{EXTENSION}{number.extension}" if number.extension else own
    return NOT_A_DIGIT.sub("", fold(text)) or None


def without_extension(digits: str) -> str:
    """The number that an extension belongs to; any other is the number itself."""
    return digits.partition(EXTENSION)[0]


def pieces_of(text: str, country: str) -> frozenset[str]:
    """What the stored digits of a number contain if somebody looks for it by the text, or by a part of it."""
    typed = NOT_A_DIGIT.sub("", fold(text).replace(FOR_CALLERS_FROM_THERE, ""))
    meant = digits_of(text, country) or ""
    return frozenset({meant, DIALED_ABROAD.sub("", typed) or typed, typed.lstrip("0") or typed} - {""})


def _read(text: str, country: str) -> PhoneNumber | None:
    """The number that is meant: a valid one, or else one of a length that there is."""
    found = list(_possible(text, country))
    return next(filter(phonenumbers.is_valid_number, found), found[0] if found else None)


def _possible(text: str, country: str) -> Iterator[PhoneNumber]:
    digits = NOT_A_DIGIT.sub("", fold(text))
    abroad = [f"+{digits}"] if len(digits) >= WITH_A_COUNTRY else []
    bare = UNUSUAL_BREAK.sub(" ", REMARK.sub("", text))
    for written in dict.fromkeys((bare, DIALED_ABROAD.sub("+", bare), text, *abroad)):
        try:
            number = phonenumbers.parse(written, country)
        except NumberParseException:
            continue
        if phonenumbers.is_possible_number(number):
            yield number
