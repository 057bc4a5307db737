"""What won deals were like: how much they brought, and how long they took."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import fmean, median, median_high, median_low
from typing import Any

from sqlalchemy import BigInteger, DateTime, Select, select, type_coerce
from sqlalchemy.orm import Session

from crm_core.analytics.outcomes import closed_within
from crm_core.analytics.pipeline import CENT
from crm_core.columns import amount_of, in_utc
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.kept import kept
from crm_core.models import Opportunity
from crm_core.periods import Calendar, Period, Pieces
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
    return kept(session, _won(scope, period), _wins_of_rows, scope.moment.calendar, only_closed=True)


def wins_in_each(
    session: Session,
    periods: Sequence[Period],
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> dict[Period, Wins]:
    """`wins_in` each of the periods, read together; they may overlap."""
    scope = scope_of(session, where, as_of)
    chosen = _won(scope, Pieces(periods).whole)
    return kept(session, chosen, _wins_of_each, scope.moment.calendar, tuple(periods), only_closed=True)


def _won(scope: Scope[Opportunity], period: Period | None) -> Select[*tuple[Any, ...]]:
    """SQL: of each won deal its value in minor units, when it was created and when it was closed."""
    deal = scope.model
    return select(
        type_coerce(deal.expected_value, BigInteger()),
        type_coerce(deal.created_at, AS_STORED),
        type_coerce(deal.closed_at, AS_STORED),
    ).where(deal.is_won, *closed_within(scope, period), *scope.conditions)


class _Won:
    """Deals won: how many, their values in minor units, and how long they took in days, where they did."""

    def __init__(self) -> None:
        self.deals = 0
        self.values: list[int] = []
        self.days: list[float] = []

    def add(self, row: Sequence[Any], calendar: Calendar) -> None:
        """One of `_won`."""
        value, created_at, closed_at = row
        self.deals += 1
        if value is not None:
            self.values.append(value)
        took = closed_at - created_at
        if took > LONGEST_DAY or _on_two_days(calendar, created_at, closed_at):
            self.days.append(took / A_DAY)

    def __add__(self, other: "_Won") -> "_Won":
        both = _Won()
        both.deals = self.deals + other.deals
        both.values = self.values + other.values
        both.days = self.days + other.days
        return both

    def told(self) -> Wins:
        values, days = self.values, self.days
        return Wins(
            deals=self.deals,
            valued=len(values),
            average_value=to_the_cent(amount_of(sum(values)) / len(values)) if values else None,
            median_value=to_the_cent(_median_amount(values)) if values else None,
            timed=len(days),
            median_days=median(days) if days else None,
            mean_days=fmean(days) if days else None,
        )


def _wins_of_rows(rows: Iterable[Any], calendar: Calendar) -> Wins:
    won = _Won()
    for row in rows:
        won.add(row, calendar)
    return won.told()


def _wins_of_each(rows: Iterable[Any], calendar: Calendar, periods: Sequence[Period]) -> dict[Period, Wins]:
    pieces = Pieces(periods)
    ends = [calendar.start_of(first) for first in pieces.firsts[1:]]
    won = [_Won() for _ in pieces.firsts]
    for row in rows:
        won[bisect_right(ends, in_utc(row[2]))].add(row, calendar)
    return {period: sum((won[piece] for piece in pieces.of(period)), _Won()).told() for period in periods}


def _on_two_days(calendar: Calendar, created_at: datetime, closed_at: datetime) -> bool:
    return calendar.day_of(in_utc(created_at)) != calendar.day_of(in_utc(closed_at))


def _median_amount(values: Sequence[int]) -> Decimal:
    return (amount_of(median_low(values)) + amount_of(median_high(values))) / 2


def to_the_cent(amount: Decimal) -> Decimal:
    """Rounded once, half up."""
    return amount.quantize(CENT, ROUND_HALF_UP)
