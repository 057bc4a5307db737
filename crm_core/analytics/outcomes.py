"""What was won and lost in a period."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from crm_core.analytics.pipeline import NOTHING, count_if
from crm_core.analytics.rate import Rate, ValueRate
from crm_core.columns import total_amount
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.kept import kept, plain_rows
from crm_core.models import CLOSED_STAGES, Opportunity, OpportunityStage
from crm_core.periods import Period, Pieces
from crm_core.scope import Scope, scope_of


@dataclass(frozen=True)
class Outcomes:
    """Deals closed in a period; values without the deals whose value is unknown.

    `not_counted` are deals lost for a reason that takes them out of every rate (“Duplicate or test”), with
    their value and how many have none.
    """

    won: int
    won_value: Decimal
    won_without_value: int
    lost: int
    lost_value: Decimal
    lost_without_value: int
    not_counted: int
    not_counted_value: Decimal
    not_counted_without_value: int

    @property
    def known_won_value(self) -> Decimal | None:
        """`won_value`, or None where deals were won but the value of none is known: unknown is not zero."""
        return None if self.won and self.won == self.won_without_value else self.won_value

    @property
    def win_rate(self) -> Rate:
        """Won ÷ (won + lost), by count."""
        return Rate(self.won, self.won + self.lost - self.not_counted)

    @property
    def win_rate_by_value(self) -> ValueRate:
        """Won value ÷ (won + lost value); deals without a value are left out and counted."""
        return ValueRate(
            hits=self.won_value,
            total=self.won_value + self.lost_value - self.not_counted_value,
            n=self.win_rate.n - self._left_out_by_value,
            left_out=self._left_out_by_value,
        )

    @property
    def _left_out_by_value(self) -> int:
        return self.won_without_value + self.lost_without_value - self.not_counted_without_value


def closed_in(
    session: Session,
    period: Period | None = None,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> Outcomes:
    """Won and lost deals whose last close lies in the period, by `closed_at`; without one, all of them."""
    scope = scope_of(session, where, as_of)
    return _outcomes_of(kept(session, _counted(scope, period), plain_rows, only_closed=True))


def closed_in_each(
    session: Session,
    periods: Sequence[Period],
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> dict[Period, Outcomes]:
    """`closed_in` each of the periods, counted together; they may overlap."""
    scope, pieces = scope_of(session, where, as_of), Pieces(periods)
    position = scope.moment.calendar.bucket(scope.model.closed_at, pieces.firsts)
    chosen = _counted(scope, pieces.whole).add_columns(position).group_by(position)
    found = kept(session, chosen, _told_by_position, only_closed=True)
    return {
        period: _outcomes_of(row for piece in pieces.of(period) for row in found.get(piece, ()))
        for period in periods
    }


@dataclass
class _Sums:
    """Deals so far."""

    deals: int = 0
    value: Decimal = NOTHING
    without_value: int = 0

    def add(self, deals: int, value: Decimal | None, without_value: int) -> None:
        self.deals += deals
        self.value += value or NOTHING
        self.without_value += without_value


def _counted(scope: Scope[Opportunity], period: Period | None) -> Select[*tuple[Any, ...]]:
    """SQL: how many deals of each closed stage, those that do not count apart; with value and unknowns."""
    deal = scope.model
    is_uncounted = deal.is_no_real_loss()
    return (
        select(
            deal.stage,
            is_uncounted,
            func.count(),
            total_amount(deal.expected_value),
            count_if(deal.expected_value.is_(None)),
        )
        .where(deal.stage.in_(CLOSED_STAGES), *closed_within(scope, period), *scope.conditions)
        .group_by(deal.stage, is_uncounted)
    )


def _told_by_position(rows: Iterable[Any]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    for *row, position in rows:
        found.setdefault(position, []).append(tuple(row))
    return found


def _outcomes_of(rows: Iterable[tuple[Any, ...]]) -> Outcomes:
    """From the rows of `_counted`, added up."""
    won, lost, uncounted = _Sums(), _Sums(), _Sums()
    for stage, is_uncounted, *counts in rows:
        (won if stage is OpportunityStage.CLOSED_WON else lost).add(*counts)
        if is_uncounted:
            uncounted.add(*counts)
    return Outcomes(
        *(won.deals, won.value, won.without_value),
        *(lost.deals, lost.value, lost.without_value),
        *(uncounted.deals, uncounted.value, uncounted.without_value),
    )


def closed_within(scope: Scope[Opportunity], period: Period | None) -> list[ColumnElement[bool]]:
    """SQL: closed, in the period if there is one."""
    deal = scope.model
    if period is None:
        return [deal.closed_at.is_not(None)]
    return [scope.moment.calendar.within(deal.closed_at, period)]


def first_day(session: Session, *, as_of: datetime | None = None) -> date | None:
    """The day the oldest deal was created; None without any."""
    scope = scope_of(session, EVERYTHING, as_of)
    oldest = session.scalar(select(func.min(scope.model.created_at)).where(*scope.conditions))
    return None if oldest is None else scope.moment.calendar.day_of(oldest)
