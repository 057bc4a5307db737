"""Phone numbers of ten countries, each in the ways that people write it, there and from abroad."""

from itertools import combinations

import pytest

from crm_core import phones
from crm_core.phones import digits_of, pieces_of

NUMBERS = {
    "CH": ("41791234567", "079 123 45 67", "0791234567", "079/123.45.67", "(079) 123-45-67"),
    "DE": ("4930123456", "030 123456", "(030) 12 34 56", "030/123456", "030-123456"),
    "US": ("14155550123", "(415) 555-0123", "415.555.0123", "1-415-555-0123", "4155550123"),
    "GB": ("442079460958", "020 7946 0958", "(020) 7946 0958", "02079460958", "020-7946-0958"),
    "FR": ("33142345678", "01 42 34 56 78", "01.42.34.56.78", "0142345678", "01-42-34-56-78"),
    "IT": ("390212345678", "02 1234 5678", "02/12345678", "0212345678", "02-1234-5678"),
    "BR": ("5511987654321", "(11) 98765-4321", "11 98765 4321", "011 98765-4321", "11987654321"),
    "IN": ("919876543210", "098765 43210", "98765-43210", "9876543210", "0 98765 43210"),
    "JP": ("81312345678", "03-1234-5678", "03 1234 5678", "0312345678", "(03) 1234-5678"),
    "TR": ("902121234567", "0212 123 45 67", "(0212) 123 45 67", "02121234567", "212 123 45 67"),
}

ABROAD = ("+{}", "00{}", "00 {}", "tel:+{}", "+ {}", "Tel. +{}", "\u200b+{}")


def notations(country):
    international, *national = NUMBERS[country]
    spread = " ".join([international[:2], international[2:5], international[5:]])
    return national, [each.format(international) for each in ABROAD] + [f"+{spread}"]


@pytest.mark.parametrize("country", NUMBERS)
def test_a_number_is_one_in_whatever_notation(country):
    national, abroad = notations(country)

    assert {digits_of(text, country) for text in (*national, *abroad)} == {NUMBERS[country][0]}
    for elsewhere in NUMBERS:
        assert {digits_of(text, elsewhere) for text in abroad} == {NUMBERS[country][0]}


def test_numbers_of_two_countries_are_two():
    for one, other in combinations(NUMBERS, 2):
        there, _ = notations(one)
        here, _ = notations(other)
        digits = {digits_of(text, one) for text in there}, {digits_of(text, other) for text in here}
        assert not digits[0] & digits[1]


def test_a_zero_in_parentheses_is_for_those_who_call_from_there():
    assert digits_of("+44 (0)20 7946 0958", "CH") == digits_of("020 7946 0958", "GB")
    assert digits_of("0041 (0)79 123 45 67", "US") == digits_of("079 123 45 67", "CH")


def test_a_number_with_its_countrys_code_needs_no_plus():
    assert digits_of("44 20 7946 0958", "CH") == digits_of("020 7946 0958", "GB")
    assert digits_of("41791234567", "CH") == digits_of("0791234567", "CH")


@pytest.mark.parametrize("text", ["044 668 18 00 x12", "+41446681800 ext. 12", "044 668 18 00#12"])
def test_an_extension_stands_apart(text):
    digits = digits_of(text, "CH")

    assert digits == "41446681800x12"
    assert phones.without_extension(digits) == digits_of("044 668 18 00", "CH")


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("{} mobile", "CH"),
        ("{} (Mobil)", "CH"),
        ("{} home", "DE"),
        ("{}, privat", "DE"),
        ("{} (Büro)", "DE"),
        ("office: {} (only in the mornings)", "US"),
        ("{} モバイル", "JP"),
        ("+{} – cell", "GB"),
    ],
)
def test_a_remark_is_no_part_of_a_number(text, country):
    digits, national, *_ = NUMBERS[country]

    assert digits_of(text.format(digits if "+" in text else national), country) == digits


def test_letters_for_digits_are_digits():
    assert digits_of("1-800-FLOWERS", "US") == digits_of("1 800 356 9377", "US") == "18003569377"
    assert digits_of("0800 REIMANN", "DE") == digits_of("0800 7346266", "DE")


@pytest.mark.parametrize("between", "·•_")
def test_dots_and_bars_of_every_kind_may_stand_between_digits(between):
    assert digits_of(between.join(("079", "123", "45", "67")), "CH") == "41791234567"


def test_digits_of_other_scripts_are_digits():
    assert digits_of("٠٧٩ ١٢٣ ٤٥ ٦٧", "CH") == digits_of("０７９ １２３ ４５ ６７", "CH") == "41791234567"


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("", None),
        ("ask Ada", None),
        ("4567", "4567"),
        ("ext 12", "12"),
        ("\x00" * 20, None),
        ("5" * 50, "5" * 50),
    ],
)
def test_what_is_no_number_is_compared_by_its_digits(text, digits):
    assert digits_of(text, "CH") == digits


@pytest.mark.parametrize("country", NUMBERS)
def test_a_number_is_found_by_each_notation_and_by_its_end(country):
    digits = NUMBERS[country][0]
    national, abroad = notations(country)

    for text in (*national, *abroad, digits[-7:], f"0{digits[2:8]}" if country in ("CH", "GB") else digits):
        assert any(piece in digits for piece in pieces_of(text, country)), text


def test_a_part_is_found_with_the_zero_in_parentheses():
    assert any(piece in "41791234567" for piece in pieces_of("+41 (0)79 123", "US"))


def test_a_country_follows_from_the_locale():
    found = {
        locale: phones.country_of(locale) for locale in ("de_CH", "en_US", "de", "pt", "en_001", "zh_Hant_TW")
    }

    assert found == {"de_CH": "CH", "en_US": "US", "de": "DE", "pt": "BR", "en_001": "US", "zh_Hant_TW": "TW"}
