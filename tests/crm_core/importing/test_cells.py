"""Amounts are stored exactly as the cell gives them, or refused; raw text can't command a terminal."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.errors import InvalidInput
from crm_core.importing import cells

POINT = (
    r"If the point separates thousands, set decimal_comma = true in the mapping; otherwise write the amount"
)
COMMA = (
    r"If the comma separates thousands, set decimal_comma = false in the mapping; otherwise write the amount"
)
NO_AMOUNT = r"This is not an amount written like 1234\.50\."
NEGATIVE = r"An amount can't be negative\."

AMOUNTS = {
    "12": "12",
    "12.": "12",
    ".5": "0.5",
    "+12": "12",
    "12.5000": "12.5",
    "19567.719999999998": "19567.719999999998",
    "1,234.5": "1234.5",
    "1,234,567": "1234567",
    "1'234'567.50": "1234567.5",
    "1\u2019234.50": "1234.5",
    "1 234.50": "1234.5",
    "1\u00a0234\u00a0567": "1234567",
    "1\u202f234.50": "1234.5",
    "1,23,45,678.90": "12345678.9",
    "$1,200": "1200",
    "USD 1200": "1200",
    "1200 usd": "1200",
    "1.5K": "1500",
    "$2.25M": "2250000",
    "12k USD": "12000",
}
WITH_COMMA = {
    "12,5": "12.5",
    "12,5000": "12.5",
    "1.234": "1234",
    "1.234,50": "1234.5",
    "1 234,50": "1234.5",
    "1.234.567,89 $": "1234567.89",
    "1,5 M": "1500000",
}


def test_an_amount_is_taken_exactly_however_people_write_it() -> None:
    for decimal_comma, amounts in ((False, AMOUNTS), (True, WITH_COMMA)):
        for text, value in amounts.items():
            read = cells.amount(f" {text}\t", currency="USD", decimal_comma=decimal_comma)
            assert (text, read) == (text, Decimal(value))


@pytest.mark.parametrize("dash", ["-", "\u2013", "\u2014", " \u2212 "])
def test_a_mere_dash_is_no_amount(dash: str) -> None:
    assert cells.amount(dash, currency="USD") is None


@pytest.mark.parametrize(
    ("sentence", "decimal_comma", "texts"),
    [
        (POINT, False, ["1.234", "$12.500", "12.345", "999.000 USD", "1.234K"]),
        (COMMA, True, ["1,234", "12,500"]),
        (NEGATIVE, False, ["-5", "\u22125", "5-", "(500.00)", "($500.00)", "$-5", "-$5", "5 USD-"]),
        (r"This is not in USD\.", False, ["12 EUR", "\u20ac12", "12 MXN", "1K EUR", "12 Mio"]),
        (
            NO_AMOUNT,
            False,
            [
                "",
                "x",
                "1e3",
                "NaN",
                "inf",
                "1,23",
                "1,2345",
                "1 2 3",
                "1''2",
                "1'234,567",
                "(5",
                "5)",
                "1_000",
            ],
        ),
        (NO_AMOUNT, False, ["1" + " " * 100_000 + "x", "'" * 100_000, "\u0661"]),
    ],
)
def test_what_may_be_misread_is_refused(sentence: str, decimal_comma: bool, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(InvalidInput, match=sentence):
            cells.amount(text, currency="USD", decimal_comma=decimal_comma)


@given(text=st.from_regex(r"[0-9]{1,5}\.[0-9]{0,6}", fullmatch=True), decimal_comma=st.booleans())
def test_no_amount_is_rounded_in_reading(text: str, decimal_comma: bool) -> None:
    written = text.replace(".", ",") if decimal_comma else text

    try:
        read = cells.amount(written, currency="USD", decimal_comma=decimal_comma)
    except InvalidInput:
        assert re.fullmatch(r"[1-9][0-9]{0,2}\.[0-9]{3}", text)
    else:
        assert read == Decimal(text)


@given(
    amount=st.integers(0, 10**12).map(lambda cents: Decimal(cents) / 100),
    mark=st.sampled_from([",", "'", "\u2019", " ", "\u00a0", "\u202f"]),
)
def test_thousands_may_be_separated_by_any_mark(amount: Decimal, mark: str) -> None:
    assert cells.amount(f"{amount:,.2f}".replace(",", mark), currency="USD") == amount


def test_a_probability_is_a_percentage_or_a_fraction() -> None:
    percentages = {
        "0": 0,
        "1": 1,
        "65": 65,
        "65 %": 65,
        "65,0 %": 65,
        "12.5": 13,
        "62.5%": 63,
        "0.8": 80,
        ".05": 5,
    }
    fractions = {"0": 0, "1": 100, "0.655": 66, "0,3": 30, "1.0": 100, "40 %": 40}

    assert {text: cells.percent(text) for text in percentages} == percentages
    assert {text: cells.percent(text, of_one=True) for text in fractions} == fractions
    for text in ("101", "100.1", "-1", "1e1", "high", "", "%"):
        with pytest.raises(InvalidInput, match="A probability is a number from 0 to 100"):
            cells.percent(text)


@pytest.mark.parametrize(
    ("text", "layout", "instant"),
    [
        ("2026-03-31 23:30", "%Y-%m-%d %H:%M", "2026-03-31T21:30"),
        ("2026-03-31 23:30 UTC", "%Y-%m-%d %H:%M %Z", "2026-03-31T23:30"),
        ("2026-03-31 23:30 America/New_York", "%Y-%m-%d %H:%M %Z", "2026-04-01T03:30"),
        ("2026-03-31T23:30:00Z", "%Y-%m-%dT%H:%M:%SZ", "2026-03-31T23:30"),
        ("2026-03-31T23:30:00Z", "%Y-%m-%dT%H:%M:%S%z", "2026-03-31T23:30"),
        ("2026-03-31T23:30:00+0530", "%Y-%m-%dT%H:%M:%S%z", "2026-03-31T18:00"),
    ],
)
def test_a_time_is_in_the_zone_that_it_names_or_in_the_workspaces(
    text: str, layout: str, instant: str
) -> None:
    read = cells.moment(text, [layout], ZoneInfo("Europe/Zurich"))

    assert read == datetime.fromisoformat(instant).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Nowhere", "Europe", "../../etc/passwd", "", "\x00", "y" * 300])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInput, match="not a date of the calendar"):
        cells.moment(f"2026-03-31 23:30 {zone}", ["%Y-%m-%d %H:%M %Z"], ZoneInfo("UTC"))


def test_raw_text_is_harmless_on_a_terminal() -> None:
    assert cells.shortened("\x1b[2Jgone\r\x9b\u202e") == r"\x1b[2Jgone\r\x9b\u202e"
    assert cells.quoted(["a\x07", "Käse"]) == r"“a\x07”, “Käse”"


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("Tue Mar 31 23:30:00 GMT 2026", "%a %b %d %H:%M:%S %Z %Y"),
        ("2026-03-31T23:30:00Z[UTC]", "%Y-%m-%dT%H:%M:%SZ[UTC]"),
        ("2026-03-31 23:30 UTC", "%Y-%m-%d %H:%M UTC"),
        ("2026-04-01 01:30 (Europe/Zurich)", "%Y-%m-%d %H:%M (%Z)"),
        ("UTC 2026-03-31 23:30", "%Z %Y-%m-%d %H:%M"),
        ("2026-03-31T18:30:00-05:00", "%Y-%m-%dT%H:%M:%S%z"),
    ],
)
def test_a_zone_is_heeded_wherever_it_stands(text, layout):
    assert cells.moment(text, [layout], ZoneInfo("Asia/Tokyo")) == datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
