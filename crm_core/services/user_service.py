"""The people who sell."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.columns import by_bytes
from crm_core.errors import NotFound, RuleBroken
from crm_core.folding import fold
from crm_core.models import LOCAL_USER_ID, Company, Contact, Lead, Opportunity, Role, Team, User
from crm_core.schemas.fields import LARGEST_ID
from crm_core.schemas.user import UserCreate, UserUpdate
from crm_core.services import team_service
from crm_core.services.records import RecordNotFound

CHANGE = "add or change users"

NAMED = 20
"""How many people a refusal names."""


@dataclass(frozen=True)
class Owner:
    """A user as somebody to choose from."""

    id: int
    name: str


@dataclass(frozen=True)
class UserRow:
    """A user in a list, with the team's name."""

    id: int
    name: str
    email: str | None
    role: Role
    team_id: int | None
    team_name: str | None
    is_active: bool


class EmailTaken(RuleBroken):
    def __init__(self, user: User) -> None:
        advice = "" if user.is_active else f", or activate {user.name} again"
        super().__init__(
            f"{user.email} is the e-mail address of {user.name} already. Choose another{advice}."
        )


class NamesakeNeedsEmail(RuleBroken):
    def __init__(self, user: User) -> None:
        advice = "" if user.is_active else f" If it is the same person, activate {user.name} again."
        super().__init__(
            f"There is a {user.name} without an e-mail address already, and nobody could tell the two apart."
            f" Give one of them an address.{advice}"
        )


class NobodyIsCalledSo(NotFound):
    def __init__(self, everybody: list[str], found: int) -> None:
        what = "Several people are called so." if found else "Nobody here is called so."
        super().__init__(f"{what} Name one by e-mail address or number: {', '.join(everybody)}.")


class LastAdmin(RuleBroken):
    def __init__(self, user: User) -> None:
        super().__init__(f"{user.name} is the last active admin. Make somebody else an admin first.")


class LocalUserStays(RuleBroken):
    def __init__(self, user: User) -> None:
        super().__init__(
            f"Whoever does not sign in works as “{user.name}”, who therefore stays an active admin."
            " Add a user for yourself instead."
        )


class ManagesTeam(RuleBroken):
    def __init__(self, user: User, teams: list[str]) -> None:
        named = " and ".join(f"“{team}”" for team in teams)
        super().__init__(f"{user.name} manages {named}. Choose another manager there first.")


def create_user(session: Session, draft: UserCreate) -> User:
    """Add somebody.

    Raises `NeedsAdmin`, `EmailTaken`, `NamesakeNeedsEmail` for a second one of that name without an address,
    and `TeamNotFound` for an unknown team.
    """
    permissions.require_admin(session, CHANGE)
    _require_new_email(session, draft.email)
    _require_told_apart(session, draft.name, draft.email)
    _require_team(session, draft.team_id)
    user = User(**draft.model_dump())
    session.add(user)
    session.flush()  # gives them their id
    return user


def get_user(session: Session, user_id: int) -> User:
    """One user, active or not. Raises `RecordNotFound`."""
    permissions.actor_of(session)
    user = session.get(User, user_id) if 0 < user_id <= LARGEST_ID else None
    if user is None:
        raise RecordNotFound(User, user_id)
    return user


def get_user_called(session: Session, who: str) -> User:
    """The user with that e-mail address, name (in whatever case) or number. Raises `NobodyIsCalledSo`."""
    permissions.actor_of(session)
    wanted = fold(who)
    key = int(who) if who.isascii() and who.isdecimal() and len(who) < len(str(LARGEST_ID)) else None
    meant = or_(User.folded_email == wanted, User.folded_name == wanted, User.id == key)
    found = session.scalars(select(User).where(meant).order_by(User.id).limit(2)).all()
    if len(found) != 1:
        everybody = session.scalars(select(User).where(User.is_active).order_by(User.id).limit(NAMED))
        raise NobodyIsCalledSo([f"{user.id} {user.email or user.name}" for user in everybody], len(found))
    return found[0]


def get_users(session: Session, *, is_active: bool | None = None) -> list[UserRow]:
    """Everybody by name, with their teams; or only who is active, or only who is not."""
    permissions.actor_of(session)
    chosen = (
        select(User.id, User.name, User.email, User.role, User.team_id, Team.name, User.is_active)
        .outerjoin(Team, Team.id == User.team_id)
        .order_by(User.folded_name, by_bytes(User.name), User.id)
    )
    if is_active is not None:
        chosen = chosen.where(User.is_active == is_active)
    return [UserRow(*row) for row in session.execute(chosen)]


def get_owners(session: Session) -> list[Owner]:
    """Everybody who can own a record or has the credit of one, by name; the local user only with any."""
    permissions.actor_of(session)
    has_any = or_(
        exists().where(Opportunity.credited_owner_id == User.id),
        *(exists().where(kind.owner_id == User.id) for kind in (Opportunity, Lead, Company, Contact)),
    )
    chosen = select(User.id, User.name).where(or_(User.id != LOCAL_USER_ID, has_any))
    in_order = chosen.order_by(User.folded_name, by_bytes(User.name), User.id)
    return [Owner(id_, name) for id_, name in session.execute(in_order)]


def update_user(session: Session, user_id: int, changes: UserUpdate) -> User:
    """Change what was sent. Somebody who leaves becomes inactive, and keeps the records and the credit.

    Raises `NeedsAdmin`, `RecordNotFound`, `EmailTaken`, `NamesakeNeedsEmail`, `TeamNotFound` for an unknown
    team, `LocalUserStays` and `LastAdmin` where the CRM would be left without an admin, and `ManagesTeam`
    where a team would be left without its manager.
    """
    permissions.require_admin(session, CHANGE)
    user = get_user(session, user_id)
    answers = changes.model_dump()
    name, email = answers.get("name", user.name), answers.get("email", user.email)
    if email != user.email:
        _require_new_email(session, email, but=user.id)
    if (name, email) != (user.name, user.email):
        _require_told_apart(session, name, email, but=user.id)
    _require_team(session, answers.get("team_id"))
    _require_admins(session, user, answers)
    _require_managers(session, user, answers)
    for field, value in answers.items():
        setattr(user, field, value)
    return user


def _require_new_email(session: Session, email: str | None, *, but: int | None = None) -> None:
    """No two users have the same address, in whatever case."""
    if email is None:
        return
    same = select(User).where(User.folded_email == fold(email), User.id.is_distinct_from(but))
    if other := session.scalar(same.limit(1)):
        raise EmailTaken(other)


def _require_told_apart(session: Session, name: str, email: str | None, *, but: int | None = None) -> None:
    """No two users have the same name, in whatever case, and no address."""
    if email is not None:
        return
    namesakes = select(User).where(
        User.email.is_(None), User.folded_name == fold(name), User.id.is_distinct_from(but)
    )
    if namesake := session.scalar(namesakes.order_by(User.id).limit(1)):
        raise NamesakeNeedsEmail(namesake)


def _require_team(session: Session, team_id: int | None) -> None:
    if team_id is not None:
        team_service.get_team(session, team_id)


def _require_admins(session: Session, user: User, answers: dict[str, Any]) -> None:
    """Somebody must be left who may do everything; as long as nobody signs in, that is the local user."""
    role, is_active = answers.get("role", user.role), answers.get("is_active", user.is_active)
    if not (user.is_active and user.role is Role.ADMIN) or (is_active and role is Role.ADMIN):
        return
    if user.id == LOCAL_USER_ID:
        raise LocalUserStays(user)
    other_admins = exists().where(User.role == Role.ADMIN, User.is_active, User.id != user.id)
    if not session.scalar(select(other_admins)):
        raise LastAdmin(user)


def _require_managers(session: Session, user: User, answers: dict[str, Any]) -> None:
    """Whoever manages a team stays an active manager or admin."""
    becomes_rep = answers.get("role", user.role) is Role.REP and user.role is not Role.REP
    leaves = not answers.get("is_active", user.is_active) and user.is_active
    if not (becomes_rep or leaves):
        return
    managed = select(Team.name).where(Team.manager_id == user.id).order_by(Team.id)
    if teams := session.scalars(managed).all():
        raise ManagesTeam(user, list(teams))
