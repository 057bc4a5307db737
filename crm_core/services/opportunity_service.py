"""What can be done with an opportunity, and what can't."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import listing
from crm_core.analytics import stats
from crm_core.analytics.pipeline import ListTotals, list_totals
from crm_core.analytics.stats import PipelineStats
from crm_core.columns import storable_text
from crm_core.database import instant
from crm_core.errors import InvalidInput, RuleBroken
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import Lead, LeadStatus, Opportunity, OpportunityStage, Outcome
from crm_core.periods import Period
from crm_core.schemas.conversion import Conversion, ConversionChoice, How
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityResponse, OpportunityUpdate
from crm_core.scope import scope_of
from crm_core.services import closing, conversion, records, settings_service
from crm_core.sorting import OpportunitySort
from crm_core.timeline import HistoryEntry, RecordEntry


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


AS_MATCHED = ConversionChoice()

NOT_CLOSED = dict.fromkeys(
    ("closed_at", "actual_close_date", "close_reason_id", "close_note", "credited_owner_id")
)
"""What a deal loses when it is reopened."""


@dataclass(frozen=True)
class OpportunityPage:
    """Some rows of a list, what the whole list adds up to, and where it goes on; None at its end."""

    rows: list[OpportunityResponse]
    totals: ListTotals
    next_cursor: str | None


def create_opportunity(session: Session, draft: OpportunityCreate) -> Opportunity:
    """Create an open deal; without a probability it gets its stage's default.

    The same `request_id` again returns the first deal. Raises `CloseNeedsOutcome` for a closed stage,
    `OtherCurrency` and `FinerThanCurrency` for an amount, `RecordNotFound` and `OwnerIsInactive` for a
    company, contact or owner that it can't have.
    """
    settings_service.require_amounts(session, draft, draft.expected_value)
    return _create(session, draft)


def _create(session: Session, draft: OpportunityCreate) -> Opportunity:
    """`create_opportunity` with an amount that may be finer than the currency, as the lead's it came from."""
    if first := records.find_first(session, Opportunity, draft):
        return first
    if draft.stage.is_closed:
        raise CloseNeedsOutcome(draft.name)
    answers = draft.model_dump()
    if answers["probability"] is None:
        answers["probability"] = settings_service.default_probability(session, draft.stage)
    return records.add(session, Opportunity(**answers))


def get_opportunity(session: Session, opportunity_id: int) -> Opportunity:
    """One deal that was not deleted. Raises `RecordNotFound`."""
    return records.get(session, Opportunity, opportunity_id)


def get_opportunities(
    session: Session,
    where: OpportunityFilter = EVERYTHING,
    *,
    sort: OpportunitySort = OpportunitySort.VALUE_DESCENDING,
    limit: int = 50,
    offset: int = 0,
    after: str | None = None,
) -> OpportunityPage:
    """A page of the filtered and sorted list, and the totals of the whole list.

    It begins at an offset, or after the `next_cursor` of the page before. Raises `InvalidInput` for a page
    without a size and for a cursor of another list.
    """
    part = listing.get_slice(
        session, where, sort, OpportunityResponse, limit=limit, offset=offset, after=after
    )
    return OpportunityPage(part.rows, list_totals(session, where), part.next_cursor)


def get_row(session: Session, opportunity_id: int) -> OpportunityResponse:
    """One deal as a row of the list. Raises `RecordNotFound`."""
    return listing.told(session, get_opportunity(session, opportunity_id), OpportunityResponse)


def get_rows(
    session: Session,
    where: OpportunityFilter = EVERYTHING,
    *,
    sort: OpportunitySort = OpportunitySort.VALUE_DESCENDING,
    limit: int = 50,
    offset: int = 0,
) -> list[OpportunityResponse]:
    """A page of the list by itself, with the names of companies, contacts and owners."""
    return listing.get_rows(session, where, sort, OpportunityResponse, limit=limit, offset=offset)


def count_opportunities(session: Session, where: OpportunityFilter = EVERYTHING) -> int:
    """How many deals the whole filtered list has."""
    return listing.count(session, where)


def find_opportunity_ids(session: Session, where: OpportunityFilter) -> list[int]:
    """The keys of every deal in the filter as it is now, for a change of them all."""
    scope = scope_of(session, where)
    return list(session.scalars(select(scope.model.id).where(*scope.conditions).order_by(scope.model.id)))


def get_sources(session: Session) -> list[str]:
    """Where deals came from, the sources that most of them have first."""
    return listing.values_of(session, EVERYTHING, Opportunity.source)


def get_history(
    session: Session, opportunity_id: int, *, limit: int = 100, offset: int = 0
) -> list[HistoryEntry]:
    """What was changed about a deal, newest first; of a deleted one too. Raises `RecordNotFound`."""
    return records.get_history(session, Opportunity, opportunity_id, limit=limit, offset=offset)


def get_whole_history(
    session: Session, opportunity_id: int, *, limit: int = 100, offset: int = 0
) -> list[RecordEntry]:
    """What was changed about a deal and about the leads that were converted into it.

    Newest first, of deleted records too; only of leads that the actor may read. Raises `RecordNotFound`.
    """
    return records.get_whole_history(session, Opportunity, opportunity_id, limit=limit, offset=offset)


def get_pipeline_stats(
    session: Session,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
) -> PipelineStats:
    """Each stage, what is open, and what was won and lost in the period (without one, ever).

    As known at `as_of`, by default at the filter's instant, or else now. docs/metrics.md defines each figure.
    """
    return stats.pipeline_stats(session, where, as_of=as_of, period=period)


def update_opportunity(
    session: Session,
    opportunity_id: int,
    changes: OpportunityUpdate,
    *,
    expected_version: int | None = None,
) -> Opportunity:
    """Change what was sent. A changed stage is a move; a closed deal keeps its stage and probability.

    Raises `OpportunityIsClosed`, `CloseNeedsOutcome`, `OtherCurrency`, `FinerThanCurrency`, and what
    `records.get_to_change` and `records.apply` raise.
    """
    opportunity = _get_to_change(session, opportunity_id, expected_version)
    answers = records.sent(opportunity, changes)
    settings_service.require_amounts(session, changes, answers.get("expected_value"))
    records.require_references(session, answers)
    probability = changes.model_dump().get("probability")
    if {"stage", "probability"} & answers.keys():
        _move(session, opportunity, to=answers.pop("stage", opportunity.stage), probability=probability)
        answers.pop("probability", None)
    records.apply(opportunity, answers)
    return opportunity


def move_opportunity(
    session: Session,
    opportunity_id: int,
    *,
    to: OpportunityStage,
    probability: int | None = None,
    expected_version: int | None = None,
) -> Opportunity:
    """Move an open deal to another open stage; its probability follows unless the call gives one.

    Raises `OpportunityIsClosed`, and `CloseNeedsOutcome` for a closed stage.
    """
    opportunity = _get_to_change(session, opportunity_id, expected_version)
    _move(session, opportunity, to=to, probability=probability)
    return opportunity


def close_opportunity(
    session: Session,
    opportunity_id: int,
    *,
    outcome: Outcome,
    reason_id: int | None = None,
    note: str | None = None,
    on: date | None = None,
    expected_version: int | None = None,
) -> Opportunity:
    """Close a deal as won or lost, today or on a past day; the owner of now gets the credit.

    A past day counts from its last second. Raises `OpportunityIsClosed` and what `closing` refuses.
    """
    opportunity = _get_to_change(session, opportunity_id, expected_version)
    if not opportunity.is_open:
        raise OpportunityIsClosed(opportunity)
    if outcome is Outcome.WON:
        closing.require_winnable(session, opportunity)
    closing.require_reason(session, outcome, reason_id, note)
    calendar, now = settings_service.get_calendar(session), instant(session)
    today = calendar.day_of(now)
    on = on or today
    closing.require_possible_day(session, opportunity, on)
    records.apply(
        opportunity,
        {
            "stage": OpportunityStage.of(outcome),
            "probability": 100 if outcome is Outcome.WON else 0,
            "closed_at": now if on == today else max(calendar.last_second_of(on), opportunity.created_at),
            "actual_close_date": on,
            "close_reason_id": reason_id,
            "close_note": None if note is None else storable_text(note),
            "credited_owner_id": opportunity.owner_id,
        },
    )
    return opportunity


def reopen_opportunity(
    session: Session,
    opportunity_id: int,
    *,
    to: OpportunityStage,
    probability: int | None = None,
    expected_version: int | None = None,
) -> Opportunity:
    """Take a closed deal back into an open stage; how it was closed stays in its history only.

    Raises `OpportunityIsOpen` and `ReopenNeedsOpenStage`.
    """
    opportunity = _get_to_change(session, opportunity_id, expected_version)
    if opportunity.is_open:
        raise OpportunityIsOpen(opportunity)
    if to.is_closed:
        raise ReopenNeedsOpenStage
    if probability is None:
        probability = settings_service.default_probability(session, to)
    _require_percent(probability)
    records.apply(opportunity, {"stage": to, "probability": probability, **NOT_CLOSED})
    return opportunity


def delete_opportunity(
    session: Session, opportunity_id: int, *, expected_version: int | None = None
) -> Opportunity:
    """Take a deal out of every list and figure from now on; `restore_opportunity` brings it back."""
    opportunity = _get_to_change(session, opportunity_id, expected_version)
    records.delete(session, opportunity)
    return opportunity


def restore_opportunity(
    session: Session, opportunity_id: int, *, expected_version: int | None = None
) -> Opportunity:
    """Bring back a deleted deal as it was. A deal that was not deleted stays as it is.

    Raises `BelongsToDeleted` if its company or contact was deleted too.
    """
    return records.restore(session, Opportunity, opportunity_id, expected_version=expected_version)


def assign_opportunities(
    session: Session,
    opportunity_ids: Collection[int],
    *,
    owner_id: int | None,
    expected_versions: Mapping[int, int] | None = None,
) -> list[Opportunity]:
    """Give many deals to one owner, or to nobody: all of them, or none. Credit for closed ones stays.

    Raises `NothingWasChanged`, which tells for each deal that was refused why.
    """
    records.require_references(session, {"owner_id": owner_id})
    changes = OpportunityUpdate(owner_id=owner_id)
    return update_opportunities(session, opportunity_ids, changes, expected_versions=expected_versions)


def update_opportunities(
    session: Session,
    opportunity_ids: Collection[int],
    changes: OpportunityUpdate,
    *,
    expected_versions: Mapping[int, int] | None = None,
) -> list[Opportunity]:
    """`update_opportunity` for many: all of them, or none. Raises `NothingWasChanged`."""
    versions = expected_versions or {}
    return records.change_all(
        session,
        Opportunity,
        opportunity_ids,
        lambda key: update_opportunity(session, key, changes, expected_version=versions.get(key)),
    )


def close_opportunities(
    session: Session,
    opportunity_ids: Collection[int],
    *,
    outcome: Outcome,
    reason_id: int | None = None,
    note: str | None = None,
    on: date | None = None,
    expected_versions: Mapping[int, int] | None = None,
) -> list[Opportunity]:
    """`close_opportunity` for many: all of them, or none. Raises `NothingWasChanged`."""
    versions = expected_versions or {}
    return records.change_all(
        session,
        Opportunity,
        opportunity_ids,
        lambda key: close_opportunity(
            session,
            key,
            outcome=outcome,
            reason_id=reason_id,
            note=note,
            on=on,
            expected_version=versions.get(key),
        ),
    )


def delete_opportunities(
    session: Session, opportunity_ids: Collection[int], *, expected_versions: Mapping[int, int] | None = None
) -> list[Opportunity]:
    """`delete_opportunity` for many: all of them, or none. Raises `NothingWasChanged`."""
    versions = expected_versions or {}
    return records.change_all(
        session,
        Opportunity,
        opportunity_ids,
        lambda key: delete_opportunity(session, key, expected_version=versions.get(key)),
    )


def restore_opportunities(session: Session, opportunity_ids: Collection[int]) -> list[Opportunity]:
    """`restore_opportunity` for many: all of them, or none. Raises `NothingWasChanged`."""
    return records.change_all(
        session, Opportunity, opportunity_ids, lambda key: restore_opportunity(session, key)
    )


def convert_lead_to_opportunity(
    session: Session,
    lead_id: int,
    choice: ConversionChoice = AS_MATCHED,
    *,
    expected_version: int | None = None,
) -> Conversion:
    """Make an opportunity of a qualified lead, with its company and its contact, found or created.

    The same lead again gives the first answer. Raises `LeadIsNotQualified`, `OpportunityIsClosed` for a
    picked deal that is closed, and what creating and changing the records raises.
    """
    lead = records.get_to_change(session, Lead, lead_id)
    if lead.status is LeadStatus.CONVERTED:
        return conversion.first_answer(session, lead)
    records.require_version(session, lead, expected_version)
    plan, deal = _conversion_plan(session, lead, choice)
    conversion.create_what_is_missing(session, lead, plan, conversion.owner_of(lead, choice))
    deal = deal or _create(session, conversion.draft_of(lead, choice, plan))
    return conversion.link(session, lead, deal, plan)


def convert_leads(
    session: Session, lead_ids: Collection[int], *, expected_versions: Mapping[int, int] | None = None
) -> list[Conversion]:
    """`convert_lead_to_opportunity` for many: all of them, or none. Raises `NothingWasChanged`.

    A company or a contact that one of them brings is known when the next one comes.
    """

    def check(lead_id: int) -> None:
        lead = records.get_to_change(session, Lead, lead_id)
        records.require_version(session, lead, (expected_versions or {}).get(lead_id))
        preview_conversion(session, lead_id)

    records.change_all(session, Lead, lead_ids, check)
    return [convert_lead_to_opportunity(session, lead_id) for lead_id in dict.fromkeys(lead_ids)]


def preview_conversion(session: Session, lead_id: int, choice: ConversionChoice = AS_MATCHED) -> Conversion:
    """What `convert_lead_to_opportunity` would match and create. Writes nothing; raises the same."""
    lead = records.get_to_change(session, Lead, lead_id)
    if lead.status is LeadStatus.CONVERTED:
        return conversion.first_answer(session, lead)
    return _conversion_plan(session, lead, choice)[0]


def _conversion_plan(
    session: Session, lead: Lead, choice: ConversionChoice
) -> tuple[Conversion, Opportunity | None]:
    """What is to be done, all of which is allowed, and the deal that was picked."""
    conversion.require_qualified(lead)
    settings_service.require_amounts(session, choice, conversion.own_value(lead, choice))
    deal = _picked(session, choice.opportunity_id)
    plan = conversion.plan_of(session, lead, choice, deal)
    if deal is None or How.CREATED in (plan.company.how, plan.contact.how):
        records.require_references(session, {"owner_id": conversion.owner_of(lead, choice)})
    if deal is None and choice.stage.is_closed:
        raise CloseNeedsOutcome(plan.opportunity.name or lead.name)
    return plan, deal


def _picked(session: Session, opportunity_id: int | None) -> Opportunity | None:
    """The open deal that a lead is to be linked to."""
    if opportunity_id is None:
        return None
    opportunity = records.get_to_change(session, Opportunity, opportunity_id)
    if not opportunity.is_open:
        raise OpportunityIsClosed(opportunity)
    return opportunity


def _get_to_change(session: Session, opportunity_id: int, expected_version: int | None) -> Opportunity:
    return records.get_to_change(session, Opportunity, opportunity_id, expected_version=expected_version)


def _move(
    session: Session, opportunity: Opportunity, *, to: OpportunityStage, probability: int | None
) -> None:
    """Nothing is set before everything is allowed."""
    if not opportunity.is_open:
        raise OpportunityIsClosed(opportunity)
    if to.is_closed:
        raise CloseNeedsOutcome(opportunity.name)
    if probability is not None:
        _require_percent(probability)
        opportunity.probability = probability
    elif to is not opportunity.stage:
        follows = settings_service.probability_after_move(session, to)
        opportunity.probability = opportunity.probability if follows is None else follows
    opportunity.stage = to


def _require_percent(probability: int) -> None:
    if not 0 <= probability <= 100:
        raise InvalidInput("A probability lies between 0 and 100 %.")
