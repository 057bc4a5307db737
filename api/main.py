"""The API as an application of its own (`uvicorn api.main:api`), and as routes beside the screens."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.routing import BaseRoute, Route

from api import (
    companies,
    contacts,
    description,
    documentation,
    door,
    health,
    leads,
    local_only,
    metrics,
    opportunities,
    parameters,
    problems,
    settings,
    teams,
    users,
)
from api.cors import Cors
from api.protection import Protection
from crm_core import __version__, check, config, startup
from crm_core.config import Config
from crm_core.errors import CrmError, DatabaseUnavailable


def operation_id(route: APIRoute) -> str:
    """Stable, so that generated clients keep their names."""
    return route.name


@asynccontextmanager
async def alone(_api: FastAPI) -> AsyncIterator[None]:
    """What happens around serving the API alone; beside the screens it is theirs to begin."""
    begin_check()
    yield


ABOUT = """
Sign in with a token: `Authorization: Bearer …`. Every refusal is `application/problem+json`, whose `detail`
is a sentence for a person. Money is in the workspace's currency, and goes out as text with the decimals of
that currency; null is unknown, which is not zero. Instants are UTC, days are the workspace's. Records carry
their version: send it as `If-Match`, and nobody is overwritten. Send an `Idempotency-Key` with a `POST`, and
it is done once.
"""

api = FastAPIOffline(
    title="CRM",
    version=__version__,
    description=ABOUT,
    docs_url=None,
    redoc_url=None,
    openapi_url="/api/openapi.json",
    static_url=documentation.ASSETS,
    generate_unique_id_function=operation_id,
    lifespan=alone,
)


@cache
def described() -> dict[str, Any]:
    """What `/api/openapi.json` says."""
    return description.complete(FastAPI.openapi(api))


api.openapi = described  # type: ignore[method-assign]
local_only.ignore_upgrades_in_old_requests()
api.add_middleware(Cors)
api.add_middleware(Protection)  # around everything, so before anybody is invited
problems.install(api)
documentation.install(api)
api.include_router(health.router, prefix="/api")
for noun in (opportunities, metrics, leads, companies, contacts, users, teams, settings):
    api.include_router(noun.router, prefix="/api", dependencies=[Depends(parameters.require_known)])

routes: list[BaseRoute] = [
    Route("/docs", api),
    Route("/docs/{rest:path}", api),
    Route("/api/{rest:path}", api),
]
"""What the screens' server hands over to the API, paths unchanged."""


def start() -> None:
    """Make the database ready before anything is served; where it can't be, say why and end."""
    try:
        startup.open_database(Config()).close()
    except CrmError as refusal:
        sys.exit(str(refusal))
    begin_check()


def begin_check() -> None:
    """Look for damaged pages while the first calls are served already."""
    with suppress(DatabaseUnavailable):  # each call will say so
        check.begin(door.database(config.current().database_url), whole=False)
