"""`/api/companies`: organisations we sell to."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from api.answers import PageQuery, PageResponse, RecordId, errors, etag, record
from api.door import Answer, DoorDep, VersionDep
from api.tables import CSV, csv_response, wants_csv
from crm_core import listing
from crm_core.filters import CompanyFilter
from crm_core.models import Company
from crm_core.schemas.company import CompanyCreate, CompanyResponse, CompanyUpdate
from crm_core.services import company_service
from crm_core.sorting import CompanySort

router = APIRouter(prefix="/companies", tags=["companies"])


class CompanyQuery(CompanyFilter, PageQuery):
    """Every field of the filter, the order, and the page."""

    sort: CompanySort = CompanySort.NAME


@router.get("", responses=errors() | {200: {"content": CSV}}, response_model=PageResponse[CompanyResponse])
def list_companies(request: Request, door: DoorDep, query: Annotated[CompanyQuery, Query()]) -> Any:
    """A page of the filtered and sorted companies; as CSV the whole list."""
    if wants_csv(request):
        return csv_response(
            door,
            "companies",
            CompanyResponse,
            lambda session: listing.every_row(session, query, query.sort, CompanyResponse),
        )
    with door.read() as session:
        page = company_service.get_companies(
            session, query, sort=query.sort, limit=query.limit, after=query.cursor
        )
    return PageResponse[CompanyResponse](items=page.rows, total=page.total, next_cursor=page.next_cursor)


@router.get("/{company_id}", responses=errors(404))
def get_company(company_id: RecordId, door: DoorDep, response: Response) -> CompanyResponse:
    """One company; its ETag names the version for a change with If-Match."""
    with door.read() as session:
        found = _told(session, company_service.get_company(session, company_id))
    response.headers.update(etag(found.version))
    return found


@router.post("", status_code=201, response_model=CompanyResponse, responses=errors(404, 409, 413, 415))
def create_company(door: DoorDep, draft: CompanyCreate) -> Response:
    """Create a company."""

    def create(session: Session) -> Answer:
        created = company_service.create_company(session, draft)
        return record(_told(session, created), status=201, at="companies")

    return door.change(create)


@router.put("/{company_id}", response_model=CompanyResponse, responses=errors(404, 409, 412, 413, 415))
def update_company(
    company_id: RecordId, door: DoorDep, changes: CompanyUpdate, version: VersionDep
) -> Response:
    """Change what is sent: a field that is not sent stays, null empties it."""

    def update(session: Session) -> Answer:
        changed = company_service.update_company(session, company_id, changes, expected_version=version)
        session.flush()  # the answer tells the new version
        return record(_told(session, changed))

    return door.change(update)


@router.delete("/{company_id}", status_code=204, responses=errors(404, 409, 412))
def delete_company(company_id: RecordId, door: DoorDep, version: VersionDep) -> Response:
    """Take a company out of every list from now on."""

    def delete(session: Session) -> Answer:
        company_service.delete_company(session, company_id, expected_version=version)
        return Answer(status=204)

    return door.change(delete)


def _told(session: Session, company: Company) -> CompanyResponse:
    """The company with the names of what it belongs to."""
    return listing.told(session, company, CompanyResponse)
