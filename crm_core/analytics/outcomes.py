"""What was won and lost in a period."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from crm_core.analytics.pipeline import NOTHING, count_if
from crm_core.analytics.rate import Rate, ValueRate
from crm_core.columns import total_amount
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.kept import kept
from crm_core.models import CLOSED_STAGES, CloseReason, Opportunity, OpportunityStage, Outcome
from crm_core.periods import Period
from crm_core.scope import Scope, scope_of

if TYPE_CHECKING:
    import pandas as pd  # a quarter of the API's start, which draws nothing; loaded where a frame is made


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
    deal = scope.model
    unknown, uncounted = deal.expected_value.is_(None), is_no_real_loss(deal)
    chosen = (
        select(
            deal.stage,
            func.count(),
            total_amount(deal.expected_value),
            count_if(unknown),
            count_if(uncounted),
            total_amount(case((uncounted, deal.expected_value))),
            count_if(and_(uncounted, unknown)),
        )
        .where(deal.stage.in_(CLOSED_STAGES), *closed_within(scope, period), *scope.conditions)
        .group_by(deal.stage)
    )
    return kept(session, chosen, _outcomes_of)


def _outcomes_of(rows: Iterable[Any]) -> Outcomes:
    """Of each closed stage the deals, and those of them that do not count; each with value and unknowns."""
    found = {stage: [NOTHING if count is None else count for count in counts] for stage, *counts in rows}
    none: list[Any] = [0, NOTHING, 0, 0, NOTHING, 0]
    won, lost = (found.get(OpportunityStage.of(outcome), none) for outcome in (Outcome.WON, Outcome.LOST))
    return Outcomes(*won[:3], *lost)


def closed_within(scope: Scope[Opportunity], period: Period | None) -> list[ColumnElement[bool]]:
    """SQL: closed, in the period if there is one."""
    deal = scope.model
    if period is None:
        return [deal.closed_at.is_not(None)]
    return [scope.moment.calendar.within(deal.closed_at, period)]


def won_by_month(
    session: Session,
    period: Period,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> "pd.DataFrame":
    """Deals won in each month that the period touches, quiet months included; cut to the period's days.

    Columns: month (its first day), deals (count), value (Decimal, workspace currency), without_value (count).
    """
    import pandas as pd

    scope = scope_of(session, where, as_of)
    deal, months = scope.model, period.months()
    position = scope.moment.calendar.bucket(deal.closed_at, months)
    rows = session.execute(
        select(
            position,
            func.count(),
            total_amount(deal.expected_value),
            count_if(deal.expected_value.is_(None)),
        )
        .where(deal.is_won, *closed_within(scope, period), *scope.conditions)
        .group_by(position)
    )
    found = {months[row[0]]: (row[1], row[2] or NOTHING, row[3]) for row in rows}
    return pd.DataFrame(
        [(month, *found.get(month, (0, NOTHING, 0))) for month in months],
        columns=["month", "deals", "value", "without_value"],
    )


def is_no_real_loss(deal: type[Opportunity]) -> ColumnElement[bool]:
    """SQL: lost for a reason that does not count."""
    uncounted = select(CloseReason.id).where(~CloseReason.counts)
    reason = deal.close_reason_id
    return and_(deal.is_lost, reason.is_not(None), reason.in_(uncounted))


def first_day(session: Session, *, as_of: datetime | None = None) -> date | None:
    """The day the oldest deal was created; None without any."""
    scope = scope_of(session, EVERYTHING, as_of)
    oldest = session.scalar(select(func.min(scope.model.created_at)).where(*scope.conditions))
    return None if oldest is None else scope.moment.calendar.day_of(oldest)
