"""What a currency allows: how many decimals its amounts have, and which amounts are too fine for it."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import cache

from babel.numbers import get_currency_precision

from crm_core.errors import InvalidInput

IN_WORDS = ("no decimals", "one decimal", "two decimals", "three decimals", "four decimals")

SOME_AMOUNT = Decimal("1234.5")
"""To show how an amount is written."""


class FinerThanCurrency(InvalidInput):
    def __init__(self, amount: Decimal, currency: "Currency") -> None:
        super().__init__(
            f"{amount.normalize():f} is too fine an amount: {currency.code} has {currency.in_words}."
            f" Write it like {currency.floored(SOME_AMOUNT)}."
        )


class OtherCurrency(InvalidInput):
    def __init__(self, code: str, currency: "Currency") -> None:
        super().__init__(
            f"Amounts are in {currency.code} here, not in {code}. Convert them and send {currency.code},"
            " or leave the currency out."
        )


@dataclass(frozen=True)
class Currency:
    """A currency by its ISO 4217 code. Its decimals are those of the CLDR: 0, 2, 3, and of two units 4."""

    code: str

    @property
    def decimals(self) -> int:
        """How many digits an amount has after the point."""
        return _decimals(self.code)

    @property
    def in_words(self) -> str:
        """“no decimals”, “two decimals”."""
        return IN_WORDS[self.decimals]

    @property
    def unit(self) -> Decimal:
        """The smallest amount: 1, 0.01 or 0.001."""
        return _unit(self.decimals)

    def allows(self, amount: Decimal) -> bool:
        """Whether the amount has no more decimals than the currency."""
        _, digits, exponent = amount.as_tuple()
        more = -int(exponent) - self.decimals
        return more <= 0 or not any(digits[-more:])

    def require(self, *amounts: Decimal | None) -> None:
        """Refuse amounts with more decimals than the currency has. Raises `FinerThanCurrency`."""
        for amount in amounts:
            if amount is not None and not self.allows(amount):
                raise FinerThanCurrency(amount, self)

    def require_code(self, code: str | None) -> None:
        """Refuse amounts that are said to be in another currency. Raises `OtherCurrency`."""
        if code is not None and code.upper() != self.code:
            raise OtherCurrency(code, self)

    def rounded(self, amount: Decimal) -> Decimal:
        """A computed amount, such as an average: rounded half up to the currency's decimals."""
        return amount.quantize(self.unit, ROUND_HALF_UP)

    def floored(self, amount: Decimal) -> Decimal:
        """The largest amount in the currency that is not above this one."""
        return amount.quantize(self.unit, ROUND_FLOOR)

    def fitted(self, amount: Decimal) -> Decimal:
        """The same amount with exactly the currency's decimals, or with as many more as it takes.

        Amounts are finer than their currency only where the workspace had another one when they were entered.
        """
        fitting = amount.quantize(self.unit)
        return fitting if fitting == amount else amount.normalize()

    def decimals_of(self, amount: Decimal) -> int:
        """How many decimals the amount is written with: the currency's, or as many more as it takes."""
        return -int(self.fitted(amount).as_tuple().exponent)


@cache
def _decimals(code: str) -> int:
    return get_currency_precision(code)


@cache
def _unit(decimals: int) -> Decimal:
    return Decimal(1).scaleb(-decimals)
