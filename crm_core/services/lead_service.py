"""What can be done with a lead, and what can't."""

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import listing
from crm_core.errors import RuleBroken
from crm_core.filters import EVERY_LEAD, LeadFilter
from crm_core.listing import Page
from crm_core.models import Lead, LeadStatus
from crm_core.schemas.lead import LeadCreate, LeadResponse, LeadUpdate
from crm_core.scope import scope_of
from crm_core.services import duplicates, records, settings_service
from crm_core.services.duplicates import Duplicate
from crm_core.sorting import LeadSort
from crm_core.timeline import HistoryEntry


class ConvertedNeedsConversion(RuleBroken):
    def __init__(self, name: str) -> None:
        super().__init__(f"A status can't convert “{name}”. Convert the lead instead: that makes its deal.")


class LeadIsConverted(RuleBroken):
    def __init__(self, lead: Lead) -> None:
        super().__init__(f"“{lead.name}” was converted, so its status stays. Go on with its deal instead.")


def create_lead(session: Session, draft: LeadCreate) -> Lead:
    """Create a lead. The same `request_id` again returns the first one.

    Raises `ConvertedNeedsConversion` for a status that only a conversion sets, `OtherCurrency` and
    `FinerThanCurrency` for an amount, `RecordNotFound` and `OwnerIsInactive` for an owner that it can't have.
    """
    settings_service.require_amounts(session, draft, draft.estimated_value)
    if first := records.find_first(session, Lead, draft):
        return first
    if draft.status is LeadStatus.CONVERTED:
        raise ConvertedNeedsConversion(draft.name)
    return records.add(session, Lead(**draft.model_dump()))


def get_lead(session: Session, lead_id: int) -> Lead:
    """One lead that was not deleted. Raises `RecordNotFound`."""
    return records.get(session, Lead, lead_id)


def get_leads(
    session: Session,
    where: LeadFilter = EVERY_LEAD,
    *,
    sort: LeadSort = LeadSort.CREATED_DESCENDING,
    limit: int = 50,
    offset: int = 0,
    after: str | None = None,
) -> Page[LeadResponse]:
    """A page of the filtered and sorted list, and how many the whole list has."""
    return listing.get_page(session, where, sort, LeadResponse, limit=limit, offset=offset, after=after)


def get_rows(
    session: Session,
    where: LeadFilter = EVERY_LEAD,
    *,
    sort: LeadSort = LeadSort.CREATED_DESCENDING,
    limit: int = 50,
    offset: int = 0,
) -> list[LeadResponse]:
    """A page of the list by itself, with the names of the owners."""
    return listing.get_rows(session, where, sort, LeadResponse, limit=limit, offset=offset)


def count_leads(session: Session, where: LeadFilter = EVERY_LEAD) -> int:
    """How many leads the whole filtered list has."""
    return listing.count(session, where)


def find_lead_ids(session: Session, where: LeadFilter) -> list[int]:
    """The keys of every lead in the filter as it is now, for a change of them all."""
    scope = scope_of(session, where)
    return list(session.scalars(select(scope.model.id).where(*scope.conditions).order_by(scope.model.id)))


def get_sources(session: Session) -> list[str]:
    """Where leads came from, the sources that most of them have first."""
    return listing.values_of(session, EVERY_LEAD, Lead.source)


def get_history(session: Session, lead_id: int, *, limit: int = 100, offset: int = 0) -> list[HistoryEntry]:
    """What was changed about a lead, newest first; of a deleted one too. Raises `RecordNotFound`."""
    return records.get_history(session, Lead, lead_id, limit=limit, offset=offset)


def find_duplicates(
    session: Session,
    *,
    name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    company_name: str | None = None,
    but: int | None = None,
    limit: int = 5,
) -> list[Duplicate]:
    """Leads and contacts that may be the same person, see `duplicates.find_people`; `but` is the lead."""
    return duplicates.find_people(
        session,
        name=name,
        email=email,
        phone=phone,
        company_name=company_name,
        but=("lead", but),
        limit=limit,
    )


def update_lead(
    session: Session, lead_id: int, changes: LeadUpdate, *, expected_version: int | None = None
) -> Lead:
    """Change what was sent. A converted lead can be corrected, but keeps its status.

    Raises `LeadIsConverted`, `ConvertedNeedsConversion`, `OtherCurrency`, `FinerThanCurrency`, and what
    `records.get_to_change` and `records.require_references` raise.
    """
    lead = _get_to_change(session, lead_id, expected_version)
    answers = records.sent(lead, changes)
    settings_service.require_amounts(session, changes, answers.get("estimated_value"))
    records.require_references(session, answers)
    if "status" in answers:
        _require_free_status(lead, answers["status"])
    records.apply(lead, answers)
    return lead


def delete_lead(session: Session, lead_id: int, *, expected_version: int | None = None) -> Lead:
    """Take a lead out of every list and figure from now on; `restore_lead` brings it back.

    The deal that it was converted into stays.
    """
    lead = _get_to_change(session, lead_id, expected_version)
    records.delete(session, lead)
    return lead


def restore_lead(session: Session, lead_id: int, *, expected_version: int | None = None) -> Lead:
    """Bring back a deleted lead as it was. A lead that was not deleted stays as it is."""
    return records.restore(session, Lead, lead_id, expected_version=expected_version)


def assign_leads(
    session: Session,
    lead_ids: Collection[int],
    *,
    owner_id: int | None,
    expected_versions: Mapping[int, int] | None = None,
) -> list[Lead]:
    """Give many leads to one owner, or to nobody: all of them, or none.

    Raises `NothingWasChanged`, which tells for each lead that was refused why.
    """
    records.require_references(session, {"owner_id": owner_id})
    return update_leads(session, lead_ids, LeadUpdate(owner_id=owner_id), expected_versions=expected_versions)


def update_leads(
    session: Session,
    lead_ids: Collection[int],
    changes: LeadUpdate,
    *,
    expected_versions: Mapping[int, int] | None = None,
) -> list[Lead]:
    """`update_lead` for many: all of them, or none. Raises `NothingWasChanged`."""
    versions = expected_versions or {}
    return records.change_all(
        session,
        Lead,
        lead_ids,
        lambda key: update_lead(session, key, changes, expected_version=versions.get(key)),
    )


def delete_leads(
    session: Session, lead_ids: Collection[int], *, expected_versions: Mapping[int, int] | None = None
) -> list[Lead]:
    """`delete_lead` for many: all of them, or none. Raises `NothingWasChanged`."""
    versions = expected_versions or {}
    return records.change_all(
        session,
        Lead,
        lead_ids,
        lambda key: delete_lead(session, key, expected_version=versions.get(key)),
    )


def restore_leads(session: Session, lead_ids: Collection[int]) -> list[Lead]:
    """`restore_lead` for many: all of them, or none. Raises `NothingWasChanged`."""
    return records.change_all(session, Lead, lead_ids, lambda key: restore_lead(session, key))


def _get_to_change(session: Session, lead_id: int, expected_version: int | None) -> Lead:
    return records.get_to_change(session, Lead, lead_id, expected_version=expected_version)


def _require_free_status(lead: Lead, to: LeadStatus) -> None:
    """Converted is set by a conversion only, and stays."""
    if lead.status is LeadStatus.CONVERTED:
        raise LeadIsConverted(lead)
    if to is LeadStatus.CONVERTED:
        raise ConvertedNeedsConversion(lead.name)
