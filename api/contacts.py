"""`/api/contacts`: people at the companies."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from api.answers import PageQuery, PageResponse, RecordId, errors, etag, record
from api.door import Answer, DoorDep, VersionDep
from api.tables import CSV, csv_response, wants_csv
from crm_core import listing
from crm_core.filters import ContactFilter
from crm_core.models import Contact
from crm_core.schemas.contact import ContactCreate, ContactResponse, ContactUpdate
from crm_core.services import contact_service
from crm_core.sorting import ContactSort

router = APIRouter(prefix="/contacts", tags=["contacts"])


class ContactQuery(ContactFilter, PageQuery):
    """Every field of the filter, the order, and the page."""

    sort: ContactSort = ContactSort.NAME


@router.get("", responses=errors() | {200: {"content": CSV}}, response_model=PageResponse[ContactResponse])
def list_contacts(request: Request, door: DoorDep, query: Annotated[ContactQuery, Query()]) -> Any:
    """A page of the filtered and sorted contacts; as CSV the whole list."""
    if wants_csv(request):
        return csv_response(
            door,
            "contacts",
            ContactResponse,
            lambda session: listing.every_row(session, query, query.sort, ContactResponse),
        )
    with door.read() as session:
        page = contact_service.get_contacts(
            session, query, sort=query.sort, limit=query.limit, after=query.cursor
        )
    return PageResponse[ContactResponse](items=page.rows, total=page.total, next_cursor=page.next_cursor)


@router.get("/{contact_id}", responses=errors(404))
def get_contact(contact_id: RecordId, door: DoorDep, response: Response) -> ContactResponse:
    """One contact; its ETag names the version for a change with If-Match."""
    with door.read() as session:
        found = _told(session, contact_service.get_contact(session, contact_id))
    response.headers.update(etag(found.version))
    return found


@router.post("", status_code=201, response_model=ContactResponse, responses=errors(404, 409, 413, 415))
def create_contact(door: DoorDep, draft: ContactCreate) -> Response:
    """Create a contact."""

    def create(session: Session) -> Answer:
        created = contact_service.create_contact(session, draft)
        return record(_told(session, created), status=201, at="contacts")

    return door.change(create)


@router.put("/{contact_id}", response_model=ContactResponse, responses=errors(404, 409, 412, 413, 415))
def update_contact(
    contact_id: RecordId, door: DoorDep, changes: ContactUpdate, version: VersionDep
) -> Response:
    """Change what is sent: a field that is not sent stays, null empties it."""

    def update(session: Session) -> Answer:
        changed = contact_service.update_contact(session, contact_id, changes, expected_version=version)
        session.flush()  # the answer tells the new version
        return record(_told(session, changed))

    return door.change(update)


@router.delete("/{contact_id}", status_code=204, responses=errors(404, 409, 412))
def delete_contact(contact_id: RecordId, door: DoorDep, version: VersionDep) -> Response:
    """Take a contact out of every list from now on."""

    def delete(session: Session) -> Answer:
        contact_service.delete_contact(session, contact_id, expected_version=version)
        return Answer(status=204)

    return door.change(delete)


def _told(session: Session, contact: Contact) -> ContactResponse:
    """The contact with the names of what it belongs to."""
    return listing.told(session, contact, ContactResponse)
