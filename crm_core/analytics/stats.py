"""The pipeline in figures: each stage, what is open, what was won and lost. One snapshot, so it adds up."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from crm_core.analytics import outcomes, pipeline, wins
from crm_core.analytics.outcomes import Outcomes
from crm_core.analytics.pipeline import PipelineTotals, StageTotals
from crm_core.analytics.rate import Rate, ValueRate
from crm_core.analytics.wins import Wins
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.moment import moment_of, moment_of_open
from crm_core.periods import Period
from crm_core.services import settings_service


@dataclass(frozen=True)
class PipelineStats:
    """What was known `as_of` that instant. `stages` are all six, in their order; `period` None means ever.

    Values in the workspace's `currency`. `stages` and `open` are as of `open_as_of`: the last instant of a
    period that is over, else `as_of`.
    """

    as_of: datetime
    open_as_of: datetime
    period: Period | None
    currency: str
    stages: list[StageTotals]
    open: PipelineTotals
    closed: Outcomes
    wins: Wins

    @property
    def win_rate(self) -> Rate:
        """Won ÷ (won + lost), by count."""
        return self.closed.win_rate

    @property
    def win_rate_by_value(self) -> ValueRate:
        """Won value ÷ (won + lost value)."""
        return self.closed.win_rate_by_value


def pipeline_stats(
    session: Session,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
) -> PipelineStats:
    """Every figure over the same filter, as known at the same instant; won and lost in the period, or ever.

    Beside a period that is over, what is in each stage and open is as of its last instant.
    """
    moment = moment_of(session, as_of or where.as_of)
    open_at = moment_of_open(session, moment, period).at
    found, currency = pipeline.groups(session, where, as_of=open_at), settings_service.get_currency(session)
    return PipelineStats(
        as_of=moment.at,
        open_as_of=open_at,
        period=period,
        currency=currency.code,
        stages=pipeline.stage_totals(found, currency),
        open=pipeline.open_totals(found, currency),
        closed=outcomes.closed_in(session, period, where, as_of=moment.at),
        wins=wins.wins_in(session, period, where, as_of=moment.at),
    )
