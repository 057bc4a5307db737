"""The states that an imported deal was in: open from its start, and closed from its close on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm_core.importing.cells import normal
from crm_core.importing.deals import Since
from crm_core.importing.plan import PlannedDeal
from crm_core.models import CloseReason, OpportunityStage, Outcome
from crm_core.services import settings_service

State = tuple[datetime, dict[str, Any]]


@dataclass(frozen=True)
class Process:
    """What the workspace and the mapping say about every deal's way through the stages."""

    source: str
    start_stage: OpportunityStage
    probabilities: dict[OpportunityStage, int]
    reasons: dict[tuple[OpportunityStage, str], CloseReason]


def process_of(session: Session, source: str, start_stage: OpportunityStage) -> Process:
    """The workspace's stages and reasons, for deals of that source."""
    return Process(
        source,
        start_stage,
        {stage: settings_service.default_probability(session, stage) for stage in OpportunityStage},
        {
            (OpportunityStage.of(outcome), normal(reason.label)): reason
            for outcome in Outcome
            for reason in settings_service.get_close_reasons(session, outcome, with_inactive=True)
        },
    )


def states_of(opportunity_id: int, planned: PlannedDeal, process: Process) -> Iterator[State]:
    """The deal's states, oldest first: one of an open deal, two of a closed one.

    A closed deal is taken to have been in the mapping's start stage, with its owner, until its close. One
    that ended in the instant it began has its closed state only.
    """
    deal, span = planned.deal, planned.deal.span
    row = _what_never_changed(opportunity_id, planned, process)
    if span.close is None:
        probability = deal.draft.probability
        if probability is None:
            probability = process.probabilities[deal.draft.stage]
        yield _begun(planned.start, row | {"stage": deal.draft.stage, "probability": probability})
        return
    if planned.start.at < span.close.at:
        before = {"stage": process.start_stage, "probability": process.probabilities[process.start_stage]}
        yield _begun(planned.start, row | before)
    yield _begun(span.close, row | _outcome(planned, span.close, process))


def _begun(since: Since, row: dict[str, Any]) -> State:
    return since.at, row | {"valid_from_on": since.day}


def _what_never_changed(opportunity_id: int, planned: PlannedDeal, process: Process) -> dict[str, Any]:
    deal = planned.deal
    return {
        **deal.draft.model_dump(exclude={"stage", "probability"}),
        "id": opportunity_id,
        "created_at": planned.start.at,
        "company_id": planned.company_id,
        "contact_id": planned.contact_id,
        "owner_id": planned.owner_id,
        "external_id": deal.external_id,
        "external_source": process.source if deal.external_id is not None else None,
    }


def _outcome(planned: PlannedDeal, close: Since, process: Process) -> dict[str, Any]:
    """How it ended. A reason that the workspace does not have is kept as a note."""
    deal, stage = planned.deal, planned.deal.draft.stage
    reason = process.reasons.get((stage, normal(deal.close_reason or "")))
    return {
        "stage": stage,
        "probability": 100 if stage is OpportunityStage.CLOSED_WON else 0,
        "closed_at": close.at,
        "actual_close_date": deal.span.closed_on,
        "credited_owner_id": planned.owner_id,
        "close_reason_id": reason.id if reason else None,
        "close_note": deal.close_reason if reason is None or reason.needs_note else None,
    }
