"""How far the deals that were created in a period came."""

from typing import Any

from sqlalchemy import Select, String, case, cast, func

from crm_core.analytics.metrics.base import (
    DOES_NOT_COUNT,
    PATH_UNKNOWN,
    Figure,
    Question,
    by_kind,
    ratio,
)
from crm_core.analytics.metrics.cohort import cohort_of
from crm_core.analytics.rate import Rate
from crm_core.filters.opportunity import furthest_step
from crm_core.models import OPEN_STAGES, OpportunityStage

PENDING, LOST = "pending", "lost"
WON = OpportunityStage.CLOSED_WON


def funnel(asked: Question) -> Figure:
    """How many of the deals created in the period reached each stage: ever came into it or a later one.

    Those who reached a stage are those who reached the next one, those still pending behind it, and those
    lost there. Won are those who are won now: a deal that was reopened came as far as the last open stage.
    Deals of which no open stage is known are left out, won ones too.
    """
    groups = asked.sort_deals(_by_step)
    won = groups[f"{len(OPEN_STAGES) - 1}{WON}"]
    parts: dict[str, Figure] = {WON: Figure(won.count, won, won, label=WON.label)}
    for step, stage in reversed(list(enumerate(OPEN_STAGES))):
        went_on = next(reversed(parts.values())).counted
        behind = {kind: groups[f"{step}{kind}"] for kind in (PENDING, LOST)}
        reached = went_on + behind[PENDING] + behind[LOST]
        parts[stage] = Figure(
            reached.count,
            reached,
            reached,
            apart=behind,
            details={"step_rate": ratio(Rate(went_on.count, reached.count).value)},
            label=stage.label,
        )
    whole = parts[OPEN_STAGES[0]].counted
    in_order = dict(reversed(parts.items()))
    return Figure(whole.count, whole, whole, by_kind(groups, DOES_NOT_COUNT, PATH_UNKNOWN), parts=in_order)


def _by_step(asked: Question) -> Select[Any]:
    """SQL: the deals created in the period by how far they came, and what became of them."""
    cohort = cohort_of(asked)
    deal = cohort.scope.model
    step_reached = cast(furthest_step(deal, cohort.scope.moment), String)
    became = case((deal.is_won, WON.value), (deal.is_open, PENDING), else_=LOST)
    return cohort.rows(
        (deal.is_no_real_loss(), DOES_NOT_COUNT),
        others=func.coalesce(step_reached + became, PATH_UNKNOWN),
    )
