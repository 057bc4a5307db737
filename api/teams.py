"""`/api/teams`: who sells together."""

from fastapi import APIRouter

from api.answers import errors
from api.door import DoorDep
from crm_core.schemas.team import TeamResponse
from crm_core.services import team_service

router = APIRouter(prefix="/teams", tags=["users"])


@router.get("", responses=errors())
def list_teams(door: DoorDep) -> list[TeamResponse]:
    """Every team, by name; users tell which one they are in."""
    with door.read() as session:
        return [TeamResponse.model_validate(team) for team in team_service.get_teams(session)]
