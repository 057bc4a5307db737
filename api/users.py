"""`/api/users`: who sells."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.answers import RecordId, errors
from api.door import DoorDep
from crm_core.schemas.fields import Schema
from crm_core.schemas.user import UserResponse
from crm_core.services import user_service

router = APIRouter(prefix="/users", tags=["users"])


class UserQuery(Schema):
    """By default everybody."""

    is_active: bool | None = Field(default=None, description="Still works here, or no longer.")


@router.get("", responses=errors())
def list_users(door: DoorDep, query: Annotated[UserQuery, Query()]) -> list[UserResponse]:
    """Everybody, or only those who still work here."""
    with door.read() as session:
        found = user_service.get_users(session, is_active=query.is_active)
        return [UserResponse.model_validate(row) for row in found]


@router.get("/{user_id}", responses=errors(404))
def get_user(user_id: RecordId, door: DoorDep) -> UserResponse:
    """One user, also one who no longer works here."""
    with door.read() as session:
        return UserResponse.model_validate(user_service.get_user(session, user_id))
