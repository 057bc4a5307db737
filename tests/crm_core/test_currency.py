"""What a currency allows, and how its amounts are read and written."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from babel.numbers import list_currencies
from hypothesis import given
from hypothesis import strategies as st

from crm_core import words
from crm_core.columns import DECIMALS, LARGEST_AMOUNT, SMALLEST_AMOUNT
from crm_core.currency import Currency, FinerThanCurrency, OtherCurrency
from crm_core.errors import InvalidInput
from crm_core.periods import Calendar
from crm_core.services.settings_service import Workspace

pytestmark = pytest.mark.on_sqlite

YEN, DOLLAR, DINAR = map(Currency, ("JPY", "USD", "KWD"))
EACH = pytest.mark.parametrize("currency", [YEN, DOLLAR, DINAR], ids=lambda each: each.code)

units = st.integers(0, int(LARGEST_AMOUNT / SMALLEST_AMOUNT))
amounts = units.map(lambda number: number * SMALLEST_AMOUNT)


def workspace(currency: Currency, locale: str = "en_US") -> Workspace:
    return Workspace(currency.code, locale, Calendar(ZoneInfo("UTC")), has_demo_data=False)


@pytest.mark.parametrize(
    ("code", "decimals"),
    [("JPY", 0), ("CLP", 0), ("USD", 2), ("CHF", 2), ("KWD", 3), ("TND", 3), ("BHD", 3), ("CLF", 4)],
)
def test_a_currency_has_its_decimals(code, decimals):
    assert Currency(code).decimals == decimals
    assert Currency(code).unit == Decimal(1).scaleb(-decimals)


def test_no_currency_has_more_decimals_than_are_stored():
    assert max(Currency(code).decimals for code in list_currencies()) == DECIMALS


@given(amounts)
def test_a_fitted_amount_is_the_same_and_has_the_decimals_or_no_more_than_it_takes(amount):
    for currency in (YEN, DOLLAR, DINAR):
        fitted = currency.fitted(amount)
        decimals = -fitted.as_tuple().exponent

        assert fitted == amount
        assert currency.decimals_of(amount) == decimals >= currency.decimals
        assert currency.allows(amount) == (decimals == currency.decimals)
        assert currency.allows(amount) or str(fitted)[-1] != "0"


@pytest.mark.parametrize(
    ("currency", "exact", "rounded"),
    [
        (YEN, "0.5", "1"),
        (YEN, "1.4999", "1"),
        (DOLLAR, "0.005", "0.01"),
        (DOLLAR, "2.675", "2.68"),
        (DINAR, "0.0005", "0.001"),
        (DINAR, "1.2344", "1.234"),
    ],
)
def test_a_computed_amount_is_rounded_half_up(currency, exact, rounded):
    assert str(currency.rounded(Decimal(exact))) == rounded


@pytest.mark.parametrize("amount", ["1e400", "1" * 40 + ".5", f"1.{'0' * 60}1"])
def test_no_amount_is_too_long_to_be_judged(amount):
    assert DOLLAR.allows(Decimal(amount)) == (amount == "1e400" or amount.endswith(".5"))


@pytest.mark.parametrize(
    ("currency", "amount", "sentence"),
    [
        (YEN, "12.50", "12.5 is too fine an amount: JPY has no decimals. Write it like 1234."),
        (DOLLAR, "12.345", "12.345 is too fine an amount: USD has two decimals. Write it like 1234.50."),
        (DINAR, "0.0001", "0.0001 is too fine an amount: KWD has three decimals. Write it like 1234.500."),
    ],
)
def test_a_finer_amount_is_refused_with_a_sentence(currency, amount, sentence):
    with pytest.raises(FinerThanCurrency) as refused:
        currency.require(None, Decimal(1), Decimal(amount))

    assert str(refused.value) == sentence


def test_another_currency_is_refused_by_name():
    DOLLAR.require_code(None)
    DOLLAR.require_code("USD")

    with pytest.raises(OtherCurrency, match="Amounts are in USD here, not in EUR"):
        DOLLAR.require_code("EUR")


@pytest.mark.parametrize(
    ("currency", "amount", "written"),
    [
        (YEN, "12000", "¥12,000"),
        (YEN, "12.34", "¥12.34"),
        (DOLLAR, "12.5", "$12.50"),
        (DOLLAR, "12.345", "$12.345"),
        (DOLLAR, "12.3456", "$12.3456"),
        (DINAR, "12", "KWD12"),
        (DINAR, "12.5", "KWD12.500"),
        (DINAR, "12.3456", "KWD12.3456"),
    ],
)
def test_money_is_written_exactly(currency, amount, written):
    assert words.money(Decimal(amount), workspace(currency)) == written


@EACH
@pytest.mark.parametrize("locale", ["en_US", "de_DE", "fr_FR", "de_CH"])
@given(units)
def test_an_amount_is_read_as_it_was_written(currency, locale, number):
    amount, space = number % 10**12 * currency.unit, workspace(currency, locale)

    assert words.read_amount(words.amount(amount, space), space) == amount


@pytest.mark.parametrize(
    ("currency", "locale", "typed", "sentence"),
    [
        (YEN, "ja_JP", "12.5", "JPY has no decimals. Write an amount like 1,234."),
        (DOLLAR, "en_US", "1.234", "USD has two decimals. Write an amount like 1,234.50."),
        (DINAR, "de_DE", "1,2345", "KWD has three decimals. Write an amount like 1.234,500."),
        (DOLLAR, "en_US", "much", "Write an amount like 1,234.50."),
    ],
)
def test_what_is_typed_too_fine_is_refused_in_the_words_of_the_locale(currency, locale, typed, sentence):
    with pytest.raises(InvalidInput) as refused:
        words.read_amount(typed, workspace(currency, locale))

    assert str(refused.value) == sentence


def test_three_decimals_are_read_where_the_currency_has_them():
    assert words.read_amount("1.234", workspace(DINAR)) == Decimal("1.234")
    assert words.read_amount("1.234", workspace(YEN, "de_DE")) == 1234
