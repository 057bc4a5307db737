"""What was won and lost in a period."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import pandas as pd
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from crm_core.analytics.pipeline import NOTHING, count_if
from crm_core.analytics.rate import Rate
from crm_core.analytics.scope import scope_of
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import CloseReason, Opportunity
from crm_core.periods import Period


@dataclass(frozen=True)
class Outcomes:
    """Deals closed in a period; values without the deals whose value is unknown.

    `not_counted` are deals lost for a reason that takes them out of every rate (“Duplicate or test”).
    """

    won: int
    won_value: Decimal
    won_without_value: int
    lost: int
    lost_value: Decimal
    lost_without_value: int
    not_counted: int

    @property
    def known_won_value(self) -> Decimal | None:
        """`won_value`, or None where deals were won but the value of none is known: unknown is not zero."""
        return None if self.won and self.won == self.won_without_value else self.won_value

    @property
    def win_rate(self) -> Rate:
        """Won ÷ (won + lost), by count."""
        return Rate(self.won, self.won + self.lost - self.not_counted)


def closed_in(
    session: Session,
    period: Period,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> Outcomes:
    """Won and lost deals whose last close lies in the period, by `closed_at`."""
    scope = scope_of(session, where, as_of)
    deal = scope.deal
    unknown = deal.expected_value.is_(None)
    won, won_value, won_unknown, lost, lost_value, lost_unknown, not_counted = session.execute(
        select(
            count_if(deal.is_won),
            func.sum(case((deal.is_won, deal.expected_value))),
            count_if(deal.is_won & unknown),
            count_if(deal.is_lost),
            func.sum(case((deal.is_lost, deal.expected_value))),
            count_if(deal.is_lost & unknown),
            count_if(_is_no_real_loss(deal)),
        ).where(scope.calendar.within(deal.closed_at, period), *scope.conditions)
    ).one()
    return Outcomes(
        won=won,
        won_value=won_value or NOTHING,
        won_without_value=won_unknown,
        lost=lost,
        lost_value=lost_value or NOTHING,
        lost_without_value=lost_unknown,
        not_counted=not_counted,
    )


def won_by_month(
    session: Session,
    period: Period,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """Deals won in each month that the period touches, quiet months included; cut to the period's days.

    Columns: month (its first day), deals (count), value (Decimal, workspace currency), without_value (count).
    """
    scope = scope_of(session, where, as_of)
    deal, months = scope.deal, period.months()
    position = scope.calendar.bucket(deal.closed_at, months)
    rows = session.execute(
        select(
            position,
            func.count(),
            func.sum(deal.expected_value),
            count_if(deal.expected_value.is_(None)),
        )
        .where(deal.is_won, scope.calendar.within(deal.closed_at, period), *scope.conditions)
        .group_by(position)
    )
    found = {months[row[0]]: (row[1], row[2] or NOTHING, row[3]) for row in rows}
    return pd.DataFrame(
        [(month, *found.get(month, (0, NOTHING, 0))) for month in months],
        columns=["month", "deals", "value", "without_value"],
    )


def first_day(session: Session, *, as_of: datetime | None = None) -> date | None:
    """The day the oldest deal was created; None without any."""
    scope = scope_of(session, EVERYTHING, as_of)
    oldest = session.scalar(select(func.min(scope.deal.created_at)).where(*scope.conditions))
    return None if oldest is None else scope.calendar.day_of(oldest)


def _is_no_real_loss(deal: type[Opportunity]) -> ColumnElement[bool]:
    """Lost for a reason that does not count."""
    uncounted = select(CloseReason.id).where(~CloseReason.counts)
    return deal.is_lost & deal.close_reason_id.in_(uncounted)
