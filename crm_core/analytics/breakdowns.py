"""Deals in groups, as charts show them: each with the filter that lets through exactly its deals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_core.analytics import outcomes, pipeline
from crm_core.analytics.axes import ByCloseMonth
from crm_core.analytics.board import worths_by_key
from crm_core.analytics.metrics import Figure, MetricName, measure
from crm_core.analytics.metrics.base import PATH_UNKNOWN
from crm_core.analytics.metrics.funnel import LOST, PENDING
from crm_core.analytics.metrics.rates import NOT_GIVEN
from crm_core.analytics.metrics.spells import RUNNING
from crm_core.analytics.outcomes import Outcomes, closed_within
from crm_core.analytics.pipeline import count_if
from crm_core.analytics.rate import Rate, why_no_win_rate
from crm_core.filters import OpportunityFilter
from crm_core.folding import fold
from crm_core.kept import kept, plain_rows
from crm_core.models import CLOSED_STAGES, OPEN_STAGES, OpportunityStage, User
from crm_core.periods import Period
from crm_core.scope import scope_of
from crm_core.services import settings_service

WON, LOST_STAGE = CLOSED_STAGES
WENT_ON, WON_AT_LAST = "went_on", "won"
"""Parts of a funnel's bars, beside those that are pending and lost."""
NOBODY = "Nobody"


@dataclass(frozen=True)
class Segment:
    """A bar of a chart, or a part of one: some deals, all that `where` lets through.

    `label` names the bar, `part` what the segment is within it. `value` is in the workspace's currency,
    without the `without_value` deals whose value is unknown; None where that is all of them.
    """

    label: str
    part: str
    deals: int
    value: Decimal | None
    without_value: int
    where: OpportunityFilter


@dataclass(frozen=True)
class OwnerRate:
    """How often deals of an owner were won; `where` lets through the `rate.n` deals that it counts."""

    label: str
    rate: Rate
    where: OpportunityFilter


@dataclass(frozen=True)
class LeftOut:
    """Deals that a chart leaves out, all that `where` lets through."""

    label: str
    deals: int
    where: OpportunityFilter


@dataclass(frozen=True)
class Funnel:
    """How far deals came, part by part; and the deals of which that is not known."""

    segments: list[Segment]
    path_unknown: LeftOut


@dataclass(frozen=True)
class StageTime:
    """How long deals stay in a stage: the Kaplan-Meier median in days, over so many stays.

    `where` lets through the `deals` whose stays they are: one that came back has several.
    """

    stage: OpportunityStage
    median_days: float | None
    stays: int
    running: int
    deals: int
    where: OpportunityFilter


@dataclass(frozen=True)
class TimeInStage:
    """How long deals stay in each open stage; and those of which it is not known when they came into one."""

    stages: list[StageTime]
    path_unknown: LeftOut


def by_stage(session: Session, where: OpportunityFilter) -> list[Segment]:
    """The open deals by stage, the empty ones too."""
    return [
        _segment(each.stage.label, each.stage, each, where, is_open=True, stages=frozenset({each.stage}))
        for each in pipeline.stage_totals(
            pipeline.groups(session, where, only_open=True), settings_service.get_currency(session)
        )
        if not each.stage.is_closed
    ]


def closed_by_month(
    months: Mapping[date, tuple[Period, Outcomes]], where: OpportunityFilter
) -> dict[str, tuple[Segment, Segment]]:
    """What was won and what was lost in each month, by the month's first day."""
    return {
        first.isoformat(): (
            _closed(month, WON, found.won, found.won_value, found.won_without_value, where),
            _closed(month, LOST_STAGE, found.lost, found.lost_value, found.lost_without_value, where),
        )
        for first, (month, found) in months.items()
    }


def by_expected_close(session: Session, where: OpportunityFilter) -> list[Segment]:
    """The open deals by the month of their expected close and by stage; overdue and without a day apart.

    Months without any are there, stages within a month only where they have deals.
    """
    axis = ByCloseMonth(session, where, scope_of(session, where))
    currency = settings_service.get_currency(session)
    worths = worths_by_key(axis)
    places = axis.places({key: pipeline.together(found, currency) for key, found in worths.items()})
    segments = []
    for place in places:
        found = pipeline.stage_totals(worths.get(place.key, ()), currency)
        segments += [
            _segment(place.label, each.stage, each, place.where, stages=frozenset({each.stage}))
            for each in found
            if each.deals or (each.stage is OPEN_STAGES[0] and not any(other.deals for other in found))
        ]
    return segments


def win_rate_by_owner(session: Session, period: Period, where: OpportunityFilter) -> list[OwnerRate]:
    """Won ÷ (won + lost) of the deals closed in the period, for whom they count; most deals first."""
    counted = where.model_copy(update={"counted": True, "is_open": False})
    scope = scope_of(session, counted)
    deal = scope.model
    chosen = (
        select(deal.credited_owner_id, func.count(), count_if(deal.is_won))
        .where(*closed_within(scope, period), *scope.conditions)
        .group_by(deal.credited_owner_id)
    )
    found = kept(session, chosen, plain_rows, only_closed=True)
    people = select(User.id, User.name).where(User.id.in_(sorted(owner for owner, *_ in found if owner)))
    names = dict(kept(session, people, plain_rows))
    within = _within(counted, period)
    are_lost = outcomes.has_losses(session, as_of=where.as_of)
    rates = [
        OwnerRate(
            names[owner] if owner else NOBODY,
            Rate(won, closed, why_no_win_rate(closed, has_losses=are_lost)),
            within.model_copy(update={"owners": frozenset({owner})} if owner else {"without_owner": True}),
        )
        for owner, closed, won in found
    ]
    return sorted(rates, key=lambda each: (-each.rate.n, fold(each.label)))


def lost_reasons(session: Session, period: Period, where: OpportunityFilter) -> list[Segment]:
    """Why deals were lost in the period, most deals first; “Not given” last, and always there."""
    figure = measure(session, MetricName.LOST_REASONS, where, period=period).figure
    lost = _within(where, period, stages=frozenset({LOST_STAGE}))
    segments = []
    for key, part in figure.parts.items():
        reason: Mapping[str, Any] = (
            {"without_reason": True} if key == NOT_GIVEN else {"close_reasons": frozenset({int(key)})}
        )
        group = part.counted
        segments.append(
            Segment(
                part.label or key,
                "",
                group.count,
                group.known_value,
                group.without_value,
                lost.model_copy(update=reason),
            )
        )
    given, not_given = segments[:-1], segments[-1:]
    return [*sorted((each for each in given if each.deals), key=lambda each: -each.deals), *not_given]


def funnel(session: Session, period: Period, where: OpportunityFilter) -> Funnel:
    """How far the deals that were created in the period came: for each stage those who went on to the next,
    those still pending, and those lost there; at the end those who were won."""
    figure = measure(session, MetricName.FUNNEL, where, period=period).figure
    parts = figure.parts
    created = where.model_copy(
        update={
            "created_from": period.start,
            "created_to": period.last_day,
            "counted": True,
            "credit_at_creation": _is_about_owners(where),
        }
    )
    only_won = created.model_copy(
        update={"stages": frozenset({WON}), "furthest": frozenset({OPEN_STAGES[-1]})}
    )
    segments = []
    for step, stage in enumerate(OPEN_STAGES):
        behind = frozenset(OPEN_STAGES[step + 1 :])
        if behind:
            went_on = parts[OPEN_STAGES[step + 1]].counted
            went_on_where = created.model_copy(update={"furthest": behind})
        else:
            went_on = parts[WON].counted
            went_on_where = only_won
        here = created.model_copy(update={"furthest": frozenset({stage})})
        kinds = [
            (WENT_ON, went_on, went_on_where),
            (PENDING, parts[stage].apart[PENDING], here.model_copy(update={"is_open": True})),
            (LOST, parts[stage].apart[LOST], here.model_copy(update={"stages": frozenset({LOST_STAGE})})),
        ]
        segments += [
            Segment(stage.label, kind, group.count, group.known_value, group.without_value, which)
            for kind, group, which in kinds
        ]
    won = parts[WON].counted
    segments.append(Segment("Won", WON_AT_LAST, won.count, won.known_value, won.without_value, only_won))
    return Funnel(segments, _path_unknown(figure, created.model_copy(update={"path_unknown": True})))


def _path_unknown(figure: Figure, where: OpportunityFilter) -> LeftOut:
    return LeftOut("Path unknown", figure.left_out[PATH_UNKNOWN].count, where)


def time_in_stage(session: Session, period: Period, where: OpportunityFilter) -> TimeInStage:
    """For each open stage how long the stays that began in the period take."""
    figure = measure(session, MetricName.TIME_IN_STAGE, where, period=period).figure
    parts = figure.parts
    began = where.model_copy(
        update={
            "entered_from": period.start,
            "entered_to": period.last_day,
            "counted": True,
            "credit_in_stage": _is_about_owners(where),
        }
    )
    stages = [
        StageTime(
            stage,
            _days(parts[stage].value),
            parts[stage].n,
            parts[stage].apart[RUNNING].count,
            int(parts[stage].details["deals"] or 0),
            began.model_copy(update={"been_in": frozenset({stage})}),
        )
        for stage in OPEN_STAGES
    ]
    return TimeInStage(stages, _path_unknown(figure, began.model_copy(update={"entry_unknown": True})))


def _segment(
    label: str, stage: OpportunityStage, totals: Any, where: OpportunityFilter, **more: Any
) -> Segment:
    is_unknown = totals.deals and totals.deals == totals.without_value
    value = None if is_unknown else totals.value
    return Segment(
        label, stage.value, totals.deals, value, totals.without_value, where.model_copy(update=more)
    )


def _closed(
    month: Period,
    stage: OpportunityStage,
    deals: int,
    value: Decimal,
    without_value: int,
    where: OpportunityFilter,
) -> Segment:
    within = _within(where, month, stages=frozenset({stage}))
    known = None if deals and deals == without_value else value
    return Segment(month.start.isoformat(), stage.value, deals, known, without_value, within)


def _within(where: OpportunityFilter, period: Period, **more: Any) -> OpportunityFilter:
    """Those of the filter that were closed in the period."""
    return where.model_copy(update={"closed_from": period.start, "closed_to": period.last_day, **more})


def _is_about_owners(where: OpportunityFilter) -> bool:
    return bool(where.owners or where.teams or where.without_owner)


def _days(value: Any) -> float | None:
    return None if value is None else float(value)
