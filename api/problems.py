"""What is wrong with a request, told as RFC 9457 wants it: `application/problem+json`, without internals."""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import MISSING, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from api.content_policy import policy
from api.history import HistoryEntryResponse
from api.parameters import name_of
from crm_core import incidents
from crm_core.engines import BUSY, TOO_SLOW
from crm_core.errors import (
    Conflict,
    CrmError,
    DatabaseDamaged,
    DatabaseUnavailable,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotKnownWhetherSaved,
    NotSignedIn,
    RuleBroken,
    SearchIndexDamaged,
)
from crm_core.filters import FieldsDoNotApply
from crm_core.schemas.fields import Schema
from crm_core.services.records import ChangedMeanwhile, NothingWasChanged

log = logging.getLogger("crm.api")

MEDIA_TYPE = "application/problem+json"

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": policy(),
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
"""What every answer carries. `Protection` adds it; only what broke inside is answered from around it."""

STATUS: dict[type[CrmError], int] = {
    NotSignedIn: 401,
    NotAllowed: 403,
    NotFound: 404,
    RuleBroken: 409,
    Conflict: 409,
    InvalidInput: 422,
    DatabaseUnavailable: 503,
}


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

NAMED = 50
"""How many fields a problem names at most."""

NOT_KNOWN_WHETHER_SAVED = (
    "The database went away, and it is not known whether this was saved. Look before you send it again; with"
    " the same Idempotency-Key it is saved once."
)

UNAVAILABLE = "The database can't be used right now. Send it again in a moment; the server's log says why."

DAMAGED = "The database is damaged. Stop the CRM and restore a backup; the server's log says what was found."

SENTENCES = {
    400: "The body can't be read as JSON: it is not UTF-8, too deeply nested, or has a number too long.",
    404: "There is nothing at this address. /docs lists what there is.",
    405: "This address takes other methods; the Allow header names them.",
}
"""What the framework itself refuses with a mere phrase."""


class WrongField(Schema):
    """A field of the request, and what is wrong with it; without a name it is the body as a whole."""

    field: str
    reason: str


class RefusedRecord(Schema):
    """One of many that were to be changed, and why it can't be."""

    id: int
    reason: str


class Problem(Schema):
    """`type` names the rule that was broken, `detail` is a sentence for a person.

    `errors` come with 422, `refusals` where many were to be changed, `incident` with 500. Where somebody was
    faster, `version` is the one that the record is at, and `changes` are those since the caller's.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    type: str
    title: str
    status: int
    detail: str
    errors: list[WrongField] | MISSING = MISSING
    version: int | MISSING = MISSING
    changes: list[HistoryEntryResponse] | MISSING = MISSING
    refusals: list[RefusedRecord] | MISSING = MISSING
    incident: str | MISSING = MISSING


def problem(
    status: int, detail: str, *, kind: str = "", headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The answer that says so. `more` goes into it as it is."""
    title = HTTPStatus(status).phrase
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind or title.replace(" ", "-")).lower()
    said = Problem(type=f"urn:crm:{name}", title=title, status=status, detail=detail, **more)
    content = _without_lone_surrogates(jsonable_encoder(said))
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install(api: FastAPI) -> None:
    """Let every error leave as a problem."""
    api.add_exception_handler(CrmError, _refused)  # type: ignore[arg-type]
    api.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    api.add_exception_handler(ValidationError, _invalid)  # type: ignore[arg-type]
    api.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]
    api.add_exception_handler(Exception, _unexpected)


def refused(refusal: CrmError, *, has_version: bool = False) -> JSONResponse:
    """How a refusal is told; `has_version` where the request named the version that it is based on."""
    status = next(code for kind, code in STATUS.items() if isinstance(refusal, kind))
    more: dict[str, Any] = {}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(refusal, ChangedMeanwhile):
        status = 412 if has_version else 409
        more = {"version": refusal.version, "changes": refusal.entries}
        headers["ETag"] = f'"{refusal.version}"'
    if isinstance(refusal, NothingWasChanged):
        more = {"refusals": [{"id": key, "reason": str(why)} for key, why in refusal.refusals.items()]}
    return problem(status, _said(refusal), kind=type(refusal).__name__, headers=headers, **more)


def _said(refusal: CrmError) -> str:
    """What it says, with the API's names; where the database is and what ails it goes to the log alone."""
    if isinstance(refusal, FieldsDoNotApply):
        return str(type(refusal)(map(name_of, refusal.fields)))
    if isinstance(refusal, DatabaseDamaged):
        return DAMAGED
    if not isinstance(refusal, DatabaseUnavailable) or str(refusal) in (BUSY, TOO_SLOW):
        return str(refusal)
    log.error("%s", refusal)
    if isinstance(refusal, SearchIndexDamaged):
        return str(refusal)
    return NOT_KNOWN_WHETHER_SAVED if isinstance(refusal, NotKnownWhetherSaved) else UNAVAILABLE


def invalid(error: RequestValidationError | ValidationError) -> JSONResponse:
    """Names each field and what is wrong with it, and never repeats what was sent."""
    wrong = error.errors()
    found = [{"field": ".".join(map(str, _place(one))), "reason": _reason(one)} for one in wrong[:NAMED]]
    named = [f"{one['field']}: {one['reason']}" if one["field"] else one["reason"] for one in found]
    more = [f"and {len(wrong) - NAMED:,} more"] if len(wrong) > NAMED else []
    return problem(422, "; ".join(named + more), kind="InvalidInput", errors=found)


def _refused(request: Request, refusal: CrmError) -> JSONResponse:
    answer = refused(refusal, has_version="if-match" in request.headers)
    answer.background = getattr(request.state, "afterwards", None)
    return answer


def _invalid(_request: Request, error: RequestValidationError | ValidationError) -> JSONResponse:
    return invalid(error)


def _http(request: Request, error: HTTPException) -> JSONResponse:
    detail = SENTENCES.get(error.status_code, str(error.detail))
    methods = _methods(request) if error.status_code == 405 else []
    headers = {"Allow": ", ".join(methods)} if methods else error.headers
    return problem(error.status_code, detail, headers=headers)


def _methods(request: Request) -> list[str]:
    """What may be done at this address; the framework itself names the methods of its first route only."""
    told, here = request.app.openapi()["paths"], request.url.path
    matching = (path for path in told if compile_path(path)[0].match(here))
    path = here if here in told else next(matching, None)
    return [method for method in METHODS if path and method.lower() in told[path]]


def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    return incident(incidents.record(log, error))


def incident(number: str) -> JSONResponse:
    """The answer about something that broke inside; the log tells more under its number."""
    detail = f"Something went wrong on our side. Tell your admin the incident {number}; nothing was saved."
    return problem(500, detail, kind="Incident", headers=HEADERS, incident=number)


def _place(error: Mapping[str, Any]) -> list[Any]:
    """Where in the request, without “body” and “query” in front; what is no JSON has no fields."""
    where = [] if error["type"] == "json_invalid" else list(error["loc"])
    return where[1:] if where and where[0] in ("body", "query", "path", "header") else where


def _reason(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return "This is not JSON."
    return str(error["msg"]).removeprefix("Value error, ")


def _without_lone_surrogates(content: Any) -> Any:
    """Field names come from the request, too."""
    match content:
        case str():
            return content.encode("utf-8", "replace").decode()
        case dict():
            return {
                _without_lone_surrogates(key): _without_lone_surrogates(value)
                for key, value in content.items()
            }
        case list():
            return [_without_lone_surrogates(value) for value in content]
        case _:
            return content
