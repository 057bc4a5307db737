"""What won deals were like: how much they brought, and how long they took."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median, median_high, median_low
from typing import Any

from sqlalchemy import BigInteger, case, select, type_coerce
from sqlalchemy.orm import Session

from crm_core.analytics.outcomes import closed_within
from crm_core.analytics.pipeline import CENT
from crm_core.columns import amount_of, elapsed
from crm_core.counted import counted
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.periods import Calendar, Period
from crm_core.scope import scope_of

MICROSECOND = timedelta(microseconds=1)
A_DAY = timedelta(days=1) // MICROSECOND
LONGEST_DAY = 3 * A_DAY
"""More than any day has lasted, also one that was repeated where a country crossed the date line."""


@dataclass(frozen=True)
class Wins:
    """Deals won. Values in the workspace's currency, lengths in days; None where there are none.

    `valued` deals have a value, `timed` ones a length: those won on the day they were created have none.
    """

    deals: int
    valued: int
    average_value: Decimal | None
    median_value: Decimal | None
    timed: int
    median_days: float | None
    mean_days: float | None


def wins_in(
    session: Session,
    period: Period | None = None,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> Wins:
    """Average won deal and sales cycle (`closed_at` − `created_at`) of those won in the period, or ever."""
    scope = scope_of(session, where, as_of)
    deal = scope.model
    took = elapsed(deal.created_at, deal.closed_at)
    chosen = select(
        type_coerce(deal.expected_value, BigInteger),  # plain numbers: there may be very many
        took,
        case((took < LONGEST_DAY, deal.created_at)),
    ).where(deal.is_won, *closed_within(scope, period), *scope.conditions)
    return counted(session, chosen, _wins_of, scope.moment.calendar)


def _wins_of(rows: Iterable[Any], calendar: Calendar) -> Wins:
    """Of each deal its value in minor units, its microseconds, and of a short one when it was created."""
    won = [tuple(row) for row in rows]
    values = [value for value, _, _ in won if value is not None]
    lengths = [
        took for _, took, created_at in won if created_at is None or _ends_later(calendar, created_at, took)
    ]
    return Wins(
        deals=len(won),
        valued=len(values),
        average_value=_to_the_cent(amount_of(sum(values)) / len(values)) if values else None,
        median_value=_to_the_cent(_median_amount(values)) if values else None,
        timed=len(lengths),
        median_days=median(took / A_DAY for took in lengths) if lengths else None,
        mean_days=sum(lengths) / len(lengths) / A_DAY if lengths else None,
    )


def _ends_later(calendar: Calendar, created_at: datetime, took: int) -> bool:
    """Whether it was closed on another day than it was created on."""
    return calendar.day_of(created_at) != calendar.day_of(created_at + took * MICROSECOND)


def _median_amount(values: Sequence[int]) -> Decimal:
    return (amount_of(median_low(values)) + amount_of(median_high(values))) / 2


def _to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)
