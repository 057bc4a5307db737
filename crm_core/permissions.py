"""Who may read and change what: reps their own records, managers their team's, admins everything.

Records without an owner are everybody's. Everyone reads everything unless the workspace narrows it to the
team or to one's own; what a user may not read is not found.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, Integer, bindparam, or_, select
from sqlalchemy.orm import Session

from crm_core.errors import NotAllowed, NotSignedIn
from crm_core.models import Record, Role, Settings, Team, User, Visibility
from crm_core.schemas.fields import LARGEST_ID

R = TypeVar("R", bound=Record)
T = TypeVar("T")

_USERS = User.__table__.c
ACTOR = select(_USERS.id, _USERS.name, _USERS.role, _USERS.team_id, _USERS.is_active).where(
    _USERS.id == bindparam("actor_id", type_=Integer)
)
"""What is asked of whoever acts, in every transaction."""

NAMED = 3
"""How many people a refusal names."""


@dataclass(frozen=True)
class Actor:
    """Who acts in a session. The system has no id and may do everything, like an admin."""

    id: int | None
    role: Role
    team_id: int | None = None

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN


SYSTEM = Actor(None, Role.ADMIN)


class BelongsToSomebodyElse(NotAllowed):
    def __init__(self, record: Record, owner: User, managers: list[str]) -> None:
        may = ", ".join([owner.name, *managers] if owner.is_active else managers)
        who = f"{may} or an admin" if may else "An admin"
        super().__init__(f"“{record.name}” belongs to {owner.name}. {who} can change it.")


class NeedsAdmin(NotAllowed):
    def __init__(self, action: str, admins: list[str]) -> None:
        ask = f" Ask {' or '.join(admins)}." if admins else ""
        super().__init__(f"Only an admin can {action}.{ask}")


class NeedsManager(NotAllowed):
    def __init__(self, action: str, managers: list[str]) -> None:
        who = f"{', '.join(managers)} or an admin" if managers else "an admin"
        super().__init__(f"Only {who} can {action}.")


def actor_of(session: Session) -> Actor:
    """Who acts. Raises `NotSignedIn` for nobody we know, and for a user who was deactivated."""
    return _remembered(session, "actor", lambda: _find_actor(session, session.info.get("actor_id")))


def person_of(session: Session) -> int:
    """The user who acts; what belongs to a person can't be the system's. Raises `NotSignedIn`."""
    actor_id = actor_of(session).id
    if actor_id is None:
        raise NotSignedIn("Sign in first.")
    return actor_id


def require_admin(session: Session, action: str) -> None:
    """Let only admins pass; `action` completes “Only an admin can …”. Raises `NeedsAdmin`."""
    if not actor_of(session).is_admin:
        active_admins = select(User.name).where(User.role == Role.ADMIN, User.is_active).order_by(User.id)
        raise NeedsAdmin(action, list(session.scalars(active_admins.limit(NAMED))))


def require_manager(session: Session, action: str) -> None:
    """Let only admins and managers of some team pass. Raises `NeedsManager`, which names the actor's own."""
    if managed_teams(session) == frozenset():
        raise NeedsManager(action, _managers_of(session, actor_of(session).team_id))


def require_manager_of(session: Session, team_id: int | None, action: str) -> None:
    """Let only the team's managers and admins pass; without a team only admins. Raises `NeedsManager`."""
    teams = managed_teams(session)
    if teams is not None and team_id not in teams:
        raise NeedsManager(action, _managers_of(session, team_id))


def require_change(session: Session, record: Record) -> None:
    """Let only those pass who may change the record. Raises `BelongsToSomebodyElse`, which names them."""
    owners = _changeable_owners(session)
    if owners is None or record.owner_id is None or record.owner_id in owners:
        return
    owner = session.get_one(User, record.owner_id)
    raise BelongsToSomebodyElse(record, owner, _managers_of(session, owner.team_id, but=owner.id))


def may_read(session: Session, record: Record) -> bool:
    """Whether the record is any of the actor's business."""
    owners = readable_owners(session)
    return owners is None or record.is_of(owners)


def readable(session: Session, model: type[R]) -> list[ColumnElement[bool]]:
    """`may_read` in SQL, on the model or on what `history.as_of` made of it: whose it was then counts."""
    owners = readable_owners(session)
    return [] if owners is None else [model.of(owners)]


def settings_of(session: Session) -> Settings:
    """The workspace's settings, whoever asks."""
    return _remembered(session, "settings", lambda: session.get_one(Settings, 1))


def _find_actor(session: Session, actor_id: int | None) -> Actor:
    if actor_id is None:
        return SYSTEM
    known = {"actor_id": actor_id if 0 < actor_id <= LARGEST_ID else None}
    user = session.execute(ACTOR, known).one_or_none()
    if user is None:
        raise NotSignedIn("Sign in first.")
    if not user.is_active:
        raise NotSignedIn(f"The account of {user.name} is no longer active. Ask an admin to activate it.")
    return Actor(user.id, user.role, user.team_id)


def _remembered(session: Session, name: str, find: Callable[[], T]) -> T:
    """Found once in a session: rights don't change under those whom they limit, and a row stays the same."""
    if name not in session.info:
        session.info[name] = find()
    found: T = session.info[name]
    return found


def _changeable_owners(session: Session) -> frozenset[int] | None:
    """Whose records the actor may change; None: everybody's."""
    return _remembered(session, "changeable_owners", lambda: _find_changeable_owners(session))


def readable_owners(session: Session) -> frozenset[int] | None:
    """Whose records the actor may read; None: everybody's."""
    return _remembered(session, "readable_owners", lambda: _find_readable_owners(session))


def readable_teams(session: Session) -> frozenset[int] | None:
    """The teams whose members' records the actor may read, all of them; None: every team."""
    return _remembered(session, "readable_teams", lambda: _find_readable_teams(session))


def managed_teams(session: Session) -> frozenset[int] | None:
    """The teams that the actor manages; None: every team, and those who belong to none."""
    return _remembered(session, "managed_teams", lambda: _find_managed_teams(session))


def _find_changeable_owners(session: Session) -> frozenset[int] | None:
    actor, teams = actor_of(session), managed_teams(session)
    if actor.id is None or teams is None:
        return None
    return _members(session, teams) | {actor.id}


def _find_readable_owners(session: Session) -> frozenset[int] | None:
    owners = _changeable_owners(session)
    if owners is None or (visibility := settings_of(session).visibility) is Visibility.ALL:
        return None
    own_team = actor_of(session).team_id
    if visibility is Visibility.OWN or own_team is None:
        return owners
    return owners | _members(session, {own_team})


def _find_readable_teams(session: Session) -> frozenset[int] | None:
    owners, managed = readable_owners(session), managed_teams(session)
    if owners is None or managed is None:
        return None
    hidden, seen = set[int | None](), set[int | None](managed)
    for user_id, team_id in session.execute(select(User.id, User.team_id)):
        (seen if user_id in owners else hidden).add(team_id)
    return frozenset(team_id for team_id in seen - hidden if team_id is not None)


def _find_managed_teams(session: Session) -> frozenset[int] | None:
    """A manager manages the team that they belong to, and those that they are named the manager of."""
    actor = actor_of(session)
    if actor.is_admin:
        return None
    if actor.role is not Role.MANAGER:
        return frozenset()
    led = select(Team.id).where(or_(Team.manager_id == actor.id, Team.id == actor.team_id))
    return frozenset(session.scalars(led))


def _members(session: Session, teams: Set[int]) -> frozenset[int]:
    if not teams:
        return frozenset()
    return frozenset(session.scalars(select(User.id).where(User.team_id.in_(teams))))


def _managers_of(session: Session, team_id: int | None, *, but: int | None = None) -> list[str]:
    """The names of those who may change a member's records for being their manager."""
    if team_id is None:
        return []
    named = select(Team.manager_id).where(Team.id == team_id)
    leads_the_team = or_(User.team_id == team_id, User.id.in_(named))
    managers = select(User.name).where(
        User.role == Role.MANAGER, User.is_active, User.id.is_distinct_from(but)
    )
    return list(session.scalars(managers.where(leads_the_team).order_by(User.id).limit(NAMED)))
