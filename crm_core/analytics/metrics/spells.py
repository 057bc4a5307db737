"""How long deals stay in each stage, from the history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Column, ColumnElement, func, or_, select, type_coerce

from crm_core.analytics.metrics.base import DOES_NOT_COUNT, Figure, Question, by_kind
from crm_core.analytics.wins import A_DAY, AS_STORED
from crm_core.columns import in_utc
from crm_core.filters.base import is_one_of
from crm_core.models import OPEN_STAGES, VERSIONS, Opportunity, OpportunityStage
from crm_core.scope import scope_of

LEFT, RUNNING = "left", "running"

HALF = 0.5 + 1e-9
"""A product of many fractions that is a half is not always 0.5 to the last bit."""


@dataclass(frozen=True)
class Spell:
    """The time from a deal's coming into a stage until it left, or until now if it is still there."""

    deal_id: int
    stage: OpportunityStage
    days: float
    is_running: bool
    counts: bool


def time_in_stage(asked: Question) -> Figure:
    """For each stage the median days of a spell that began in the period, counted for the owner at its end.

    A spell that is still running lasts at least until now. It is not dropped, which would make a slow stage
    look fast: the median is that of the Kaplan-Meier estimate (doi:10.1080/01621459.1958.10501452), None as
    long as fewer than half of the spells are known to have ended. n counts spells; a move back begins a new
    one. `mean_left` is that of the ended ones alone.
    """
    every = spells(asked)
    found = [spell for spell in every if spell.counts]
    groups = asked.gather((spell.deal_id, spell.stage) for spell in found)
    whole = groups.together(OPEN_STAGES)
    never = asked.gather((spell.deal_id, DOES_NOT_COUNT) for spell in every if not spell.counts)
    parts: dict[str, Figure] = {
        stage: _of_stage(asked, stage, [spell for spell in found if spell.stage is stage])
        for stage in OPEN_STAGES
    }
    return Figure(None, whole, whole, by_kind(never, DOES_NOT_COUNT), parts=parts)


def spells(asked: Question) -> list[Spell]:
    """Every stay in an open stage that began in the period, as known at the instant asked for.

    A stay ends when the deal moves on; where it is closed, by the day it was closed on, however late that
    was written down.
    """
    scope = scope_of(asked.session, asked.where.of_anybody(), asked.as_of)
    deal, moment, state = scope.model, scope.moment, VERSIONS[Opportunity].c
    deals = select(deal.id, deal.is_no_real_loss().label("never_counts")).where(*scope.conditions).subquery()
    states = (
        select(
            state.id,
            state.stage,
            state.owner_id,
            deals.c.never_counts,
            state.stage_entered_at,
            _next(state.stage_entered_at).label("next_entered_at"),
            _next(state.closed_at).label("next_closed_at"),
        )
        .join(deals, deals.c.id == state.id)
        .where(state.valid_from <= moment.at)
        .subquery()
    ).c
    is_last = or_(states.next_entered_at.is_(None), states.next_entered_at != states.stage_entered_at)
    begins = [moment.calendar.within(states.stage_entered_at, asked.period)] if asked.period else []
    rows = asked.session.execute(
        select(
            states.id,
            states.stage,
            type_coerce(states.stage_entered_at, AS_STORED),
            type_coerce(states.next_entered_at, AS_STORED),
            type_coerce(states.next_closed_at, AS_STORED),
            states.never_counts,
        ).where(
            states.stage.in_(OPEN_STAGES),
            is_last,
            *begins,
            *asked.where.on_owner(partial(is_one_of, states.owner_id)),
        )
    )
    return [
        Spell(
            deal_id,
            stage,
            _days(entered_at, closed_at or moved_at) if moved_at else _days(in_utc(entered_at), moment.at),
            is_running=moved_at is None,
            counts=not never_counts,
        )
        for deal_id, stage, entered_at, moved_at, closed_at, never_counts in rows
    ]


def _next(column: Column[Any]) -> ColumnElement[Any]:
    """SQL: the column's value in the state that followed."""
    state = VERSIONS[Opportunity].c
    return func.lead(column, type_=column.type).over(partition_by=state.id, order_by=state.valid_from)


def _of_stage(asked: Question, stage: OpportunityStage, found: Sequence[Spell]) -> Figure:
    groups = asked.gather((spell.deal_id, RUNNING if spell.is_running else LEFT) for spell in found)
    whole = groups.together((LEFT, RUNNING))
    ended = [spell.days for spell in found if not spell.is_running]
    return Figure(
        survival_median(found),
        whole,
        whole,
        apart={RUNNING: groups[RUNNING]},
        details={"mean_left": sum(ended) / len(ended) if ended else None},
        label=stage.label,
    )


def survival_median(found: Sequence[Spell]) -> float | None:
    """The first length after which no more than half of the spells go on, by Kaplan and Meier."""
    if all(spell.is_running for spell in found):
        return None
    from scipy.stats import CensoredData, ecdf  # takes a second, and hardly any other figure needs it

    lengths = CensoredData.right_censored(
        [spell.days for spell in found], [spell.is_running for spell in found]
    )
    goes_on = ecdf(lengths).sf
    halved = goes_on.probabilities <= HALF
    return float(goes_on.quantiles[halved.argmax()]) if halved.any() else None


def _days(since: datetime, until: datetime) -> float:
    """Never negative: a deal may be closed by a day before it came into its last stage."""
    return max((until - since) / A_DAY, 0.0)
