"""What was won and lost in a period."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select, true
from sqlalchemy.orm import Session

from crm_core.analytics.pipeline import count_if
from crm_core.analytics.rate import Rate, ValueRate, why_no_win_rate
from crm_core.columns import amount_of, total_amount
from crm_core.currency import Currency
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.gathered import side_by_side
from crm_core.kept import kept, plain_rows
from crm_core.models import Opportunity, OpportunityStage, Outcome
from crm_core.periods import Period, Pieces
from crm_core.scope import Scope, scope_of
from crm_core.services import settings_service

SUMS = 9
"""Of deals won, lost and not counted: how many, what they are worth, and how many have no value."""


@dataclass(frozen=True)
class Outcomes:
    """Deals closed in a period; values without the deals whose value is unknown.

    `not_counted` are deals lost for a reason that takes them out of every rate (“Duplicate or test”), with
    their value and how many have none. `has_losses` is whether any lost deal that counts was ever recorded,
    in any period: without one there is no win rate.
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
    has_losses: bool = True

    @property
    def known_won_value(self) -> Decimal | None:
        """`won_value`, or None where deals were won but the value of none is known: unknown is not zero."""
        return None if self.won and self.won == self.won_without_value else self.won_value

    @property
    def win_rate(self) -> Rate:
        """Won ÷ (won + lost), by count."""
        closed = self.won + self.lost - self.not_counted
        return Rate(self.won, closed, why_no_win_rate(closed, has_losses=self.has_losses))

    @property
    def win_rate_by_value(self) -> ValueRate:
        """Won value ÷ (won + lost value); deals without a value are left out and counted."""
        n = self.win_rate.n - self._left_out_by_value
        return ValueRate(
            hits=self.won_value,
            total=self.won_value + self.lost_value - self.not_counted_value,
            n=n,
            left_out=self._left_out_by_value,
            status=why_no_win_rate(n, has_losses=self.has_losses),
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
    """Won and lost deals whose closing day lies in the period; without one, all of them."""
    scope = scope_of(session, where, as_of)
    chosen = select(*_counted(scope, *closed_within(scope, period)))
    currency = settings_service.get_currency(session)
    found = _added_up(kept(session, chosen, plain_rows, only_closed=True), currency)
    return replace(found, has_losses=has_losses(session, as_of=as_of or where.as_of))


def closed_in_each(
    session: Session,
    periods: Sequence[Period],
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> dict[Period, Outcomes]:
    """`closed_in` each of the periods, counted together; they may overlap."""
    scope, pieces = scope_of(session, where, as_of), Pieces(periods)
    piece, closed_on = pieces.rows().c, scope.model.actual_close_date
    chosen = select(piece.position, *_counted(scope, closed_on >= piece.since, closed_on < piece.until))
    found = kept(session, chosen, _told_by_position, only_closed=True)
    currency = settings_service.get_currency(session)
    are_lost = has_losses(session, as_of=as_of or where.as_of)
    added_up = {
        period: _added_up((found[place] for place in pieces.of(period)), currency) for period in periods
    }
    return {period: replace(each, has_losses=are_lost) for period, each in added_up.items()}


def _counted(scope: Scope[Opportunity], *within: ColumnElement[bool]) -> list[ColumnElement[Any]]:
    """SQL: how many deals were won, what they brought, and how many have no value; the same of those lost,
    and of those of them that do not count.

    Two columns with a list each: grouping would sort the deals, which the index has in order.
    """
    deal = scope.model
    counted = {Outcome.WON: (true(),), Outcome.LOST: (true(), deal.is_no_real_loss())}
    return [
        select(side_by_side(*(figure for each in conditions for figure in _figures(deal, each))))
        .where(deal.stage == OpportunityStage.of(outcome), *within, *scope.conditions)
        .scalar_subquery()
        for outcome, conditions in counted.items()
    ]


def _figures(deal: type[Opportunity], condition: ColumnElement[bool]) -> list[ColumnElement[Any]]:
    return [
        count_if(condition),
        total_amount(case((condition, deal.expected_value))),
        count_if(and_(condition, deal.expected_value.is_(None))),
    ]


def _told_by_position(rows: Iterable[Any]) -> dict[int, tuple[Any, ...]]:
    return {position: tuple(counts) for position, *counts in rows}


def _added_up(rows: Iterable[tuple[Any, ...]], currency: Currency) -> Outcomes:
    """From the lists of `_counted`: always how many deals, ten-thousandths, and how many have no value."""
    found = [[int(number or 0) for numbers in row for number in numbers] for row in rows]
    sums = [sum(numbers) for numbers in zip(*found, strict=True)] or [0] * SUMS
    deals, unknown = sums[0::3], sums[2::3]
    amounts = [currency.fitted(amount_of(units)) for units in sums[1::3]]
    return Outcomes(*chain.from_iterable(zip(deals, amounts, unknown, strict=True)))


def closed_within(scope: Scope[Opportunity], period: Period | None) -> list[ColumnElement[bool]]:
    """SQL: closed, in the period if there is one."""
    deal = scope.model
    if period is None:
        return [deal.actual_close_date.is_not(None)]
    return [period.has(deal.actual_close_date)]


def has_losses(session: Session, *, as_of: datetime | None = None) -> bool:
    """Whether any deal that the actor may read is lost for a reason that counts, whenever that was.

    Where nobody records what is lost, every rate would be 100 %.
    """
    scope = scope_of(session, EVERYTHING, as_of)
    deal = scope.model
    of_these = deal.is_lost, *closed_within(scope, None), ~deal.is_no_real_loss(), *scope.conditions
    return bool(kept(session, select(true()).where(*of_these).limit(1), plain_rows, only_closed=True))


def first_day(session: Session, *, as_of: datetime | None = None) -> date | None:
    """The day the oldest deal was created; None without any."""
    scope = scope_of(session, EVERYTHING, as_of)
    return session.scalar(select(func.min(scope.model.created_on)).where(*scope.conditions))
