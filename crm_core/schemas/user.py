"""What a user looks like from outside: to add one, to change one, to read one."""

from pydantic import MISSING

from crm_core.models import Role
from crm_core.schemas.fields import Email, Id, Maybe, Name, Schema


class UserCreate(Schema):
    """Somebody who sells."""

    name: Name
    email: Maybe[Email] = None
    role: Role = Role.REP
    team_id: Id | None = None


class UserUpdate(Schema):
    """Changes to a user: what is not sent stays, None empties. Users are deactivated, never deleted."""

    name: Name | MISSING = MISSING
    email: Maybe[Email] | MISSING = MISSING
    role: Role | MISSING = MISSING
    team_id: Id | None | MISSING = MISSING
    is_active: bool | MISSING = MISSING


class UserResponse(Schema):
    """A user as they are."""

    id: int
    name: str
    email: str | None
    role: Role
    team_id: int | None
    is_active: bool
