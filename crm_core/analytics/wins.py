"""What won deals were like: how much they brought, and how long they took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core.analytics.outcomes import closed_within
from crm_core.analytics.pipeline import CENT
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.periods import Period
from crm_core.scope import scope_of

A_DAY = timedelta(days=1)


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
    deal, day_of = scope.model, scope.moment.calendar.day_of
    won = session.execute(
        select(deal.expected_value, deal.created_at, deal.closed_at).where(
            deal.is_won, *closed_within(scope, period), *scope.conditions
        )
    ).all()
    values = [value for value, _, _ in won if value is not None]
    days = [
        (closed_at - created_at) / A_DAY
        for _, created_at, closed_at in won
        if closed_at is not None and day_of(created_at) != day_of(closed_at)
    ]
    return Wins(
        deals=len(won),
        valued=len(values),
        average_value=_to_the_cent(sum(values, Decimal(0)) / len(values)) if values else None,
        median_value=_to_the_cent(median(values)) if values else None,
        timed=len(days),
        median_days=median(days) if days else None,
        mean_days=_mean(days),
    )


def _mean(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def _to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)
