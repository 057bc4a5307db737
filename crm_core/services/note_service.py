"""What people write down about a record."""

from collections.abc import Mapping

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.orm import Session

from crm_core import listing, permissions
from crm_core.database import instant
from crm_core.errors import InvalidInput
from crm_core.models import Company, Contact, Lead, Mergeable, Note, Opportunity, Record, User
from crm_core.schemas.note import NoteCreate, NoteResponse
from crm_core.services import origins, records

ON: dict[str, type[Record]] = {
    "lead_id": Lead,
    "opportunity_id": Opportunity,
    "company_id": Company,
    "contact_id": Contact,
}
"""What a note can be on."""


class NoteNeedsOneRecord(InvalidInput):
    def __init__(self) -> None:
        super().__init__("A note is on one lead, deal, company or contact. Choose which.")


def add_note(session: Session, draft: NoteCreate) -> Note:
    """Write on a record, now, as the actor; whoever may read the record may write on it.

    The same `request_id` again returns the first note. Raises `NoteNeedsOneRecord`, and `RecordNotFound` for
    a record that was deleted or is none of the actor's business.
    """
    if first := _find_first(session, draft.request_id):
        return first
    field, record_id = _subject({name: getattr(draft, name) for name in ON})
    records.get(session, ON[field], record_id)
    author_id = permissions.actor_of(session).id
    note = Note(**draft.model_dump(), author_id=author_id, created_at=instant(session))
    session.add(note)
    session.flush()  # gives it its id
    return note


def get_notes(
    session: Session,
    *,
    lead_id: int | None = None,
    opportunity_id: int | None = None,
    company_id: int | None = None,
    contact_id: int | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[NoteResponse]:
    """The notes on one record, newest first, with the names of who wrote them; the system has none.

    With them come those on the records that were merged into it, and those on the leads that became the deal,
    or deals of the company or the contact; `record_name` says what each is on. Raises `NoteNeedsOneRecord`,
    `InvalidInput` for a page without a size, and `RecordNotFound` for a record that was deleted or is none of
    the actor's business.
    """
    listing.require_page(limit, offset)
    keys = (lead_id, opportunity_id, company_id, contact_id)
    field, record_id = _subject(dict(zip(ON, keys, strict=True)))
    record = records.get(session, ON[field], record_id)
    shown = [column for column in Note.__table__.columns if column.name in NoteResponse.model_fields]
    names = func.coalesce(*(model.name for model in ON.values()))
    written = (
        select(*shown, User.name.label("author_name"), names.label("record_name"))
        .outerjoin(User, User.id == Note.author_id)
        .where(Note.id.in_(union_all(*_found_on(session, field, record))))
        .order_by(Note.created_at.desc(), Note.id.desc())
    )
    for name, model in ON.items():
        written = written.outerjoin(model, model.id == getattr(Note, name))
    page = session.execute(written.limit(limit).offset(offset))
    return [NoteResponse.model_validate(dict(found._mapping)) for found in page]


def _found_on(session: Session, field: str, record: Record) -> list[Select[int]]:
    """SQL: the ids of notes, of each table's by its index."""
    own = origins.with_merged(record) if isinstance(record, Mergeable) else [record.id]
    found = [getattr(Note, field).in_(own)]
    if not isinstance(record, Lead):
        found.append(Note.lead_id.in_(select(Lead.id).where(*origins.leads_of(session, record))))
    return [select(Note.id).where(condition) for condition in found]


def _find_first(session: Session, request_id: str | None) -> Note | None:
    """What the same request has written before. Raises `RequestOfSomebodyElse`."""
    if request_id is None:
        return None
    first = session.scalar(select(Note).where(Note.request_id == request_id))
    if first is not None:
        field, record_id = _subject({name: getattr(first, name) for name in ON})
        record = origins.standing_for(session, session.get_one(ON[field], record_id))
        if not permissions.may_read(session, record):
            raise records.RequestOfSomebodyElse
    return first


def _subject(keys: Mapping[str, int | None]) -> tuple[str, int]:
    """The one record that is meant: which key it is, and its id."""
    given = [(field, key) for field, key in keys.items() if key is not None]
    if len(given) != 1:
        raise NoteNeedsOneRecord
    return given[0]
