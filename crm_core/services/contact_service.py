"""What can be done with a contact, and what can't."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from crm_core import listing, permissions
from crm_core.errors import InvalidInput, RuleBroken
from crm_core.filters import EVERY_CONTACT, ContactFilter
from crm_core.listing import Page
from crm_core.models import Company, Contact, Opportunity
from crm_core.schemas.contact import ContactCreate, ContactResponse, ContactUpdate
from crm_core.services import duplicates, merging, records
from crm_core.services.duplicates import Duplicate
from crm_core.services.merging import MergePreview
from crm_core.sorting import ContactSort
from crm_core.timeline import HistoryEntry, RecordEntry


class ContactIsInUse(RuleBroken):
    def __init__(self, contact: Contact, *, deals: int) -> None:
        super().__init__(
            f"“{contact.name}” is still on {records.counted(deal=deals)}."
            " Merge it into another contact, or take it off its deals or delete them first."
        )


class FirstAmongOthers(InvalidInput):
    def __init__(self, text: str) -> None:
        super().__init__(f"“{text}” is the one to use first. Remove it from the other ones.")


class TwiceAmongOthers(InvalidInput):
    def __init__(self, text: str) -> None:
        super().__init__(f"“{text}” is there twice. Write each once.")


def create_contact(session: Session, draft: ContactCreate) -> Contact:
    """Create a contact. The same `request_id` again returns the first one.

    Raises `FirstAmongOthers`, `TwiceAmongOthers`, and `RecordNotFound` and `OwnerIsInactive` for a company or
    an owner that it can't have.
    """
    if first := records.find_first(session, Contact, draft):
        return first
    contact = Contact(**draft.model_dump())
    _require_apart(session, contact, draft.model_dump())
    return records.add(session, contact)


def get_contact(session: Session, contact_id: int) -> Contact:
    """One contact that was not deleted. Raises `RecordNotFound`."""
    return records.get(session, Contact, contact_id)


def get_standing_contact(session: Session, contact_id: int) -> Contact:
    """The contact; instead of one that was merged into another, the one that stands for it in the end.

    Raises `RecordNotFound`, also where one of the two is not the actor's business.
    """
    return records.get_standing(session, Contact, contact_id)


def get_contacts(
    session: Session,
    where: ContactFilter = EVERY_CONTACT,
    *,
    sort: ContactSort = ContactSort.NAME,
    limit: int = 50,
    offset: int = 0,
    after: str | None = None,
) -> Page[ContactResponse]:
    """A page of the filtered and sorted list, and how many the whole list has."""
    return listing.get_page(session, where, sort, ContactResponse, limit=limit, offset=offset, after=after)


def get_rows(
    session: Session,
    where: ContactFilter = EVERY_CONTACT,
    *,
    sort: ContactSort = ContactSort.NAME,
    limit: int = 50,
    offset: int = 0,
) -> list[ContactResponse]:
    """A page of the list by itself, with the names of companies and owners."""
    return listing.get_rows(session, where, sort, ContactResponse, limit=limit, offset=offset)


def count_contacts(session: Session, where: ContactFilter = EVERY_CONTACT) -> int:
    """How many contacts the whole filtered list has."""
    return listing.count(session, where)


def get_history(
    session: Session, contact_id: int, *, limit: int = 100, offset: int = 0
) -> list[HistoryEntry]:
    """What was changed about a contact, newest first; of a deleted one too. Raises `RecordNotFound`."""
    return records.get_history(session, Contact, contact_id, limit=limit, offset=offset)


def get_whole_history(
    session: Session, contact_id: int, *, limit: int = 100, offset: int = 0
) -> list[RecordEntry]:
    """What was changed about a contact, those merged into it, and the leads that its deals came from.

    Newest first, of deleted records too; only of leads that the actor may read. Raises `RecordNotFound`.
    """
    return records.get_whole_history(session, Contact, contact_id, limit=limit, offset=offset)


def find_duplicates(
    session: Session,
    *,
    name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    other_emails: Iterable[str] = (),
    other_phones: Iterable[str] = (),
    company_id: int | None = None,
    but: int | None = None,
    limit: int = 5,
) -> list[Duplicate]:
    """Leads and contacts that may be the same person, see `duplicates.find_people`; `but` is the contact.

    Raises `RecordNotFound` for a company that is not there.
    """
    company = None if company_id is None else records.get(session, Company, company_id)
    return duplicates.find_people(
        session,
        name=name,
        email=email,
        phone=phone,
        other_emails=other_emails,
        other_phones=other_phones,
        company_name=company.name if company else None,
        but=("contact", but),
        limit=limit,
    )


def update_contact(
    session: Session, contact_id: int, changes: ContactUpdate, *, expected_version: int | None = None
) -> Contact:
    """Change what was sent.

    Raises `FirstAmongOthers`, `TwiceAmongOthers`, and what `records.get_to_change` and
    `records.require_references` raise.
    """
    contact = _get_to_change(session, contact_id, expected_version)
    answers = records.sent(contact, changes)
    _require_apart(session, contact, answers)
    records.require_references(session, answers)
    records.apply(contact, answers)
    return contact


def delete_contact(session: Session, contact_id: int, *, expected_version: int | None = None) -> Contact:
    """Take a contact out of every list from now on; `restore_contact` brings it back.

    Raises `ContactIsInUse` while it is on deals, open or closed, that were not deleted.
    """
    contact = _get_to_change(session, contact_id, expected_version)
    if deals := records.count_live(session, Opportunity, Opportunity.contact_id == contact.id):
        raise ContactIsInUse(contact, deals=deals)
    records.delete(session, contact)
    return contact


def restore_contact(session: Session, contact_id: int, *, expected_version: int | None = None) -> Contact:
    """Bring back a deleted contact as it was. A contact that was not deleted stays as it is.

    Raises `BelongsToDeleted` if its company was deleted too.
    """
    return records.restore(session, Contact, contact_id, expected_version=expected_version)


def assign_contacts(
    session: Session,
    contact_ids: Collection[int],
    *,
    owner_id: int | None,
    expected_versions: Mapping[int, int] | None = None,
) -> list[Contact]:
    """Give many contacts to one owner, or to nobody: all of them, or none. Their deals stay where they are.

    Raises `NothingWasChanged`, which tells for each contact that was refused why.
    """
    records.require_references(session, {"owner_id": owner_id})
    changes = ContactUpdate(owner_id=owner_id)
    return update_contacts(session, contact_ids, changes, expected_versions=expected_versions)


def update_contacts(
    session: Session,
    contact_ids: Collection[int],
    changes: ContactUpdate,
    *,
    expected_versions: Mapping[int, int] | None = None,
) -> list[Contact]:
    """`update_contact` for many: all of them, or none. Raises `NothingWasChanged`."""
    versions = expected_versions or {}
    return records.change_all(
        session,
        Contact,
        contact_ids,
        lambda key: update_contact(session, key, changes, expected_version=versions.get(key)),
    )


def merge_contacts(
    session: Session,
    kept_id: int,
    merged_id: int,
    *,
    expected_version: int | None = None,
    merged_expected_version: int | None = None,
) -> Contact:
    """Make one contact of two: deals and notes of the second go to the first, which is returned.

    What the first has empty is taken from the second, what else the second has of e-mails and phones is added
    to the first's other ones, and the second is deleted. Raises `MergeWithItself`,
    `MovesWhatBelongsToOthers`, `TooManyOthers`, and what `records.get_to_change` raises for either.
    """
    return merging.merge(
        session,
        Contact,
        kept_id,
        merged_id,
        expected_version=expected_version,
        merged_expected_version=merged_expected_version,
    )


def preview_merge(session: Session, kept_id: int, merged_id: int) -> MergePreview:
    """What `merge_contacts` would move, fill, add and give up. Writes nothing; raises the same."""
    return merging.preview(session, Contact, kept_id, merged_id)


def _require_apart(session: Session, contact: Contact, answers: Mapping[str, Any]) -> None:
    """With the answers, each of its e-mails and phones is there once, in any notation."""
    country = permissions.settings_of(session).country
    for each in merging.SEVERAL[Contact]:
        if answers.keys().isdisjoint({each.main, each.others}):
            continue
        first, other = (answers.get(name, getattr(contact, name)) for name in (each.main, each.others))
        keys = [each.key(text, country) for text in other]
        if first and each.key(first, country) in keys:
            raise FirstAmongOthers(first)
        for position, text in enumerate(other):
            if keys[position] in keys[:position]:
                raise TwiceAmongOthers(text)


def _get_to_change(session: Session, contact_id: int, expected_version: int | None) -> Contact:
    return records.get_to_change(session, Contact, contact_id, expected_version=expected_version)
