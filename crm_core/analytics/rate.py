"""A share of something, with what it takes to judge it."""

from dataclasses import dataclass
from decimal import Decimal
from math import sqrt

THIN = 5
"""Below so many cases a rate says little."""

Z_95 = 1.96


NO_LOST_DEALS = "no_lost_deals"
"""Why there is no win rate although deals were won: no lost deal was ever recorded."""


def why_no_win_rate(closed: int, *, has_losses: bool) -> str | None:
    """The reason, if there is no win rate of so many closed deals although there are some."""
    return NO_LOST_DEALS if closed and not has_losses else None


@dataclass(frozen=True)
class Rate:
    """`hits` out of `n`. A `status` says why that is no rate all the same."""

    hits: int
    n: int
    status: str | None = None

    @property
    def value(self) -> Decimal | None:
        """Between 0 and 1; None where nothing can be divided by."""
        return Decimal(self.hits) / Decimal(self.n) if self.n and not self.status else None

    @property
    def is_thin(self) -> bool:
        """Too few cases to rely on."""
        return self.n < THIN

    @property
    def interval(self) -> tuple[float, float] | None:
        """The Wilson 95 % interval: (p + z²/2n ± z√(p(1−p)/n + z²/4n²)) / (1 + z²/n)."""
        if not self.n or self.status:
            return None
        p, n, z = self.hits / self.n, self.n, Z_95
        middle, reach = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


@dataclass(frozen=True)
class ValueRate:
    """`hits` out of `total`, in the workspace's currency, over `n` deals; `left_out` more have no value.

    A `status` says why that is no rate all the same.
    """

    hits: Decimal
    total: Decimal
    n: int
    left_out: int
    status: str | None = None

    @property
    def value(self) -> Decimal | None:
        """Between 0 and 1; None where nothing can be divided by."""
        return self.hits / self.total if self.total and not self.status else None

    @property
    def is_thin(self) -> bool:
        """Too few cases to rely on."""
        return self.n < THIN
