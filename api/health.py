"""`GET /api/health`: is this server fit to work, and with what."""

import asyncio
import logging
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ConfigDict

from api.answers import errors
from api.door import bearer, database, door
from api.problems import DAMAGED, UNAVAILABLE
from crm_core import __version__, check, config, engines, migrate
from crm_core.database import Database
from crm_core.errors import DatabaseDamaged, DatabaseUnavailable
from crm_core.migrate import SchemaState
from crm_core.schemas.fields import Schema

log = logging.getLogger("crm.api")

BETWEEN_CHECKS = 60.0
"""Seconds from the end of one whole check that nobody asked for to the next."""

_ended_at: dict[str, float] = {}

router = APIRouter(tags=["health"])


class Health(Schema):
    """`migration` is where the database's tables stand, seen from this version of the program.

    What isn't known is left out. `detail` says what is wrong, and what to do now.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    status: str
    version: str
    database: str | None = None
    migration: SchemaState | None = None
    detail: str | None = None


@router.get(
    "/health",
    response_model_exclude_none=True,
    responses={**errors(401, 422), 503: {"model": Health}},
)
async def health(
    request: Request,
    response: Response,
    afterwards: BackgroundTasks,
    which: Annotated[
        Literal["full"] | None,
        Query(
            description="`full` looks through the whole database for damage first, which takes a while, and"
            " needs a token where other calls do. Callers who ask meanwhile get the same result.",
            alias="check",
        ),
    ] = None,
) -> Health:
    """200 when the database can be used, 503 when it can't: unreachable, damaged, or not migrated."""
    try:
        if which is not None:
            await door(request, afterwards, await bearer(request))
            await _checked_wholly()
        found = await run_in_threadpool(_state)
    except DatabaseUnavailable as refusal:
        is_damaged = isinstance(refusal, DatabaseDamaged)
        if not is_damaged:  # which the log has said already
            log.error("%s", refusal)
        found = {"detail": DAMAGED if is_damaged else UNAVAILABLE}
    is_fit = found.get("migration") is SchemaState.CURRENT
    response.status_code = 200 if is_fit else 503
    return Health(status="ok" if is_fit else "unavailable", version=__version__, **found)


async def _checked_wholly() -> None:
    """Wait for it without a thread: however many wait, others are served."""
    running = check.begin(database(config.current().database_url), whole=True)
    await asyncio.shield(asyncio.wrap_future(running))


def _look_whether_it_has(opened: Database) -> None:
    """However often somebody asks for the health meanwhile, the disk has time for others."""
    name = engines.plain(opened.url)
    if time.monotonic() - _ended_at.get(name, float("-inf")) >= BETWEEN_CHECKS:
        running = check.begin(opened, whole=True)
        running.add_done_callback(lambda _: _ended_at.update({name: time.monotonic()}))


def _state() -> dict[str, Any]:
    """What there is to say of the database, where nothing damaged is known in it."""
    opened = database(config.current().database_url)
    if damage := opened.damage:
        if damage.may_pass:
            _look_whether_it_has(opened)
        raise DatabaseDamaged(damage.complaint)
    found = migrate.state(opened)
    advice = {} if found is SchemaState.CURRENT else {"detail": migrate.advice(found)}
    return {"database": opened.kind, "migration": found, **advice}
