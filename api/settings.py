"""`/api/settings`, `/api/stages` and `/api/close-reasons`: what the workspace has decided."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.answers import errors
from api.door import DoorDep
from crm_core.models import Outcome
from crm_core.schemas.fields import Schema
from crm_core.schemas.settings import CloseReasonResponse, SettingsResponse, StageSettingsResponse
from crm_core.services import settings_service

router = APIRouter(tags=["settings"])


@router.get("/settings", responses=errors())
def get_settings(door: DoorDep) -> SettingsResponse:
    """What amounts and days mean here: the currency, the time zone, where the fiscal year begins.

    Where an admin changes the currency, amounts keep their numbers: they are relabelled, not converted.
    """
    with door.read() as session:
        return SettingsResponse.model_validate(settings_service.get_settings(session))


@router.get("/stages", responses=errors())
def list_stages(door: DoorDep) -> list[StageSettingsResponse]:
    """Every stage in the order that a deal passes them."""
    with door.read() as session:
        found = settings_service.get_all_stage_settings(session)
        return [StageSettingsResponse.model_validate(settings) for settings in found]


class CloseReasonQuery(Schema):
    """By default all that can be chosen."""

    outcome: Outcome | None = None
    with_inactive: bool = Field(default=False, description="Also those that are no longer used.")


@router.get("/close-reasons", responses=errors())
def list_close_reasons(
    door: DoorDep, query: Annotated[CloseReasonQuery, Query()]
) -> list[CloseReasonResponse]:
    """The reasons to choose from when closing a deal."""
    with door.read() as session:
        return [
            CloseReasonResponse.model_validate(reason)
            for each in ([query.outcome] if query.outcome else Outcome)
            for reason in settings_service.get_close_reasons(session, each, with_inactive=query.with_inactive)
        ]
