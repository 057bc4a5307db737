"""`GET /api/health`: is this server fit to work, and with what."""

import logging
from contextlib import closing

from fastapi import APIRouter, Response
from pydantic import ConfigDict

from api.problems import UNAVAILABLE
from crm_core import __version__, migrate
from crm_core.config import Config
from crm_core.database import Database
from crm_core.errors import DatabaseUnavailable
from crm_core.migrate import SchemaState
from crm_core.schemas.fields import Schema

log = logging.getLogger("crm.api")

router = APIRouter(tags=["health"])


class Health(Schema):
    """`migration` is where the database's tables stand, seen from this version of the program.

    What isn't known is left out.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    status: str
    version: str
    database: str | None = None
    migration: SchemaState | None = None
    detail: str | None = None


@router.get("/health", response_model_exclude_none=True, responses={503: {"model": Health}})
def health(response: Response) -> Health:
    """200 when the database can be used, 503 when it can't."""
    try:
        with closing(Database(Config().database_url, pool_size=1)) as database:
            found = migrate.state(database)
    except DatabaseUnavailable as refusal:
        response.status_code = 503
        log.error("%s", refusal)
        return Health(status="unavailable", version=__version__, detail=UNAVAILABLE)
    is_fit = found is SchemaState.CURRENT
    response.status_code = 200 if is_fit else 503
    return Health(
        status="ok" if is_fit else "unavailable",
        version=__version__,
        database=database.kind,
        migration=found,
    )
