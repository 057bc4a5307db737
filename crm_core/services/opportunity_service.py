"""What can be done with an opportunity, and what can't."""

from datetime import date
from enum import StrEnum
from typing import Any

from pydantic import MISSING
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, joinedload

from crm_core.columns import lowered, storable_text
from crm_core.database import instant
from crm_core.errors import InvalidInput, NotFound, RuleBroken
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import (
    Company,
    Contact,
    Opportunity,
    OpportunityStage,
    Outcome,
    Record,
    StageSettings,
    User,
)
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityResponse, OpportunityUpdate
from crm_core.services import settings_service

LARGEST_PAGE = 200


class OpportunityNotFound(NotFound):
    def __init__(self, opportunity_id: int) -> None:
        super().__init__(f"There is no opportunity {opportunity_id}; it may have been deleted.")


class OpportunityIsClosed(RuleBroken):
    def __init__(self, opportunity: Opportunity) -> None:
        super().__init__(f"“{opportunity.name}” is already {opportunity.stage.label}. Reopen it first.")


class OpportunityIsOpen(RuleBroken):
    def __init__(self, opportunity: Opportunity) -> None:
        super().__init__(f"“{opportunity.name}” is open already.")


class CloseNeedsOutcome(RuleBroken):
    def __init__(self, name: str) -> None:
        super().__init__(f"A stage can't close “{name}”. Close it as won or lost instead.")


class ReopenNeedsOpenStage(RuleBroken):
    def __init__(self) -> None:
        super().__init__("A deal is reopened into an open stage. Choose one.")


class TooEarlyToWin(RuleBroken):
    def __init__(self, opportunity: Opportunity, stages: list[OpportunityStage]) -> None:
        allowed = " or ".join(stage.label.lower() for stage in stages)
        super().__init__(
            f"“{opportunity.name}” is still in {opportunity.stage.label.lower()}."
            f" Deals are won from {allowed}: move it first."
        )


class LossNeedsReason(RuleBroken):
    def __init__(self) -> None:
        super().__init__("Say why the deal was lost: choose a reason.")


class ReasonNeedsNote(RuleBroken):
    def __init__(self, label: str) -> None:
        super().__init__(f"“{label}” says little by itself: add a note.")


class WrongReason(RuleBroken):
    def __init__(self, label: str, outcome: Outcome) -> None:
        super().__init__(f"“{label}” is no reason for a {outcome} deal. Choose another.")


class ImpossibleCloseDate(RuleBroken):
    pass


class OpportunitySort(StrEnum):
    """Orders a list can be in; unknown values come last, and the id decides between equals."""

    NAME = "name"
    NAME_DESCENDING = "-name"
    COMPANY = "company"
    COMPANY_DESCENDING = "-company"
    VALUE = "value"
    VALUE_DESCENDING = "-value"
    STAGE = "stage"
    STAGE_DESCENDING = "-stage"
    EXPECTED_CLOSE = "expected_close"
    EXPECTED_CLOSE_DESCENDING = "-expected_close"
    OWNER = "owner"
    OWNER_DESCENDING = "-owner"
    CREATED = "created"
    CREATED_DESCENDING = "-created"

    @property
    def is_descending(self) -> bool:
        return self.value.startswith("-")

    @property
    def column(self) -> str:
        """What it sorts by, whichever way round."""
        return self.value.removeprefix("-")

    @property
    def reversed(self) -> "OpportunitySort":
        """The same column the other way round."""
        return OpportunitySort(self.column if self.is_descending else f"-{self.column}")

    @property
    def label(self) -> str:
        rising, falling = {
            "value": ("lowest first", "highest first"),
            "stage": ("first to last", "last to first"),
            "expected_close": ("soonest first", "latest first"),
            "created": ("oldest first", "newest first"),
        }.get(self.column, ("A to Z", "Z to A"))
        name = self.column.replace("_", " ").capitalize()
        return f"{name}, {falling if self.is_descending else rising}"


SORT_COLUMNS: dict[str, ColumnElement[Any]] = {
    "name": lowered(Opportunity.name),
    "company": lowered(Company.name),
    "value": Opportunity.expected_value.expression,
    "stage": Opportunity.stage_order(),
    "expected_close": Opportunity.expected_close_date.expression,
    "owner": lowered(User.name),
    "created": Opportunity.created_at.expression,
}


def create_opportunity(session: Session, draft: OpportunityCreate) -> Opportunity:
    """Create an open deal; without a probability it gets its stage's default.

    The same `request_id` again returns the first deal. Raises `CloseNeedsOutcome` for a closed stage and
    `NotFound` for a company, contact or owner that does not exist.
    """
    if draft.request_id is not None and (first := _find_by_request(session, draft.request_id)):
        return first
    if draft.stage.is_closed:
        raise CloseNeedsOutcome(draft.name)
    _require_existing(session, draft.model_dump())
    answers = draft.model_dump()
    if answers["probability"] is None:
        answers["probability"] = settings_service.default_probability(session, draft.stage)
    opportunity = Opportunity(**answers)
    session.add(opportunity)
    session.flush()  # gives it its id
    return opportunity


def get_opportunity(session: Session, opportunity_id: int) -> Opportunity:
    """One deal that was not deleted. Raises `OpportunityNotFound`."""
    opportunity = session.get(Opportunity, opportunity_id)
    if opportunity is None or opportunity.deleted_at is not None:
        raise OpportunityNotFound(opportunity_id)
    return opportunity


def get_opportunities(
    session: Session,
    where: OpportunityFilter = EVERYTHING,
    *,
    sort: OpportunitySort = OpportunitySort.VALUE_DESCENDING,
    limit: int = 50,
    offset: int = 0,
) -> list[OpportunityResponse]:
    """A page of the filtered and sorted list, with the names of companies and owners."""
    if not 1 <= limit <= LARGEST_PAGE or offset < 0:
        raise InvalidInput(f"A page has between 1 and {LARGEST_PAGE} rows.")
    chosen = select(Opportunity).where(*_conditions(session, where))
    chosen = chosen.options(joinedload(Opportunity.company), joinedload(Opportunity.owner))
    return [_response(found) for found in session.scalars(_sorted(chosen, sort).limit(limit).offset(offset))]


def count_opportunities(session: Session, where: OpportunityFilter = EVERYTHING) -> int:
    """How many deals the whole filtered list has."""
    conditions = _conditions(session, where)
    return session.scalar(select(func.count()).select_from(Opportunity).where(*conditions)) or 0


def update_opportunity(session: Session, opportunity_id: int, changes: OpportunityUpdate) -> Opportunity:
    """Change what was sent. A changed stage is a move; a closed deal keeps its stage and probability."""
    opportunity = get_opportunity(session, opportunity_id)
    sent = {field: getattr(changes, field) for field in changes.model_fields_set}
    sent = {field: value for field, value in sent.items() if value is not MISSING}
    _require_existing(session, sent)
    probability = sent.pop("probability", None)
    stage = sent.pop("stage", opportunity.stage)
    if stage is not opportunity.stage:
        move_opportunity(session, opportunity_id, to=stage, probability=probability)
    elif probability is not None:
        if not opportunity.is_open:
            raise OpportunityIsClosed(opportunity)
        opportunity.probability = probability
    for field, value in sent.items():
        setattr(opportunity, field, value)
    return opportunity


def move_opportunity(
    session: Session, opportunity_id: int, *, to: OpportunityStage, probability: int | None = None
) -> Opportunity:
    """Move an open deal to another open stage; its probability follows unless the call gives one.

    Raises `OpportunityIsClosed`, and `CloseNeedsOutcome` for a closed stage.
    """
    opportunity = get_opportunity(session, opportunity_id)
    if not opportunity.is_open:
        raise OpportunityIsClosed(opportunity)
    if to.is_closed:
        raise CloseNeedsOutcome(opportunity.name)
    if probability is not None:
        opportunity.probability = probability
    elif to is not opportunity.stage and settings_service.get_settings(session).probability_follows_stage:
        opportunity.probability = settings_service.default_probability(session, to)
    opportunity.stage = to
    return opportunity


def close_opportunity(
    session: Session,
    opportunity_id: int,
    *,
    outcome: Outcome,
    reason_id: int | None = None,
    note: str | None = None,
    on: date | None = None,
) -> Opportunity:
    """Close a deal as won or lost, today or on a past day; the owner of now gets the credit.

    A past day counts from its last second. Raises `OpportunityIsClosed`, `TooEarlyToWin`, `LossNeedsReason`,
    `ReasonNeedsNote`, `WrongReason`, `ImpossibleCloseDate`.
    """
    opportunity = get_opportunity(session, opportunity_id)
    if not opportunity.is_open:
        raise OpportunityIsClosed(opportunity)
    if outcome is Outcome.WON:
        _require_winnable(session, opportunity)
    _require_reason(session, outcome, reason_id, note)
    calendar, now = settings_service.get_calendar(session), instant(session)
    today, created = calendar.day_of(now), calendar.day_of(opportunity.created_at)
    on = on or today
    if on > today:
        raise ImpossibleCloseDate(
            f"“{opportunity.name}” can't be closed in the future. Choose a day up to today."
        )
    if on < created:
        raise ImpossibleCloseDate(
            f"“{opportunity.name}” was created on {created:%Y-%m-%d}; it can't be closed before that day."
        )
    opportunity.stage = OpportunityStage.of(outcome)
    opportunity.probability = 100 if outcome is Outcome.WON else 0
    opportunity.closed_at = now if on == today else max(calendar.last_second_of(on), opportunity.created_at)
    opportunity.actual_close_date = on
    opportunity.close_reason_id = reason_id
    opportunity.close_note = None if note is None else storable_text(note)
    opportunity.credited_owner_id = opportunity.owner_id
    return opportunity


def reopen_opportunity(session: Session, opportunity_id: int, *, to: OpportunityStage) -> Opportunity:
    """Take a closed deal back into an open stage; how it was closed stays in its history only.

    Raises `OpportunityIsOpen` and `ReopenNeedsOpenStage`.
    """
    opportunity = get_opportunity(session, opportunity_id)
    if opportunity.is_open:
        raise OpportunityIsOpen(opportunity)
    if to.is_closed:
        raise ReopenNeedsOpenStage
    probability = settings_service.default_probability(session, to)
    opportunity.stage, opportunity.probability = to, probability
    opportunity.closed_at = opportunity.actual_close_date = None
    opportunity.close_reason_id = opportunity.close_note = opportunity.credited_owner_id = None
    return opportunity


def delete_opportunity(session: Session, opportunity_id: int) -> Opportunity:
    """Take a deal out of every list and figure from now on; `restore_opportunity` brings it back."""
    opportunity = get_opportunity(session, opportunity_id)
    opportunity.deleted_at = instant(session)
    return opportunity


def restore_opportunity(session: Session, opportunity_id: int) -> Opportunity:
    """Bring back a deleted deal as it was. A deal that was not deleted stays as it is."""
    opportunity = session.get(Opportunity, opportunity_id)
    if opportunity is None:
        raise OpportunityNotFound(opportunity_id)
    opportunity.deleted_at = None
    return opportunity


def _find_by_request(session: Session, request_id: str) -> Opportunity | None:
    return session.scalar(select(Opportunity).where(Opportunity.request_id == request_id))


def _require_existing(session: Session, answers: dict[str, object]) -> None:
    """Whatever the answers point to must be there."""
    named: tuple[tuple[str, type[Record] | type[User], str], ...] = (
        ("company_id", Company, "company"),
        ("contact_id", Contact, "contact"),
        ("owner_id", User, "user"),
    )
    for field, model, noun in named:
        if (key := answers.get(field)) is None:
            continue
        found = session.get(model, key)
        if found is None or getattr(found, "deleted_at", None) is not None:
            raise NotFound(f"There is no {noun} {key}; it may have been deleted. Choose another.")


def _require_winnable(session: Session, opportunity: Opportunity) -> None:
    stages = session.scalars(select(StageSettings.stage).where(StageSettings.can_be_won)).all()
    if opportunity.stage not in stages:
        raise TooEarlyToWin(opportunity, [stage for stage in OpportunityStage if stage in stages])


def _require_reason(session: Session, outcome: Outcome, reason_id: int | None, note: str | None) -> None:
    if reason_id is None:
        if outcome is Outcome.LOST:
            raise LossNeedsReason
        return
    reason = settings_service.get_close_reason(session, reason_id)
    if reason.outcome is not outcome:
        raise WrongReason(reason.label, outcome)
    if reason.needs_note and not (note or "").strip():
        raise ReasonNeedsNote(reason.label)


def _conditions(session: Session, where: OpportunityFilter) -> list[ColumnElement[bool]]:
    calendar = settings_service.get_calendar(session)
    return where.conditions(Opportunity, calendar=calendar, today=calendar.day_of(instant(session)))


def _sorted(chosen: Select[Opportunity], sort: OpportunitySort) -> Select[Opportunity]:
    if sort.column == "company":
        chosen = chosen.outerjoin(Opportunity.company)
    if sort.column == "owner":
        chosen = chosen.outerjoin(Opportunity.owner)
    column = SORT_COLUMNS[sort.column]
    if sort.is_descending:
        return chosen.order_by(column.desc().nulls_last(), Opportunity.id.desc())
    return chosen.order_by(column.asc().nulls_last(), Opportunity.id)


def _response(opportunity: Opportunity) -> OpportunityResponse:
    """For lists: with the names of what it belongs to."""
    response = OpportunityResponse.model_validate(opportunity)
    response.company_name = opportunity.company.name if opportunity.company else None
    response.owner_name = opportunity.owner.name if opportunity.owner else None
    return response
