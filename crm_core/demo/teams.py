"""Writes the made-up staff: teams, their managers and their reps."""

from math import inf

from sqlalchemy.orm import Session

from crm_core import history
from crm_core.demo.people import SELLER_DOMAIN, Person, Staff
from crm_core.demo.words import TEAM_NAMES
from crm_core.models import Role, Team, User


def write(session: Session, staff: Staff) -> list[int]:
    """The teams with their managers and reps, who get the ids that were planned; returns the teams' ids."""
    teams = [Team(name=name) for name in TEAM_NAMES]
    session.add_all(teams)
    session.flush()  # the members need their teams' ids
    led = zip(staff.managers, staff.manager_ids, range(len(teams)), strict=True)
    managers = [_user(person, id_, teams[team], Role.MANAGER) for person, id_, team in led]
    reps = [
        _user(rep.person, rep.id, teams[rep.team], Role.REP, is_active=rep.left == inf) for rep in staff.reps
    ]
    session.add_all(managers + reps)
    session.flush()  # the teams need their managers' ids
    for team, manager in zip(teams, managers, strict=True):
        team.manager_id = manager.id
    session.flush()  # what follows is written past the session
    history.catch_up_sequence(session, User.__table__)
    return [team.id for team in teams]


def _user(person: Person, user_id: int, team: Team, role: Role, *, is_active: bool = True) -> User:
    email = person.email(SELLER_DOMAIN)
    return User(id=user_id, name=person.name, email=email, role=role, team_id=team.id, is_active=is_active)
