"""Amounts are stored exactly as the cell gives them, or refused; raw text can't command a terminal."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.errors import InvalidInput
from crm_core.importing import cells

POINT = (
    r"If the point separates thousands, set decimal_comma = true in the mapping; otherwise .* can't be kept"
)
COMMA = (
    r"If the comma separates thousands, set decimal_comma = false in the mapping; otherwise .* can't be kept"
)
TOO_FINE = r"^More than two decimals can't be kept\.$"


@pytest.mark.parametrize(
    ("text", "decimal_comma", "value"),
    [
        ("12", False, "12"),
        ("12.", False, "12"),
        ("12.5", False, "12.50"),
        ("12.5000", False, "12.50"),
        ("12.34000000", False, "12.34"),
        ("1,234", False, "1234"),
        ("1,234.5", False, "1234.50"),
        ("12,5", True, "12.50"),
        ("12,5000", True, "12.50"),
        ("1.234", True, "1234"),
        ("1.234,50", True, "1234.50"),
    ],
)
def test_an_amount_is_taken_exactly(text: str, decimal_comma: bool, value: str) -> None:
    assert cells.amount(text, currency="USD", decimal_comma=decimal_comma) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "decimal_comma", "sentence"),
    [
        ("1.234", False, POINT),
        ("$12.500", False, POINT),
        ("12.345", False, POINT),
        ("999.000 USD", False, POINT),
        ("1,234", True, COMMA),
        ("12,500", True, COMMA),
        ("0.125", False, TOO_FINE),
        ("1234.567", False, TOO_FINE),
        ("1,234.567", False, TOO_FINE),
        ("12.3456", False, TOO_FINE),
        ("12.5001", False, TOO_FINE),
        (".125", False, TOO_FINE),
        ("0,125", True, TOO_FINE),
        ("1.234,567", True, TOO_FINE),
        ("12,3456", True, TOO_FINE),
    ],
)
def test_an_amount_that_would_be_rounded_or_misread_is_refused(
    text: str, decimal_comma: bool, sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        cells.amount(text, currency="USD", decimal_comma=decimal_comma)


@given(text=st.from_regex(r"[0-9]{1,5}\.[0-9]{0,6}", fullmatch=True), decimal_comma=st.booleans())
def test_no_amount_is_ever_rounded(text: str, decimal_comma: bool) -> None:
    written = text.replace(".", ",") if decimal_comma else text

    try:
        read = cells.amount(written, currency="USD", decimal_comma=decimal_comma)
    except InvalidInput:
        assert re.search(r"\.[0-9]{3}", text)
    else:
        assert read == Decimal(text)


def test_raw_text_is_harmless_on_a_terminal() -> None:
    assert cells.shortened("\x1b[2Jgone\r\x9b\u202e") == r"\x1b[2Jgone\r\x9b\u202e"
    assert cells.quoted(["a\x07", "Käse"]) == r"“a\x07”, “Käse”"
