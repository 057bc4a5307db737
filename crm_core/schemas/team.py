"""What a team looks like from outside: to set one up, to change one, to read one."""

from pydantic import MISSING

from crm_core.schemas.fields import Id, Name, Schema


class TeamCreate(Schema):
    """People who sell together."""

    name: Name
    manager_id: Id | None = None


class TeamUpdate(Schema):
    """Changes to a team: what is not sent stays, None takes the manager away."""

    name: Name | MISSING = MISSING
    manager_id: Id | None | MISSING = MISSING


class TeamResponse(Schema):
    """A team as it is."""

    id: int
    name: str
    manager_id: int | None
