"""What can be done with a company, and what can't."""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from crm_core import listing, permissions
from crm_core.errors import RuleBroken
from crm_core.filters import EVERY_COMPANY, CompanyFilter
from crm_core.listing import Page
from crm_core.models import Company, Contact, Opportunity, Record
from crm_core.schemas.company import CompanyCreate, CompanyResponse, CompanyUpdate
from crm_core.schemas.fields import host_of
from crm_core.services import duplicates, merging, records
from crm_core.services.duplicates import Duplicate
from crm_core.services.merging import MergePreview
from crm_core.sorting import CompanySort
from crm_core.timeline import HistoryEntry, RecordEntry


class CompanyIsInUse(RuleBroken):
    def __init__(self, company: Company, *, deals: int, contacts: int) -> None:
        super().__init__(
            f"“{company.name}” still has {records.counted(deal=deals, contact=contacts)}."
            " Merge it into another company, or move or delete them first."
        )


def create_company(session: Session, draft: CompanyCreate) -> Company:
    """Create a company; without a domain it gets its website's.

    The same `request_id` again returns the first company. Raises `RecordNotFound` and `OwnerIsInactive` for
    an owner that it can't have.
    """
    if first := records.find_first(session, Company, draft):
        return first
    return records.add(session, Company(**draft.model_dump()))


def get_company(session: Session, company_id: int) -> Company:
    """One company that was not deleted. Raises `RecordNotFound`."""
    return records.get(session, Company, company_id)


def get_standing_company(session: Session, company_id: int) -> Company:
    """The company; instead of one that was merged into another, the one that stands for it in the end.

    Raises `RecordNotFound`, also where one of the two is not the actor's business.
    """
    return records.get_standing(session, Company, company_id)


def get_companies(
    session: Session,
    where: CompanyFilter = EVERY_COMPANY,
    *,
    sort: CompanySort = CompanySort.NAME,
    limit: int = 50,
    offset: int = 0,
    after: str | None = None,
) -> Page[CompanyResponse]:
    """A page of the filtered and sorted list, and how many the whole list has."""
    return listing.get_page(session, where, sort, CompanyResponse, limit=limit, offset=offset, after=after)


def get_rows(
    session: Session,
    where: CompanyFilter = EVERY_COMPANY,
    *,
    sort: CompanySort = CompanySort.NAME,
    limit: int = 50,
    offset: int = 0,
) -> list[CompanyResponse]:
    """A page of the list by itself, with the names of the owners."""
    return listing.get_rows(session, where, sort, CompanyResponse, limit=limit, offset=offset)


def count_companies(session: Session, where: CompanyFilter = EVERY_COMPANY) -> int:
    """How many companies the whole filtered list has."""
    return listing.count(session, where)


def get_industries(session: Session) -> list[str]:
    """The industries of companies, those that most of them have first."""
    return listing.values_of(session, EVERY_COMPANY, Company.industry)


def get_countries(session: Session) -> list[str]:
    """The countries of companies, those that most of them have first."""
    return listing.values_of(session, EVERY_COMPANY, Company.country)


def get_history(
    session: Session, company_id: int, *, limit: int = 100, offset: int = 0
) -> list[HistoryEntry]:
    """What was changed about a company, newest first; of a deleted one too. Raises `RecordNotFound`."""
    return records.get_history(session, Company, company_id, limit=limit, offset=offset)


def get_whole_history(
    session: Session, company_id: int, *, limit: int = 100, offset: int = 0
) -> list[RecordEntry]:
    """What was changed about a company and about what belongs to it today, its contacts and deals.

    And about the companies merged into it and the leads that its deals came from. Newest first, of deleted
    records too; only of those that the actor may read. Raises `RecordNotFound`.
    """
    belonging: dict[type[Record], ColumnElement[bool]] = {
        model: and_(model.company_id == company_id, *permissions.readable(session, model))
        for model in (Contact, Opportunity)
    }
    return records.get_whole_history(
        session, Company, company_id, belonging=belonging, limit=limit, offset=offset
    )


def find_duplicates(
    session: Session,
    *,
    name: str | None = None,
    domain: str | None = None,
    website: str | None = None,
    but: int | None = None,
    limit: int = 5,
) -> list[Duplicate]:
    """Companies that may be the same, see `duplicates.find_companies`. `but` is the company itself."""
    return duplicates.find_companies(session, name=name, domain=domain, website=website, but=but, limit=limit)


def update_company(
    session: Session, company_id: int, changes: CompanyUpdate, *, expected_version: int | None = None
) -> Company:
    """Change what was sent. A company without a domain gets a new website's, unless one is sent.

    Raises what `records.get_to_change` and `records.require_references` raise.
    """
    company = _get_to_change(session, company_id, expected_version)
    answers = records.sent(company, changes)
    records.require_references(session, answers)
    if answers.get("website") and company.domain is None and "domain" not in changes.model_dump():
        answers["domain"] = host_of(answers["website"])
    records.apply(company, answers)
    return company


def delete_company(session: Session, company_id: int, *, expected_version: int | None = None) -> Company:
    """Take a company out of every list from now on; `restore_company` brings it back.

    Raises `CompanyIsInUse` while it has deals, open or closed, or contacts that were not deleted.
    """
    company = _get_to_change(session, company_id, expected_version)
    deals = records.count_live(session, Opportunity, Opportunity.company_id == company.id)
    contacts = records.count_live(session, Contact, Contact.company_id == company.id)
    if deals or contacts:
        raise CompanyIsInUse(company, deals=deals, contacts=contacts)
    records.delete(session, company)
    return company


def restore_company(session: Session, company_id: int, *, expected_version: int | None = None) -> Company:
    """Bring back a deleted company as it was. A company that was not deleted stays as it is."""
    return records.restore(session, Company, company_id, expected_version=expected_version)


def assign_companies(
    session: Session,
    company_ids: Collection[int],
    *,
    owner_id: int | None,
    expected_versions: Mapping[int, int] | None = None,
) -> list[Company]:
    """Give many companies to one owner, or to nobody: all of them, or none. Their deals stay where they are.

    Raises `NothingWasChanged`, which tells for each company that was refused why.
    """
    records.require_references(session, {"owner_id": owner_id})
    changes = CompanyUpdate(owner_id=owner_id)
    return update_companies(session, company_ids, changes, expected_versions=expected_versions)


def update_companies(
    session: Session,
    company_ids: Collection[int],
    changes: CompanyUpdate,
    *,
    expected_versions: Mapping[int, int] | None = None,
) -> list[Company]:
    """`update_company` for many: all of them, or none. Raises `NothingWasChanged`."""
    versions = expected_versions or {}
    return records.change_all(
        session,
        Company,
        company_ids,
        lambda key: update_company(session, key, changes, expected_version=versions.get(key)),
    )


def merge_companies(
    session: Session,
    kept_id: int,
    merged_id: int,
    *,
    expected_version: int | None = None,
    merged_expected_version: int | None = None,
) -> Company:
    """Make one company of two: contacts, deals and notes of the second go to the first, which is returned.

    What the first has empty is taken from the second, and the second is deleted. Raises `MergeWithItself`,
    `MovesWhatBelongsToOthers`, and what `records.get_to_change` raises for either.
    """
    return merging.merge(
        session,
        Company,
        kept_id,
        merged_id,
        expected_version=expected_version,
        merged_expected_version=merged_expected_version,
    )


def preview_merge(session: Session, kept_id: int, merged_id: int) -> MergePreview:
    """What `merge_companies` would move, fill and give up. Writes nothing; raises the same."""
    return merging.preview(session, Company, kept_id, merged_id)


def _get_to_change(session: Session, company_id: int, expected_version: int | None) -> Company:
    return records.get_to_change(session, Company, company_id, expected_version=expected_version)
