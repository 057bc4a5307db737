"""Numbers and other people's text, as they are written on a screen."""

import json
import sys
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from crm_core import words as library
from crm_core.analytics.rate import Rate
from crm_core.periods import Calendar
from crm_core.services.settings_service import Workspace
from ui import words


def workspace(currency: str = "USD", locale: str = "en_US") -> Workspace:
    return Workspace(currency, locale, Calendar(ZoneInfo("UTC")), has_demo_data=False)


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "written"),
    [
        ("12000", "USD", "en_US", "$12,000"),
        ("12000.50", "USD", "en_US", "$12,000.50"),
        ("0", "USD", "en_US", "$0"),
        ("1234567", "EUR", "de_DE", "1.234.567\xa0€"),
        ("1234.5", "EUR", "fr_FR", "1\u202f234,50\xa0€"),
        ("5000", "JPY", "ja_JP", "￥5,000"),
    ],
)
def test_money_is_written_as_the_locale_does(amount, currency, locale, written):
    assert words.money(Decimal(amount), workspace(currency, locale)) == written


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Ada Maria Lovelace", "AL"),
        ("Plato", "P"),
        ("**x** :red[y]", "XR"),
        ("🚀 Emoji & Söhne", "ES"),
        ("شركة الطاقة", "شا"),
        ("🚀🚀", "🚀"),
        ("", ""),
    ],
)
def test_initials_are_letters_where_there_are_any(name, initials):
    assert words.initials(name) == initials


def test_what_is_unknown_is_a_dash():
    assert words.money(None, workspace()) == "–"
    assert words.percent(Rate(0, 0), workspace()) == "–"
    assert words.day(None, workspace()) == "–"


def test_days_and_counts_read_like_sentences():
    assert words.day(date(2026, 3, 18), workspace()) == "Mar 18, 2026"
    assert words.deals(1, workspace()) == "1 deal"
    assert words.deals(1234, workspace(), "open") == "1,234 open deals"
    assert words.percent(Rate(4238, 6711), workspace()) == "63.15%"


def test_every_hostile_string_is_kept_literal(shared_data):
    for text in json.loads((shared_data / "naughty_strings" / "blns.json").read_text()):
        shown = words.literal(text).replace(words.NOTHING, "")
        assert "\n" not in shown
        assert all(shown[at - 1] == "\\" for at, sign in enumerate(shown) if sign in "[]()<>`*_#$")


def test_a_link_or_a_colour_in_a_name_is_only_text():
    assert words.literal("![x](http://e.com)").startswith(r"\!\[x\]\(http\:")
    assert words.literal(":red[y]") == r"\:red\[y\]"
    assert words.literal("a\nb\x00c") == "a b c"
    assert words.literal("\ud800") == r"?"
    assert words.literal("x" * 500, limit=10) == "xxxxxxxxx…"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("ada@x.ch", r"ada\@:color[]x\.ch"),
        ("WWW.x.ch", r"WWW:color[]\.x\.ch"),
        ("http://x.ch", r"http\::color[]\/\/x\.ch"),
        (":smile:", r"\::color[]smile\:"),
        ("a -> b", r"a \-:color[]\> b"),
        ("a <= b", r"a \<:color[]\= b"),
        ("Note: 9:30 @ www", r"Note\: 9\:30 \@ www"),
    ],
)
def test_nothing_stands_where_something_else_would_be_read(typed, shown):
    assert words.literal(typed) == shown


def test_what_is_kept_is_kept_for_one_currency_and_language():
    asked = [workspace("USD", "en_US"), workspace("EUR", "en_US"), workspace("EUR", "de_DE")]

    told = [words.money(Decimal("1234.5"), each) for each in asked]
    days = [words.day(date(2026, 3, 18), each) for each in asked]

    assert told == ["$1,234.50", "€1,234.50", "1.234,50\xa0€"]
    assert days == ["Mar 18, 2026", "Mar 18, 2026", "18.03.2026"]
    assert [words.number(1234, each) for each in asked] == ["1,234", "1,234", "1.234"]


@pytest.mark.parametrize("first", ["0", "-0", "0.00", "-0.00"])
def test_nothing_has_no_sign(first):
    assert words.money(Decimal(first), workspace()) == "$0"
    assert words.amount(Decimal(first), workspace()) == "0"
    assert words.share(Decimal(first), workspace()) == "0%"


def test_what_is_taken_as_it_is_has_nothing_to_clean():
    every = map(chr, range(sys.maxunicode + 1))

    assert not [each for each in every if each.isprintable() and library._visible(each) != each]
