"""Teams: who sells together, and who manages them."""

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.columns import by_bytes
from crm_core.errors import NotFound, RuleBroken
from crm_core.folding import fold
from crm_core.models import Role, Target, Team, User
from crm_core.schemas.fields import LARGEST_ID
from crm_core.schemas.team import TeamCreate, TeamUpdate
from crm_core.services.records import RecordNotFound

CHANGE = "change teams"

NAMED = 3
"""How many members a refusal names."""


class TeamNotFound(NotFound):
    def __init__(self, team_id: int) -> None:
        super().__init__(f"There is no team {team_id}; it may have been deleted. Choose another.")


class TeamExists(RuleBroken):
    def __init__(self, team: Team) -> None:
        super().__init__(f"There is a team “{team.name}” already. Choose another name.")


class NotAManager(RuleBroken):
    def __init__(self, user: User) -> None:
        why = f"is a {user.role.label.lower()}" if user.is_active else "no longer works here"
        super().__init__(f"{user.name} {why}. A team's manager is an active manager or admin: choose one.")


class TeamIsInUse(RuleBroken):
    pass


def create_team(session: Session, draft: TeamCreate) -> Team:
    """Set up a team, without members yet.

    Raises `NeedsAdmin`, `TeamExists`, `NotAManager`, and `RecordNotFound` for an unknown manager.
    """
    permissions.require_admin(session, CHANGE)
    _require_new_name(session, draft.name)
    _require_manager(session, draft.manager_id)
    team = Team(**draft.model_dump())
    session.add(team)
    session.flush()  # gives it its id
    return team


def get_team(session: Session, team_id: int) -> Team:
    """One team. Raises `TeamNotFound`."""
    permissions.actor_of(session)
    team = session.get(Team, team_id) if 0 < team_id <= LARGEST_ID else None
    if team is None:
        raise TeamNotFound(team_id)
    return team


def get_teams(session: Session) -> list[Team]:
    """Every team, by name."""
    permissions.actor_of(session)
    return list(session.scalars(select(Team).order_by(Team.folded_name, by_bytes(Team.name), Team.id)))


def update_team(session: Session, team_id: int, changes: TeamUpdate) -> Team:
    """Change what was sent.

    Raises `NeedsAdmin`, `TeamNotFound`, `TeamExists`, `NotAManager`, and `RecordNotFound` for an unknown
    manager.
    """
    permissions.require_admin(session, CHANGE)
    team = get_team(session, team_id)
    answers = changes.model_dump()
    if answers.get("name", team.name) != team.name:
        _require_new_name(session, answers["name"], but=team.id)
    _require_manager(session, answers.get("manager_id"))
    for field, value in answers.items():
        setattr(team, field, value)
    return team


def delete_team(session: Session, team_id: int) -> None:
    """Remove a team that nobody belongs to and that has no targets, for good.

    Raises `NeedsAdmin`, `TeamNotFound` and `TeamIsInUse`.
    """
    permissions.require_admin(session, CHANGE)
    team = get_team(session, team_id)
    members = session.scalars(select(User.name).where(User.team_id == team.id).order_by(User.id)).all()
    if members:
        more = f" and {len(members) - NAMED:,} more" if len(members) > NAMED else ""
        raise TeamIsInUse(
            f"“{team.name}” has members: {', '.join(members[:NAMED])}{more}. Move them to another team first."
        )
    if session.scalar(select(exists().where(Target.team_id == team.id))):
        raise TeamIsInUse(f"“{team.name}” has targets. Delete them under Settings, Targets first.")
    session.delete(team)
    session.flush()  # so that it is found no more


def _require_new_name(session: Session, name: str, *, but: int | None = None) -> None:
    """No two teams are called the same, in whatever case."""
    namesakes = select(Team).where(Team.folded_name == fold(name), Team.id.is_distinct_from(but))
    if namesake := session.scalar(namesakes.limit(1)):
        raise TeamExists(namesake)


def _require_manager(session: Session, user_id: int | None) -> None:
    if user_id is None:
        return
    user = session.get(User, user_id)
    if user is None:
        raise RecordNotFound(User, user_id)
    if not user.is_active or user.role is Role.REP:
        raise NotAManager(user)
