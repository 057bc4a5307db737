"""The states that an imported deal was in: open from its start, and closed from its close on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from crm_core.database import instant
from crm_core.folding import fold
from crm_core.importing.deals import Since
from crm_core.importing.plan import PlannedDeal
from crm_core.models import OPEN_STAGES, Assumed, CloseReason, OpportunityStage, Outcome
from crm_core.services import settings_service

State = tuple[datetime, dict[str, Any]]

SHORTEST = timedelta(microseconds=1)
"""The shortest that a state lasts."""


@dataclass(frozen=True)
class Process:
    """What the workspace and the mapping say about every deal's way through the stages, at the import."""

    source: str
    at: datetime
    start_stage: OpportunityStage
    probabilities: dict[OpportunityStage, int]
    reasons: dict[tuple[OpportunityStage, str], CloseReason]


def process_of(session: Session, source: str, start_stage: OpportunityStage) -> Process:
    """The workspace's stages and reasons, for deals of that source."""
    return Process(
        source,
        instant(session),
        start_stage,
        {stage: settings_service.default_probability(session, stage) for stage in OpportunityStage},
        {
            (OpportunityStage.of(outcome), fold(reason.label)): reason
            for outcome in Outcome
            for reason in settings_service.get_close_reasons(session, outcome, with_inactive=True)
        },
    )


def states_of(opportunity_id: int, planned: PlannedDeal, process: Process) -> Iterator[State]:
    """The deal's states, oldest first: one of an open deal, two of a closed one.

    A closed deal was open until its close, with its owner, in the stage that the file says it was closed in.
    Where the file does not say it, the stage is the mapping's start stage, and marked as assumed; one that
    ended in the instant it began has its closed state only then.
    """
    deal, span = planned.deal, planned.deal.span
    row = _what_never_changed(opportunity_id, planned, process)
    if span.close is None:
        probability = deal.draft.probability
        if probability is None:
            probability = process.probabilities[deal.draft.stage]
        yield _begun(planned.start, row | {"stage": deal.draft.stage, "probability": probability})
        return
    close = span.close
    if deal.closed_in is not None and close.at == planned.start.at:
        close = replace(close, at=min(close.at + SHORTEST, process.at))
    if planned.start.at < close.at:
        yield _begun(planned.start, row | _before_the_close(deal.closed_in, process))
    yield _begun(close, row | _outcome(planned, close, process))


def _begun(since: Since, row: dict[str, Any]) -> State:
    return since.at, row | {"valid_from_on": since.day}


def _before_the_close(stage: OpportunityStage | None, process: Process) -> dict[str, Any]:
    """How it was open. When it came into a later stage than the first is not known."""
    assumed = None
    if stage is None:
        stage, assumed = process.start_stage, Assumed.STAGE
    elif stage is not OPEN_STAGES[0]:
        assumed = Assumed.ENTRY
    return {"stage": stage, "probability": process.probabilities[stage], "assumed": assumed}


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
    reason = process.reasons.get((stage, fold(deal.close_reason or "")))
    return {
        "stage": stage,
        "probability": 100 if stage is OpportunityStage.CLOSED_WON else 0,
        "closed_at": close.at,
        "actual_close_date": deal.span.closed_on,
        "credited_owner_id": planned.owner_id,
        "close_reason_id": reason.id if reason else None,
        "close_note": deal.close_reason if reason is None or reason.needs_note else None,
    }
