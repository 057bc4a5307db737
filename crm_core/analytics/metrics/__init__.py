"""Every figure of docs/metrics.md by its name, with the records that it counts and those it leaves out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from crm_core.analytics.metrics import funnel, rates, speed, spells, targets, volume
from crm_core.analytics.metrics.base import Figure, Group, Question, Unit
from crm_core.errors import InvalidInput
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.periods import Period
from crm_core.services import settings_service

__all__ = [
    "METRICS",
    "Answer",
    "Days",
    "Figure",
    "Group",
    "Metric",
    "MetricName",
    "Subject",
    "Unit",
    "measure",
]


class Subject(StrEnum):
    """What a figure counts."""

    OPPORTUNITIES = "opportunities"
    LEADS = "leads"


class Days(StrEnum):
    """Which days a figure looks at: today, those of a period or all, whole months, or the last 365."""

    NONE = "none"
    ANY = "any"
    WHOLE_MONTHS = "whole_months"
    TRAILING_YEAR = "trailing_year"


class MetricName(StrEnum):
    """In the order of docs/metrics.md."""

    OPEN_PIPELINE = "open_pipeline"
    WEIGHTED_PIPELINE = "weighted_pipeline"
    CREATED = "created"
    WON = "won"
    LOST = "lost"
    AVERAGE_WON = "average_won"
    WITHOUT_VALUE = "without_value"
    WITHOUT_DATE = "without_date"
    OVERDUE = "overdue"
    WIN_RATE = "win_rate"
    WIN_RATE_BY_VALUE = "win_rate_by_value"
    CREATED_COHORT = "created_cohort"
    LEAD_CONVERSION = "lead_conversion"
    LOST_REASONS = "lost_reasons"
    SALES_CYCLE = "sales_cycle"
    TIME_IN_STAGE = "time_in_stage"
    DAYS_IN_STAGE = "days_in_stage"
    STALE = "stale"
    VELOCITY = "velocity"
    FUNNEL = "funnel"
    ATTAINMENT = "attainment"
    PACE = "pace"
    GAP = "gap"
    COVERAGE = "coverage"


@dataclass(frozen=True)
class Metric:
    """A figure as people call it; `count` answers a question."""

    label: str
    unit: Unit
    days: Days
    count: Callable[[Question], Figure]
    of: Subject = Subject.OPPORTUNITIES


N = MetricName

METRICS: dict[MetricName, Metric] = {
    N.OPEN_PIPELINE: Metric("Open pipeline", Unit.MONEY, Days.NONE, volume.open_pipeline),
    N.WEIGHTED_PIPELINE: Metric("Weighted pipeline", Unit.MONEY, Days.NONE, volume.weighted_pipeline),
    N.CREATED: Metric("Created", Unit.MONEY, Days.ANY, volume.created),
    N.WON: Metric("Won", Unit.MONEY, Days.ANY, volume.won),
    N.LOST: Metric("Lost", Unit.MONEY, Days.ANY, volume.lost),
    N.AVERAGE_WON: Metric("Average won deal", Unit.MONEY, Days.ANY, volume.average_won),
    N.WITHOUT_VALUE: Metric("Without a value", Unit.COUNT, Days.NONE, volume.without_value),
    N.WITHOUT_DATE: Metric("Without an expected close", Unit.COUNT, Days.NONE, volume.without_date),
    N.OVERDUE: Metric("Overdue", Unit.COUNT, Days.NONE, volume.overdue),
    N.WIN_RATE: Metric("Win rate", Unit.RATIO, Days.ANY, rates.win_rate),
    N.WIN_RATE_BY_VALUE: Metric("Win rate by value", Unit.RATIO, Days.ANY, rates.win_rate_by_value),
    N.CREATED_COHORT: Metric("Created cohort", Unit.RATIO, Days.ANY, rates.created_cohort),
    N.LEAD_CONVERSION: Metric("Lead conversion", Unit.RATIO, Days.ANY, rates.lead_conversion, Subject.LEADS),
    N.LOST_REASONS: Metric("Lost reasons", Unit.COUNT, Days.ANY, rates.lost_reasons),
    N.SALES_CYCLE: Metric("Sales cycle", Unit.DAYS, Days.ANY, speed.sales_cycle),
    N.TIME_IN_STAGE: Metric("Time in stage", Unit.DAYS, Days.ANY, spells.time_in_stage),
    N.DAYS_IN_STAGE: Metric("Days in stage", Unit.DAYS, Days.NONE, speed.days_in_stage),
    N.STALE: Metric("Stale", Unit.COUNT, Days.NONE, speed.stale),
    N.VELOCITY: Metric("Sales velocity", Unit.MONEY_PER_DAY, Days.TRAILING_YEAR, speed.velocity),
    N.FUNNEL: Metric("Funnel", Unit.COUNT, Days.ANY, funnel.funnel),
    N.ATTAINMENT: Metric("Attainment", Unit.RATIO, Days.WHOLE_MONTHS, targets.attainment),
    N.PACE: Metric("Pace", Unit.RATIO, Days.WHOLE_MONTHS, targets.pace),
    N.GAP: Metric("Gap", Unit.MONEY, Days.WHOLE_MONTHS, targets.gap),
    N.COVERAGE: Metric("Coverage", Unit.RATIO, Days.WHOLE_MONTHS, targets.coverage),
}


@dataclass(frozen=True)
class Answer:
    """A figure, and what it was counted for: the instant, and the days (None: ever, or none).

    Its amounts are in the workspace's `currency`.
    """

    name: MetricName
    metric: Metric
    as_of: datetime
    period: Period | None
    currency: str
    figure: Figure


class TakesNoPeriod(InvalidInput):
    def __init__(self, metric: Metric) -> None:
        why = "looks at the 365 days before" if metric.days is Days.TRAILING_YEAR else "is about an instant"
        super().__init__(f"{metric.label} {why}: ask for it as of a day, not for a period.")


def measure(
    session: Session,
    name: MetricName,
    where: OpportunityFilter = EVERYTHING,
    *,
    period: Period | None = None,
    as_of: datetime | None = None,
    explain: bool = False,
) -> Answer:
    """One figure over the filter as known at that instant; with `explain` with the ids behind it.

    Raises `TakesNoPeriod`, `NeedsPeriod`, and what a figure refuses: `NotAskedOfLeads`, `NotAskedOfTargets`
    and `NoWholeMonths`.
    """
    metric = METRICS[name]
    if period is not None and metric.days in (Days.NONE, Days.TRAILING_YEAR):
        raise TakesNoPeriod(metric)
    asked = Question(session, where, period, as_of, explain)
    if metric.days is Days.TRAILING_YEAR:
        period = speed.trailing_year(asked.scope.moment.today)
    currency = settings_service.get_currency(session)
    return Answer(name, metric, asked.at, period, currency.code, metric.count(asked).fitted(currency))
