"""`/api/opportunities`: deals, what happens to them, and what they add up to."""

from typing import Annotated, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator
from sqlalchemy.orm import Session

from api.answers import PageQuery, PageResponse, RecordId, errors, etag, record, whole
from api.door import Answer, DoorDep, VersionDep
from api.history import RecordEntryResponse
from api.periods import PeriodQuery
from api.stats import StatsResponse
from api.tables import CSV, csv_response, wants_csv
from crm_core import listing
from crm_core.filters import OpportunityFilter
from crm_core.models import LeadStatus, Opportunity, OpportunityStage, Outcome
from crm_core.schemas.conversion import Conversion, ConversionChoice
from crm_core.schemas.fields import LARGEST_ID, Day, Id, Money, Percent, Schema, Text
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityResponse, OpportunityUpdate
from crm_core.services import lead_service, opportunity_service, settings_service
from crm_core.sorting import OpportunitySort

Version = Annotated[int, Field(ge=1, le=LARGEST_ID)]

router = APIRouter(prefix="/opportunities", tags=["opportunities"])


class OpportunityQuery(OpportunityFilter, PageQuery):
    """Every field of the filter, the order, and the page."""

    sort: OpportunitySort = OpportunitySort.VALUE_DESCENDING


class StatsQuery(OpportunityFilter, PeriodQuery):
    """Every field of the filter, and the days in which deals were won and lost."""


class HistoryQuery(Schema):
    """Which of the changes."""

    limit: int = Field(default=100, ge=1, le=200, description="How many changes at most.")
    offset: int = Field(default=0, ge=0, le=1_000_000, description="How many of the newest to leave out.")


class OpportunityPage(PageResponse[OpportunityResponse]):
    """`value` and `without_value` are those of the whole list, `weighted` that of its open deals.

    Every amount is in the `currency`.
    """

    currency: str = Field(examples=["CHF"])
    value: Money = Field(examples=["12000.00"])
    weighted: Money = Field(examples=["6000.00"])
    without_value: int = Field(examples=[0])


class Move(Schema):
    """The stage to move to, or to reopen into. Without a probability it gets that stage's default."""

    to: OpportunityStage
    probability: Percent | None = None


class Close(Schema):
    """How a deal ended. A loss needs a reason (the id of one), a reason that says little a note."""

    outcome: Outcome
    reason: Id | None = None
    note: Text | None = None
    closed_on: Day | None = Field(default=None, description="By default today.")


class BulkUpdate(Schema):
    """The same changes to many deals: all of them, or none. `versions` are those the caller knows, by id."""

    ids: list[Id] = Field(min_length=1, max_length=1_000)
    changes: OpportunityUpdate
    versions: dict[Id, Version] = {}

    @model_validator(mode="after")
    def _every_version_is_of_one_of_them(self) -> Self:
        if foreign := sorted(self.versions.keys() - set(self.ids)):
            raise ValueError(f"versions names {foreign[0]}, which is not among the ids.")
        return self


@router.get("", responses=errors() | {200: {"content": CSV}}, response_model=OpportunityPage)
def list_opportunities(
    request: Request, door: DoorDep, query: Annotated[OpportunityQuery, Query()]
) -> Response:
    """A page of the filtered and sorted deals with the totals of the whole list; as CSV the whole list."""
    if wants_csv(request):
        return csv_response(
            door,
            "opportunities",
            OpportunityResponse,
            lambda session: listing.every_row(session, query, query.sort, OpportunityResponse),
        )
    with door.read() as session:
        page = opportunity_service.get_opportunities(
            session, query, sort=query.sort, limit=query.limit, after=query.cursor
        )
        currency = settings_service.get_currency(session)
    totals = page.totals
    return whole(
        OpportunityPage(
            items=page.rows,
            total=totals.deals,
            next_cursor=page.next_cursor,
            currency=currency.code,
            value=totals.value,
            weighted=totals.weighted,
            without_value=totals.without_value,
        )
    )


@router.get("/stats", responses=errors(), response_model=StatsResponse)
def get_opportunity_stats(door: DoorDep, query: Annotated[StatsQuery, Query()]) -> Response:
    """Each stage, what is open, and what was won and lost: now, or as known at `as_of`.

    With a period that is over, the stages and what is open are as of its last instant.
    """
    with door.read() as session:
        period = query.days(session, query.as_of)
        found = opportunity_service.get_pipeline_stats(session, query, period=period)
        calendar = settings_service.get_calendar(session)
    return whole(StatsResponse.of(found, calendar))


@router.get("/{opportunity_id}", responses=errors(404))
def get_opportunity(opportunity_id: RecordId, door: DoorDep, response: Response) -> OpportunityResponse:
    """One deal; its ETag names the version for a change with If-Match."""
    with door.read() as session:
        found = _told(session, opportunity_service.get_opportunity(session, opportunity_id))
    response.headers.update(etag(found.version))
    return found


@router.get("/{opportunity_id}/history", responses=errors(404))
def get_opportunity_history(
    opportunity_id: RecordId, door: DoorDep, query: Annotated[HistoryQuery, Query()]
) -> list[RecordEntryResponse]:
    """What was changed about the deal and the leads converted into it, when, by whom and from where.

    Newest first; `kind`, `record_id` and `record_name` say which record each change is about.
    """
    with door.read() as session:
        found = opportunity_service.get_whole_history(
            session, opportunity_id, limit=query.limit, offset=query.offset
        )
    return list(map(RecordEntryResponse.about, found))


@router.post("", status_code=201, response_model=OpportunityResponse, responses=errors(404, 409, 413, 415))
def create_opportunity(door: DoorDep, draft: OpportunityCreate) -> Response:
    """Create an open deal."""

    def create(session: Session) -> Answer:
        deal = opportunity_service.create_opportunity(session, draft)
        return record(_told(session, deal), status=201, at="opportunities")

    return door.change(create)


@router.patch("", response_model=list[OpportunityResponse], responses=errors(409, 413, 415))
def update_opportunities(door: DoorDep, bulk: BulkUpdate) -> Response:
    """Change many deals in the same way: all of them, or none, and then each refusal is named."""

    def update(session: Session) -> Answer:
        deals = opportunity_service.update_opportunities(
            session, bulk.ids, bulk.changes, expected_versions=bulk.versions
        )
        session.flush()  # the answer tells the new versions
        return Answer([_told(session, deal) for deal in deals])

    return door.change(update)


@router.put(
    "/{opportunity_id}", response_model=OpportunityResponse, responses=errors(404, 409, 412, 413, 415)
)
def update_opportunity(
    opportunity_id: RecordId, door: DoorDep, changes: OpportunityUpdate, version: VersionDep
) -> Response:
    """Change what is sent: a field that is not sent stays, null empties it."""
    return door.change(
        lambda session: _changed(
            session,
            opportunity_service.update_opportunity(
                session, opportunity_id, changes, expected_version=version
            ),
        )
    )


@router.delete("/{opportunity_id}", status_code=204, responses=errors(404, 412))
def delete_opportunity(opportunity_id: RecordId, door: DoorDep, version: VersionDep) -> Response:
    """Take a deal out of every list, total and figure from now on; `restore` brings it back."""

    def delete(session: Session) -> Answer:
        opportunity_service.delete_opportunity(session, opportunity_id, expected_version=version)
        return Answer(status=204)

    return door.change(delete)


@router.post("/{opportunity_id}/restore", response_model=OpportunityResponse, responses=errors(404, 409, 412))
def restore_opportunity(opportunity_id: RecordId, door: DoorDep, version: VersionDep) -> Response:
    """Bring a deleted deal back as it was."""
    return door.change(
        lambda session: _changed(
            session,
            opportunity_service.restore_opportunity(session, opportunity_id, expected_version=version),
        )
    )


@router.post(
    "/{opportunity_id}/move", response_model=OpportunityResponse, responses=errors(404, 409, 412, 413, 415)
)
def move_opportunity(opportunity_id: RecordId, door: DoorDep, move: Move, version: VersionDep) -> Response:
    """Move an open deal to another open stage."""
    return door.change(
        lambda session: _changed(
            session,
            opportunity_service.move_opportunity(
                session,
                opportunity_id,
                to=move.to,
                probability=move.probability,
                expected_version=version,
            ),
        )
    )


@router.post(
    "/{opportunity_id}/close", response_model=OpportunityResponse, responses=errors(404, 409, 412, 413, 415)
)
def close_opportunity(opportunity_id: RecordId, door: DoorDep, close: Close, version: VersionDep) -> Response:
    """Close an open deal as won or lost, today or on a past day."""
    return door.change(
        lambda session: _changed(
            session,
            opportunity_service.close_opportunity(
                session,
                opportunity_id,
                outcome=close.outcome,
                reason_id=close.reason,
                note=close.note,
                on=close.closed_on,
                expected_version=version,
            ),
        )
    )


@router.post(
    "/{opportunity_id}/reopen", response_model=OpportunityResponse, responses=errors(404, 409, 412, 413, 415)
)
def reopen_opportunity(opportunity_id: RecordId, door: DoorDep, move: Move, version: VersionDep) -> Response:
    """Take a closed deal back into an open stage."""
    return door.change(
        lambda session: _changed(
            session,
            opportunity_service.reopen_opportunity(
                session,
                opportunity_id,
                to=move.to,
                probability=move.probability,
                expected_version=version,
            ),
        )
    )


@router.post(
    "/convert/{lead_id}",
    status_code=201,
    response_model=Conversion,
    responses=errors(404, 409, 412, 413, 415) | {200: {"model": Conversion, "description": "It was before"}},
)
def convert_lead(
    lead_id: RecordId, door: DoorDep, version: VersionDep, choice: ConversionChoice | None = None
) -> Response:
    """Make an opportunity of a qualified lead; the same lead again gets the first answer, with 200."""

    def convert(session: Session) -> Answer:
        was_converted = lead_service.get_lead(session, lead_id).status is LeadStatus.CONVERTED
        done = opportunity_service.convert_lead_to_opportunity(
            session, lead_id, choice or ConversionChoice(), expected_version=version
        )
        where = {"Location": f"/api/opportunities/{done.opportunity.id}"}
        return Answer(done, 200 if was_converted else 201, where)

    return door.change(convert)


def _told(session: Session, deal: Opportunity) -> OpportunityResponse:
    """The deal with the names of what it belongs to."""
    return listing.told(session, deal, OpportunityResponse)


def _changed(session: Session, deal: Opportunity) -> Answer:
    session.flush()  # the answer tells the new version
    return record(_told(session, deal))
