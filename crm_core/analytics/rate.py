"""A share of something, with what it takes to judge it."""

from dataclasses import dataclass
from decimal import Decimal
from math import sqrt

THIN = 5
"""Below so many cases a rate says little."""

Z_95 = 1.96


@dataclass(frozen=True)
class Rate:
    """`hits` out of `n`."""

    hits: int
    n: int

    @property
    def value(self) -> Decimal | None:
        """Between 0 and 1; None where nothing can be divided by."""
        return Decimal(self.hits) / Decimal(self.n) if self.n else None

    @property
    def is_thin(self) -> bool:
        """Too few cases to rely on."""
        return self.n < THIN

    @property
    def interval(self) -> tuple[float, float] | None:
        """The Wilson 95 % interval: (p + z²/2n ± z√(p(1−p)/n + z²/4n²)) / (1 + z²/n)."""
        if not self.n:
            return None
        p, n, z = self.hits / self.n, self.n, Z_95
        middle, reach = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


@dataclass(frozen=True)
class ValueRate:
    """`hits` out of `total`, in the workspace's currency, over `n` deals; `left_out` more have no value."""

    hits: Decimal
    total: Decimal
    n: int
    left_out: int

    @property
    def value(self) -> Decimal | None:
        """Between 0 and 1; None where nothing can be divided by."""
        return self.hits / self.total if self.total else None

    @property
    def is_thin(self) -> bool:
        """Too few cases to rely on."""
        return self.n < THIN
