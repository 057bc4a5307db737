"""How the pipeline's statistics are told."""

from datetime import date

from crm_core.analytics.rate import Rate, ValueRate
from crm_core.analytics.stats import PipelineStats
from crm_core.models import OpportunityStage
from crm_core.periods import Calendar
from crm_core.schemas.fields import Instant, Money, Schema


class StageResponse(Schema):
    """The deals in one stage; values without those whose value is unknown."""

    stage: OpportunityStage
    deals: int
    value: Money
    weighted: Money
    without_value: int


class OpenResponse(Schema):
    """What is open."""

    deals: int
    value: Money
    weighted: Money
    without_value: int
    without_date: int
    overdue: int


class ClosedResponse(Schema):
    """What was won and lost; `not_counted` were lost for a reason that takes them out of every rate."""

    won: int
    won_value: Money
    won_without_value: int
    lost: int
    lost_value: Money
    lost_without_value: int
    not_counted: int


class RateResponse(Schema):
    """Between 0 and 1 over `n` deals, null without any; `low` and `high` are Wilson's 95 % interval.

    `status` says why there is no rate although there are deals: `no_lost_deals` where no lost deal was ever
    recorded.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    left_out: int = 0
    status: str | None = None

    @classmethod
    def of(cls, rate: Rate) -> "RateResponse":
        low, high = rate.interval or (None, None)
        return cls(value=rate.value, n=rate.n, low=low, high=high, status=rate.status)

    @classmethod
    def of_values(cls, rate: ValueRate) -> "RateResponse":
        return cls(value=rate.value, n=rate.n, left_out=rate.left_out, status=rate.status)


class WinsResponse(Schema):
    """What won deals brought, and how many days they took."""

    deals: int
    valued: int
    average_value: Money | None
    median_value: Money | None
    median_days: float | None
    mean_days: float | None


class StatsResponse(Schema):
    """What was known `as_of` that instant; `period_to` is the last day of the period, both null mean ever.

    `period_label` names a whole quarter or year of the workspace, such as Q1 FY27. `stages` and `open` are as
    of `open_as_of`: the last instant of a period that was over by `as_of`, or else `as_of` itself. Every
    amount is in the `currency`.
    """

    as_of: Instant
    open_as_of: Instant
    period_from: date | None
    period_to: date | None
    period_label: str | None
    currency: str
    stages: list[StageResponse]
    open: OpenResponse
    closed: ClosedResponse
    win_rate: RateResponse
    win_rate_by_value: RateResponse
    wins: WinsResponse

    @classmethod
    def of(cls, stats: PipelineStats, calendar: Calendar) -> "StatsResponse":
        return cls(
            as_of=stats.as_of,
            open_as_of=stats.open_as_of,
            period_from=stats.period.start if stats.period else None,
            period_to=stats.period.last_day if stats.period else None,
            period_label=calendar.label(stats.period) if stats.period else None,
            currency=stats.currency,
            stages=[StageResponse.model_validate(stage) for stage in stats.stages],
            open=OpenResponse.model_validate(stats.open),
            closed=ClosedResponse.model_validate(stats.closed),
            win_rate=RateResponse.of(stats.win_rate),
            win_rate_by_value=RateResponse.of_values(stats.win_rate_by_value),
            wins=WinsResponse.model_validate(stats.wins),
        )
