"""What routes of every noun share: pages, records with their ETag, and the errors that are documented."""

from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Response
from pydantic import BaseModel, Field

from api.door import Answer
from api.parameters import FilterQuery
from api.problems import MEDIA_TYPE
from crm_core.schemas.fields import LARGEST_ID, Schema

S = TypeVar("S", bound=Schema)

RecordId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class PageQuery(FilterQuery):
    """Which part of a list. `cursor` is the `next_cursor` of the page before."""

    limit: int = Field(default=50, ge=1, le=200, description="How many rows at most. CSV has them all.")
    cursor: str | None = Field(
        default=None, max_length=2_000, description="The `next_cursor` of the page before, in the same order."
    )


class PageResponse(BaseModel, Generic[S]):
    """Some rows, how many the whole list has, and where it goes on; None at its end."""

    items: list[S]
    total: int = Field(examples=[1])
    next_cursor: str | None = Field(examples=[None])

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """LeadPage, rather than PageResponse[LeadResponse]: generated clients name a class so."""
        return str(params[0].__name__).removesuffix("Response") + "Page"


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with."""
    return {
        status: {"content": {MEDIA_TYPE: {"schema": PROBLEM}}, "description": DESCRIPTIONS[status]}
        for status in (*EVERYWHERE, *statuses)
    }


def etag(version: int) -> dict[str, str]:
    """The header that names a record's version."""
    return {"ETag": f'"{version}"'}


def whole(content: BaseModel) -> Response:
    """An answer that is right already: FastAPI would check it once more, in a thread of its own."""
    return Response(content.model_dump_json(), media_type="application/json")


def record(content: Any, *, status: int = 200, at: str | None = None) -> Answer:
    """A record with its ETag, and for a new one where it is."""
    headers = etag(content.version)
    if at is not None:
        headers["Location"] = f"/api/{at}/{content.id}"
    return Answer(content, status, headers)


PROBLEM = {"$ref": "#/components/schemas/Problem"}

EVERYWHERE = (400, 401, 403, 422, 500, 503)
DESCRIPTIONS = {
    400: "The request can't be read",
    401: "No token, or one that opens nothing",
    403: "This user may not do it, or the call is not a direct one from this machine",
    404: "There is no such record, or it is none of this user's business",
    409: "A rule of the sales process forbids it, or somebody was faster",
    412: "The record is not at the version that If-Match names; the problem tells what changed",
    413: "More than a megabyte",
    415: "The body is not application/json",
    422: "Fields that can't be what they are; each is named with its reason",
    500: "Something went wrong on our side; the problem names the incident in the log",
    503: "The database can't be used right now",
}
