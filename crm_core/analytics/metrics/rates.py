"""How often: deals won of those closed or created, leads that became deals, and why deals were lost."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Select, String, case, cast, select

from crm_core.analytics.metrics.base import (
    COUNTED,
    DOES_NOT_COUNT,
    OTHERS,
    WITHOUT_VALUE,
    Figure,
    Group,
    Groups,
    Question,
    Unit,
    by_kind,
    ratio,
    share,
)
from crm_core.analytics.metrics.cohort import cohort_of
from crm_core.analytics.outcomes import has_losses
from crm_core.analytics.rate import Rate, ValueRate, why_no_win_rate
from crm_core.filters import FieldsDoNotApply, LeadFilter
from crm_core.models import CloseReason, LeadStatus, Outcome
from crm_core.scope import scope_of

OPEN, LOST = "open", "lost"
NOT_GIVEN = "not_given"


class NotAskedOfLeads(FieldsDoNotApply):
    sentence = "Leads can't be filtered by {fields}. Leave that out of the filter."


def win_rate(asked: Question) -> Figure:
    """Won ÷ (won + lost), by count, of the deals closed in the period."""
    deal = asked.deal
    groups = asked.deals(
        asked.closed, (deal.is_no_real_loss(), DOES_NOT_COUNT), (deal.is_won, COUNTED), others=OTHERS
    )
    return share(groups, without=[DOES_NOT_COUNT], status=_status(asked, groups))


def win_rate_by_value(asked: Question) -> Figure:
    """Won value ÷ (won + lost value) of the deals closed in the period."""
    deal = asked.deal
    groups = asked.deals(
        asked.closed,
        (deal.is_no_real_loss(), DOES_NOT_COUNT),
        (deal.expected_value.is_(None), WITHOUT_VALUE),
        (deal.is_won, COUNTED),
        others=OTHERS,
    )
    counted, out_of = groups[COUNTED], groups.together((COUNTED, OTHERS))
    status = _status(asked, groups)
    rate = ValueRate(counted.value, out_of.value, out_of.count, groups[WITHOUT_VALUE].count, status)
    left_out = by_kind(groups, DOES_NOT_COUNT, WITHOUT_VALUE)
    return Figure(ratio(rate.value), counted, out_of, left_out, status=status)


def _status(asked: Question, groups: Groups) -> str | None:
    """Why there is no win rate of these deals, if there is none."""
    lost = groups[OTHERS].count
    are_lost = lost > 0 or has_losses(asked.session, as_of=asked.as_of or asked.where.as_of)
    return why_no_win_rate(groups[COUNTED].count + lost, has_losses=are_lost)


def created_cohort(asked: Question) -> Figure:
    """Won until now ÷ created in the period, with the share that is still open."""
    cohort = cohort_of(asked)
    deal = cohort.scope.model
    groups = asked.sort(
        cohort.rows(
            (deal.is_no_real_loss(), DOES_NOT_COUNT),
            (deal.is_won, COUNTED),
            (deal.is_open, OPEN),
            others=LOST,
        )
    )
    out_of = groups.together((COUNTED, OPEN, LOST))
    rate = Rate(groups[COUNTED].count, out_of.count)
    return Figure(
        ratio(rate.value),
        groups[COUNTED],
        out_of,
        by_kind(groups, DOES_NOT_COUNT),
        apart=by_kind(groups, OPEN, LOST),
        interval=rate.interval,
        details={
            f"share_{kind}": ratio(Rate(groups[kind].count, out_of.count).value) for kind in (OPEN, LOST)
        },
    )


def lead_conversion(asked: Question) -> Figure:
    """Converted until now ÷ leads created in the period. Raises `NotAskedOfLeads`."""
    scope = scope_of(asked.session, _leads_of(asked), asked.as_of)
    lead = scope.model
    within = [asked.period.has(lead.created_on)] if asked.period else []
    kind = case((lead.status == LeadStatus.CONVERTED, COUNTED), else_=OTHERS)
    rows = select(lead.id, kind.label("kind"), lead.estimated_value.label("amount"))
    return share(asked.sort(rows.where(*within, *scope.conditions)))


def lost_reasons(asked: Question) -> Figure:
    """How many deals were lost in the period, and the share of each reason, by count and by value."""
    groups = asked.sort_deals(_by_reason)
    labels = {
        str(reason.id): reason.label
        for reason in asked.session.scalars(
            select(CloseReason)
            .where(CloseReason.outcome == Outcome.LOST, CloseReason.counts)
            .order_by(CloseReason.id)
        )
        if reason.is_active or str(reason.id) in groups
    } | {NOT_GIVEN: "Not given"}
    lost = groups.together(labels)
    return Figure(
        lost.count,
        lost,
        lost,
        by_kind(groups, DOES_NOT_COUNT),
        parts={kind: _share_of_reason(groups[kind], lost, label) for kind, label in labels.items()},
    )


def _by_reason(asked: Question) -> Select[Any]:
    """SQL: the deals lost in the period by their reason."""
    deal = asked.deal
    kind = case(
        (deal.is_no_real_loss(), DOES_NOT_COUNT),
        (deal.close_reason_id.is_(None), NOT_GIVEN),
        else_=cast(deal.close_reason_id, String),
    )
    return select(deal.id, kind.label("kind"), deal.expected_value.label("amount")).where(
        deal.is_lost, asked.closed, *asked.scope.conditions
    )


def _share_of_reason(reason: Group, lost: Group, label: str) -> Figure:
    rate = Rate(reason.count, lost.count)
    by_value = ValueRate(reason.value, lost.value, lost.count - lost.without_value, lost.without_value)
    details = {"deals": reason.count, "value": reason.known_value, "share_by_value": ratio(by_value.value)}
    whole = replace(lost, ids=None)  # the figure itself names them
    return Figure(
        ratio(rate.value),
        reason,
        whole,
        interval=rate.interval,
        details=details,
        label=label,
        unit=Unit.RATIO,
    )


def _leads_of(asked: Question) -> LeadFilter:
    """What the filter asks, of leads."""
    if foreign := asked.narrowed_by.keys() - LeadFilter.model_fields.keys():
        raise NotAskedOfLeads(foreign)
    return LeadFilter(**asked.narrowed_by)
