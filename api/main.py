"""The API as an application of its own (`uvicorn api.main:api`), and as routes beside the screens."""

import sys

from fastapi_offline import FastAPIOffline
from starlette.routing import BaseRoute, Route

from api import health
from crm_core import __version__, startup
from crm_core.config import Config
from crm_core.errors import CrmError

api = FastAPIOffline(
    title="CRM",
    version=__version__,
    docs_url="/docs",
    redoc_url=None,
    openapi_url="/api/openapi.json",
    static_url="/api/docs-assets",
)
api.include_router(health.router, prefix="/api")

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
