"""What an address may say behind its question mark."""

from collections import Counter
from typing import Any, get_origin

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict

NAMES = {
    "close_reasons": "close_reason_id",
    "companies": "company_id",
    "contacts": "contact_id",
    "countries": "country",
    "industries": "industry",
    "outcomes": "outcome",
    "owners": "owner_id",
    "sources": "source",
    "stages": "stage",
    "statuses": "status",
    "teams": "team_id",
}
"""What the API calls the sets of the library's filters: one value each, named like the record's field."""


def name_of(field: str) -> str:
    """What the API calls a field of a filter."""
    return NAMES.get(field, field)


class FilterQuery(BaseModel):
    """Base of queries that take a filter: its fields have the API's names, and no others."""

    model_config = ConfigDict(alias_generator=name_of)


async def require_known(request: Request) -> None:
    """Refuse a parameter that means nothing here, and one said twice where only one can be meant.

    What a route's own query knows is refused there.
    """
    fields = _fields(request.scope["route"])
    found = Counter(name for name, _ in request.query_params.multi_items())
    twice = [name for name, times in found.items() if times > 1 and name in fields and not fields[name]]
    unknown = [name for name in found if not fields]
    wrong = [_wrong(name, "Say it once.") for name in twice]
    wrong += [_wrong(name, "Extra inputs are not permitted") for name in unknown]
    if wrong:
        raise RequestValidationError(wrong)


def _fields(route: Any) -> dict[str, bool]:
    """The names that the route's query knows, and whether each takes several values."""
    return {
        field.alias or name: get_origin(field.annotation) is frozenset
        for query in route.dependant.query_params
        for name, field in query.field_info.annotation.model_fields.items()
    }


def _wrong(name: str, reason: str) -> dict[str, Any]:
    return {"type": "value_error", "loc": ("query", name), "msg": reason}
