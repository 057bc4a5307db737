"""`/api/leads`: people who might become opportunities."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from api.answers import PageQuery, PageResponse, RecordId, errors, etag, record
from api.door import Answer, DoorDep, VersionDep
from api.tables import CSV, csv_response, wants_csv
from crm_core import listing
from crm_core.filters import LeadFilter
from crm_core.models import Lead
from crm_core.schemas.lead import LeadCreate, LeadResponse, LeadUpdate
from crm_core.services import lead_service
from crm_core.sorting import LeadSort

router = APIRouter(prefix="/leads", tags=["leads"])


class LeadQuery(LeadFilter, PageQuery):
    """Every field of the filter, the order, and the page."""

    sort: LeadSort = LeadSort.CREATED_DESCENDING


@router.get("", responses=errors() | {200: {"content": CSV}}, response_model=PageResponse[LeadResponse])
def list_leads(request: Request, door: DoorDep, query: Annotated[LeadQuery, Query()]) -> Any:
    """A page of the filtered and sorted leads; as CSV the whole list."""
    if wants_csv(request):
        return csv_response(
            door,
            "leads",
            LeadResponse,
            lambda session: listing.every_row(session, query, query.sort, LeadResponse),
        )
    with door.read() as session:
        page = lead_service.get_leads(session, query, sort=query.sort, limit=query.limit, after=query.cursor)
    return PageResponse[LeadResponse](items=page.rows, total=page.total, next_cursor=page.next_cursor)


@router.get("/{lead_id}", responses=errors(404))
def get_lead(lead_id: RecordId, door: DoorDep, response: Response) -> LeadResponse:
    """One lead; its ETag names the version for a change with If-Match."""
    with door.read() as session:
        found = _told(session, lead_service.get_lead(session, lead_id))
    response.headers.update(etag(found.version))
    return found


@router.post("", status_code=201, response_model=LeadResponse, responses=errors(404, 409, 413, 415))
def create_lead(door: DoorDep, draft: LeadCreate) -> Response:
    """Create a lead."""

    def create(session: Session) -> Answer:
        created = lead_service.create_lead(session, draft)
        return record(_told(session, created), status=201, at="leads")

    return door.change(create)


@router.put("/{lead_id}", response_model=LeadResponse, responses=errors(404, 409, 412, 413, 415))
def update_lead(lead_id: RecordId, door: DoorDep, changes: LeadUpdate, version: VersionDep) -> Response:
    """Change what is sent: a field that is not sent stays, null empties it."""

    def update(session: Session) -> Answer:
        changed = lead_service.update_lead(session, lead_id, changes, expected_version=version)
        session.flush()  # the answer tells the new version
        return record(_told(session, changed))

    return door.change(update)


@router.delete("/{lead_id}", status_code=204, responses=errors(404, 412))
def delete_lead(lead_id: RecordId, door: DoorDep, version: VersionDep) -> Response:
    """Take a lead out of every list from now on."""

    def delete(session: Session) -> Answer:
        lead_service.delete_lead(session, lead_id, expected_version=version)
        return Answer(status=204)

    return door.change(delete)


def _told(session: Session, lead: Lead) -> LeadResponse:
    """The lead with the names of what it belongs to."""
    return listing.told(session, lead, LeadResponse)
