"""What won deals were like: how much they brought, and how long they took."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, func, select, type_coerce
from sqlalchemy.orm import Session

from crm_core.analytics.outcomes import closed_within
from crm_core.analytics.pipeline import CENT
from crm_core.columns import amount_of
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.gathered import A_DAY, gathered, instant_of, microseconds, side_by_side, whole_numbers
from crm_core.kept import kept
from crm_core.models import Opportunity
from crm_core.periods import Calendar, Period, Pieces
from crm_core.scope import Scope, scope_of

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
    chosen = select(_won(scope, *closed_within(scope, period)))
    return kept(session, chosen, _wins_of_all, scope.moment.calendar, only_closed=True)


def wins_in_each(
    session: Session,
    periods: Sequence[Period],
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> dict[Period, Wins]:
    """`wins_in` each of the periods, read together; they may overlap."""
    scope = scope_of(session, where, as_of)
    calendar = scope.moment.calendar
    piece, closed_at = Pieces(periods).rows(calendar).c, scope.model.closed_at
    chosen = select(piece.position, _won(scope, closed_at >= piece.since, closed_at < piece.until))
    return kept(session, chosen, _wins_of_each, calendar, tuple(periods), only_closed=True)


def _won(scope: Scope[Opportunity], *within: ColumnElement[bool]) -> ColumnElement[Any]:
    """SQL, as a list: how many deals were won, their values in minor units, how long they took that took
    longest, and of the others when they were created and closed: it takes a calendar to tell whether that was
    on one day.
    """
    deal = scope.model
    created_at, closed_at = microseconds(deal.created_at), microseconds(deal.closed_at)
    took = closed_at - created_at
    is_quick = took <= LONGEST_DAY
    figures = (
        func.count(),
        gathered(type_coerce(deal.expected_value, BigInteger())),
        gathered(case((took > LONGEST_DAY, took))),
        gathered(case((is_quick, created_at))),
        gathered(case((is_quick, closed_at))),
    )
    chosen = select(side_by_side(*figures)).where(deal.is_won, *within, *scope.conditions)
    return chosen.scalar_subquery()


@dataclass(frozen=True)
class _Won:
    """Deals won: how many, their values in minor units, and how long they took in microseconds, where they
    did.
    """

    deals: int
    values: "array[int]"
    took: "array[int]"

    @classmethod
    def told(cls, figures: Sequence[Any], calendar: Calendar) -> "_Won":
        """From a list of `_won`."""
        deals, *texts = figures
        values, took, created, closed = map(whole_numbers, texts)
        quick = [
            till - since
            for since, till in zip(created, closed, strict=True)
            if calendar.day_of(instant_of(since)) != calendar.day_of(instant_of(till))
        ]
        return cls(deals, array("q", values), array("q", took + quick))

    @property
    def wins(self) -> Wins:
        values, took = self.values, self.took
        return Wins(
            deals=self.deals,
            valued=len(values),
            average_value=to_the_cent(amount_of(sum(values)) / len(values)) if values else None,
            median_value=to_the_cent(_median_amount(values)) if values else None,
            timed=len(took),
            median_days=sum(each / A_DAY for each in _middle(took)) / 2 if took else None,
            mean_days=sum(took) / (len(took) * A_DAY) if took else None,
        )


def _wins_of_all(rows: Iterable[Any], calendar: Calendar) -> Wins:
    ((figures,),) = rows
    return _Won.told(figures, calendar).wins


def _wins_of_each(rows: Iterable[Any], calendar: Calendar, periods: Sequence[Period]) -> dict[Period, Wins]:
    pieces = Pieces(periods)
    won = {position: _Won.told(figures, calendar) for position, figures in rows}
    return {period: _together([won[piece] for piece in pieces.of(period)]).wins for period in periods}


def _together(won: Sequence[_Won]) -> _Won:
    return _Won(
        sum(each.deals for each in won),
        reduce(add, (each.values for each in won), array("q")),
        reduce(add, (each.took for each in won), array("q")),
    )


def _median_amount(values: "array[int]") -> Decimal:
    low, high = _middle(values)
    return (amount_of(low) + amount_of(high)) / 2


def _middle(numbers: "array[int]") -> tuple[int, int]:
    """The two in the middle, which are one and the same of an odd number."""
    import numpy as np  # the API starts without it

    low, high = (len(numbers) - 1) // 2, len(numbers) // 2
    parted = np.partition(np.frombuffer(numbers, dtype=np.int64), (low, high))
    return int(parted[low]), int(parted[high])


def to_the_cent(amount: Decimal) -> Decimal:
    """Rounded once, half up."""
    return amount.quantize(CENT, ROUND_HALF_UP)
