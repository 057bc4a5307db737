"""Everything the dashboard shows, answered in one snapshot so that it adds up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial

from dateutil.relativedelta import relativedelta
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm_core.ahead import counted_ahead
from crm_core.analytics import attention, breakdowns, outcomes, pipeline, wins
from crm_core.analytics.attention import Attention
from crm_core.analytics.breakdowns import Funnel, OwnerRate, Segment, TimeInStage
from crm_core.analytics.metrics import MetricName, measure
from crm_core.analytics.metrics.base import Number
from crm_core.analytics.metrics.speed import trailing_year, velocity_of
from crm_core.analytics.metrics.targets import ASKED_OF_TARGETS
from crm_core.analytics.outcomes import Outcomes
from crm_core.analytics.pipeline import PipelineTotals
from crm_core.analytics.rate import Rate
from crm_core.analytics.wins import Wins
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import OpportunityStage, Target
from crm_core.moment import Moment, moment_of, moment_of_open
from crm_core.periods import ONE_DAY, Period, PeriodChoice
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.services import opportunity_service, settings_service
from crm_core.sorting import OpportunitySort

MONTHS_SHOWN = 12
LOOKS_BACK = 5
"""Ends of months that an open total and the velocity are shown for, beside now."""

RECENT = 8

Trend = Sequence[tuple[date, Number | None]]


@dataclass(frozen=True)
class Tile:
    """One figure. `where` lets through the `deals` that it is counted over.

    `before` is the same figure of the period before, or of an open total the one just before the period
    began; None where nothing is known or there is nothing to compare with. `trend` has the last day of each
    month, oldest first, and the figure of the month, or as of its end. `open_on` is the last day of a period
    that is over, which the open deals of the figure are as of; None where they are those of the moment.
    `status` says why there is no figure although there are deals.
    """

    name: MetricName
    value: Number | None
    deals: int
    where: OpportunityFilter
    before: Number | None = None
    trend: Trend = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    rate: Rate | None = None
    open_on: date | None = None
    status: str | None = None


@dataclass(frozen=True)
class Aim:
    """The target of the period: how much of it is won, and what has gone by of the period, as parts of 1."""

    target: Number
    attainment: float | None
    pace: float | None
    standing: str | None


@dataclass(frozen=True)
class Overview:
    """The whole page, as known at the `moment`.

    What is open is as of `open_moment`: the last instant of a period that is over by then, else the moment.
    `elapsed` is what has gone by of the period, `began` the last instant before it if there is any.
    `before_period` is what its figures are compared with; None for all time. `months` are those of at least
    a year that ends with the period.
    """

    has_deals: bool
    moment: Moment
    open_moment: Moment
    period: Period
    elapsed: Period
    began: datetime | None
    open: PipelineTotals
    closed: Outcomes
    before_period: Period | None
    before: Outcomes | None
    tiles: list[Tile]
    aim: Aim | None
    stages: list[Segment]
    months: dict[str, tuple[Segment, Segment]]
    expected: list[Segment]
    owners: list[OwnerRate]
    reasons: list[Segment]
    funnel: Funnel
    times: TimeInStage
    attention: Attention
    recent: list[OpportunityResponse]

    @property
    def open_on(self) -> date | None:
        """The last day of a period that is over, which what is open is as of; else None."""
        return _open_on(self.moment, self.open_moment)


def overview(
    session: Session,
    choice: PeriodChoice | Period,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> Overview:
    """The dashboard for a period and a filter, as known at `as_of`, by default the filter's instant or now.

    With a period that is over by then, what is open is as of its last instant, and what was won, lost and
    created in it as known at `as_of`.
    The filter narrows by text, owners, teams, companies or sources; the rest is what the figures ask for.
    """
    moment = moment_of(session, as_of or where.as_of)
    where = where.model_copy(update={"as_of": moment.as_of})
    first_day = outcomes.first_day(session, as_of=moment.as_of)
    is_all_time = choice is PeriodChoice.ALL_TIME
    period = (
        choice
        if isinstance(choice, Period)
        else settings_service.get_calendar(session).chosen(choice, moment.today, first_day)
    )
    open_moment = moment_of_open(session, moment, period)
    open_where = where.model_copy(update={"as_of": open_moment.as_of})
    by_stage = partial(breakdowns.by_stage, where=open_where)
    expected = partial(breakdowns.by_expected_close, where=open_where)
    owners = partial(breakdowns.win_rate_by_owner, period=period, where=where)
    reasons = partial(breakdowns.lost_reasons, period=period, where=where)
    funnel = partial(breakdowns.funnel, period=period, where=where)
    times = partial(breakdowns.time_in_stage, period=period, where=where)
    needed = partial(attention.attention, where=open_where)
    with counted_ahead(session, (times, needed, funnel, reasons, owners, expected, by_stage)):
        compared = None if is_all_time else period.compared_with(moment.today)
        asked = _Asked(session, where, open_where, moment, open_moment, period, compared)
        return Overview(
            has_deals=first_day is not None,
            moment=moment,
            open_moment=open_moment,
            period=period,
            elapsed=replace(period, end=min(period.end, max(moment.today, period.start) + ONE_DAY)),
            began=asked.began,
            open=asked.open,
            closed=asked.outcomes[period],
            before_period=asked.compared,
            before=asked.outcomes[asked.compared] if asked.compared else None,
            tiles=asked.tiles(),
            aim=_aim(session, period, where),
            stages=by_stage(session),
            months=breakdowns.closed_by_month(
                {first: (month, asked.outcomes[month]) for first, month in asked.months.items()}, where
            ),
            expected=expected(session),
            owners=owners(session),
            reasons=reasons(session),
            funnel=funnel(session),
            attention=needed(session),
            times=times(session),
            recent=opportunity_service.get_rows(
                session, where, sort=OpportunitySort.CREATED_DESCENDING, limit=RECENT
            ),
        )


class _Asked:
    """The period's figures, each counted once, and what they are held against."""

    def __init__(
        self,
        session: Session,
        where: OpportunityFilter,
        open_where: OpportunityFilter,
        moment: Moment,
        open_moment: Moment,
        period: Period,
        compared: Period | None,
    ) -> None:
        self.session = session
        self.where = where
        self.open_where = open_where
        self.moment = moment
        self.open_on = _open_on(moment, open_moment)
        self.period = period
        self.compared = compared
        self.months = _at_least_a_year(period, moment.today).cut_by_month()
        today = open_moment.today
        self.years = {day: trailing_year(day) for day in _last_days(today)}
        self.began = _before(period, moment) if compared else None
        self.looks = {
            day: pipeline.totals(session, open_where if day == today else self._at_the_end_of(day))
            for day in self.years
        }
        self.open = self.looks[today]
        each = [period, *([compared] if compared else []), *self.months.values(), *self.years.values()]
        self.outcomes = outcomes.closed_in_each(session, each, where)
        self.wins = wins.wins_in_each(session, each, where)

    def tiles(self) -> list[Tile]:
        return [*self._open_tiles(), *self._closed_tiles(), self._velocity()]

    def _open_tiles(self) -> list[Tile]:
        was = pipeline.totals(self.session, self._at(self.began)) if self.began else None

        def tile(
            name: MetricName, of: Callable[[PipelineTotals], Number | None], deals: int, **which: bool
        ) -> Tile:
            return Tile(
                name,
                of(self.open),
                deals,
                self.open_where.model_copy(update=which),
                before=None if was is None else of(was),
                trend=[(day, of(totals)) for day, totals in self.looks.items()],
                left_out={"without_value": self.open.without_value} if name != MetricName.OVERDUE else {},
                open_on=self.open_on,
            )

        return [
            tile(MetricName.OPEN_PIPELINE, _known_value, self.open.deals, is_open=True),
            tile(MetricName.WEIGHTED_PIPELINE, _known_weighted, self.open.deals, is_open=True),
            tile(MetricName.OVERDUE, lambda totals: totals.overdue, self.open.overdue, overdue=True),
        ]

    def _closed_tiles(self) -> list[Tile]:
        closed, found = self.outcomes[self.period], self.wins[self.period]
        before = self.outcomes[self.compared] if self.compared else None
        was = self.wins[self.compared] if self.compared else None
        won = self._within(stages=frozenset({OpportunityStage.CLOSED_WON}))
        without_value = {"without_value": closed.won_without_value}
        return [
            Tile(
                MetricName.WIN_RATE,
                closed.win_rate.value,
                closed.win_rate.n,
                self._within(is_open=False, counted=True),
                before=before.win_rate.value if before else None,
                trend=self._monthly(lambda month: month.win_rate.value),
                left_out={"does_not_count": closed.not_counted},
                rate=closed.win_rate,
                status=closed.win_rate.status,
            ),
            Tile(
                MetricName.WON,
                closed.known_won_value,
                closed.won,
                won,
                before=before.known_won_value if before else None,
                trend=self._monthly(lambda month: month.known_won_value),
                left_out=without_value,
            ),
            Tile(
                MetricName.AVERAGE_WON,
                found.average_value,
                found.valued,
                won.model_copy(update={"value_from": pipeline.NOTHING}),
                before=was.average_value if was else None,
                trend=[(month.last_day, self.wins[month].average_value) for month in self.months.values()],
                left_out=without_value,
            ),
            Tile(
                MetricName.SALES_CYCLE,
                found.median_days,
                found.deals,
                won,
                before=was.median_days if was else None,
                trend=[(month.last_day, self.wins[month].median_days) for month in self.months.values()],
            ),
        ]

    def _velocity(self) -> Tile:
        """What was open on each day of the trend, with what is known by now of the year before it.

        The last of the days, whose figure is the tile's, is today or the last one of a period that is over.
        """
        trend = [
            (
                day,
                self._velocity_of(self.looks[day], self.outcomes[year], self.wins[year]),
            )
            for day, year in self.years.items()
        ]
        return Tile(
            MetricName.VELOCITY,
            trend[-1][1],
            self.open.deals,
            self.open_where.model_copy(update={"is_open": True}),
            before=self._velocity_then(self.began) if self.began else None,
            trend=trend,
            open_on=self.open_on,
            status=self.outcomes[self.years[max(self.years)]].win_rate.status,
        )

    def _velocity_then(self, instant: datetime) -> Number | None:
        """All of it as it was known."""
        where, year = self._at(instant), trailing_year(self.moment.calendar.day_of(instant))
        return self._velocity_of(
            pipeline.totals(self.session, where),
            outcomes.closed_in(self.session, year, where),
            wins.wins_in(self.session, year, where),
        )

    def _velocity_of(self, is_open: PipelineTotals, closed: Outcomes, won: Wins) -> Number | None:
        """`metrics.speed.velocity` without the deals behind it."""
        currency = settings_service.get_currency(self.session)
        return velocity_of(is_open.deals, closed.win_rate, won.average_value, won.median_days, currency)

    def _at_the_end_of(self, day: date) -> OpportunityFilter:
        return self._at(self.moment.calendar.end_of(day))

    def _at(self, instant: datetime) -> OpportunityFilter:
        return self.where.model_copy(update={"as_of": instant})

    def _within(self, **more: object) -> OpportunityFilter:
        days = {"closed_from": self.period.start, "closed_to": self.period.last_day}
        return self.where.model_copy(update=days | more)

    def _monthly(self, of: Callable[[Outcomes], Number | None]) -> Trend:
        return [(month.last_day, of(self.outcomes[month])) for month in self.months.values()]


def _aim(session: Session, period: Period, where: OpportunityFilter) -> Aim | None:
    """The target, where one is set for whole months and the filter asks for people alone."""
    asked = where.model_dump(exclude_defaults=True).keys()
    are_whole_months = period.start.day == period.end.day == 1
    if not are_whole_months or asked - ASKED_OF_TARGETS or not session.scalar(select(exists(Target.id))):
        return None
    figure = measure(session, MetricName.PACE, where, period=period).figure
    target = figure.details["target"]
    if target is None:
        return None
    attainment = figure.details["attainment"]
    return Aim(
        target,
        None if attainment is None else float(attainment),
        None if figure.value is None else float(figure.value),
        figure.status,
    )


def _open_on(moment: Moment, open_moment: Moment) -> date | None:
    return None if open_moment.at == moment.at else open_moment.today


def _before(period: Period, moment: Moment) -> datetime | None:
    """The last instant before the period began; None if that is yet to come, or the calendar's first day."""
    if period.start > moment.today or period.start == date.min:
        return None
    return moment.calendar.end_of(period.start - ONE_DAY)


def _known_value(totals: PipelineTotals) -> Number | None:
    return None if totals.is_unknown else totals.value


def _known_weighted(totals: PipelineTotals) -> Number | None:
    return None if totals.is_unknown else totals.weighted


def _last_days(today: date) -> list[date]:
    """The last days of the months before that day's, oldest first, and the day itself."""
    first = today.replace(day=1)
    ends = [first - relativedelta(months=back) - timedelta(days=1) for back in reversed(range(LOOKS_BACK))]
    return [*ends, today]


def _at_least_a_year(period: Period, today: date) -> Period:
    """Whole months, at least a year of them, ending with the period's last month that has begun."""
    last_month = min(period.last_day, today).replace(day=1)
    a_year_back = last_month - relativedelta(months=MONTHS_SHOWN - 1)
    first_month = min(period.start.replace(day=1), a_year_back)
    return Period(first_month, last_month + relativedelta(months=1))
