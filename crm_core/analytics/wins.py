"""What won deals were like: how much they brought, and how long they took."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median, median_high, median_low
from typing import Any

from sqlalchemy import BigInteger, DateTime, Select, select, type_coerce
from sqlalchemy.orm import Session

from crm_core.analytics.outcomes import closed_within
from crm_core.analytics.pipeline import CENT
from crm_core.columns import amount_of, in_utc
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.kept import kept
from crm_core.models import Opportunity
from crm_core.periods import Calendar, Period
from crm_core.scope import Scope, scope_of

A_DAY = timedelta(days=1)
LONGEST_DAY = 3 * A_DAY
"""More than any day has lasted, also one that was repeated where a country crossed the date line."""

AS_STORED = DateTime(timezone=True)
"""Instants as the driver gives them: there may be very many, and of few it matters what day they are."""


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
    return kept(session, _won(scope, period), _wins_of, scope.moment.calendar)


def by_month(
    session: Session, months: Period, where: OpportunityFilter = EVERYTHING, *, as_of: datetime | None = None
) -> dict[date, Wins]:
    """`wins_in` each month that the period touches, by its first day; cut to the period's days."""
    scope = scope_of(session, where, as_of)
    firsts, calendar = months.months(), scope.moment.calendar
    chosen = _won(scope, months).add_columns(calendar.bucket(scope.model.closed_at, firsts))
    found = kept(session, chosen, _wins_by_position, calendar)
    return {first: found.get(number, _wins_of((), calendar)) for number, first in enumerate(firsts)}


def _won(scope: Scope[Opportunity], period: Period | None) -> Select[*tuple[Any, ...]]:
    """SQL: of each won deal its value in minor units, when it was created and when it was closed."""
    deal = scope.model
    return select(
        type_coerce(deal.expected_value, BigInteger()),
        type_coerce(deal.created_at, AS_STORED),
        type_coerce(deal.closed_at, AS_STORED),
    ).where(deal.is_won, *closed_within(scope, period), *scope.conditions)


def _wins_by_position(rows: Iterable[Any], calendar: Calendar) -> dict[int, Wins]:
    found: dict[int, list[Any]] = {}
    for *row, position in rows:
        found.setdefault(position, []).append(row)
    return {position: _wins_of(inside, calendar) for position, inside in found.items()}


def _wins_of(rows: Iterable[Any], calendar: Calendar) -> Wins:
    """From the rows of `_won`."""
    won = [tuple(row) for row in rows]
    values = [value for value, _, _ in won if value is not None]
    days = [
        (closed_at - created_at) / A_DAY
        for _, created_at, closed_at in won
        if closed_at - created_at > LONGEST_DAY or _on_two_days(calendar, created_at, closed_at)
    ]
    return Wins(
        deals=len(won),
        valued=len(values),
        average_value=to_the_cent(amount_of(sum(values)) / len(values)) if values else None,
        median_value=to_the_cent(_median_amount(values)) if values else None,
        timed=len(days),
        median_days=median(days) if days else None,
        mean_days=sum(days) / len(days) if days else None,
    )


def _on_two_days(calendar: Calendar, created_at: datetime, closed_at: datetime) -> bool:
    return calendar.day_of(in_utc(created_at)) != calendar.day_of(in_utc(closed_at))


def _median_amount(values: Sequence[int]) -> Decimal:
    return (amount_of(median_low(values)) + amount_of(median_high(values))) / 2


def to_the_cent(amount: Decimal) -> Decimal:
    """Rounded once, half up."""
    return amount.quantize(CENT, ROUND_HALF_UP)
