"""Targets: what people and teams are meant to win in a month or a quarter."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.errors import InvalidInput, NotFound
from crm_core.models import Target, TargetPeriod, Team, User
from crm_core.periods import Period, PeriodKind
from crm_core.schemas.fields import LARGEST_ID, Priced
from crm_core.schemas.target import TargetSet, TargetUpdate
from crm_core.services import settings_service, team_service, user_service

CHANGE = "set targets"


@dataclass(frozen=True)
class Holder:
    """A user or a team that a target can be set for; a team is always active."""

    user_id: int | None
    team_id: int | None
    name: str
    is_active: bool = True


@dataclass(frozen=True)
class TargetRow:
    """A target in a list, with whose it is."""

    id: int
    holder: Holder
    period: TargetPeriod
    starts_on: date
    amount: Decimal


class TargetNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("This target does not exist; it may have been deleted. Choose another.")


class BeginsOnAnotherDay(InvalidInput):
    def __init__(self, draft: TargetSet, first: date) -> None:
        super().__init__(
            f"The {draft.period} of {draft.starts_on} begins on {first}. Set its target for that day."
        )


def get_targets(session: Session, period: Period | None = None) -> list[TargetRow]:
    """The targets that start in the period, or ever: of teams, then of users, each by name and day.

    Only those of whom the actor may read everything; a quarter's stands before that of its first month.
    """
    chosen = _readable(session)
    if period is not None:
        chosen = chosen.where(Target.starts_on >= period.start, Target.starts_on < period.end)
    chosen = chosen.outerjoin(User, User.id == Target.user_id).outerjoin(Team, Team.id == Target.team_id)
    in_order = chosen.order_by(
        Target.user_id.is_not(None), Team.folded_name, User.folded_name, Target.team_id, Target.user_id
    ).order_by(Target.starts_on, Target.period.desc())
    rows = session.execute(in_order.add_columns(User.name, User.is_active, Team.name))
    currency = settings_service.get_currency(session)
    return [
        TargetRow(
            target.id,
            Holder(target.user_id, target.team_id, user or team, is_active is not False),
            target.period,
            target.starts_on,
            currency.fitted(target.amount),
        )
        for target, user, is_active, team in rows
    ]


def get_target(session: Session, target_id: int) -> Target:
    """One target. Raises `TargetNotFound`, also for one of somebody whose deals the actor may not read."""
    known = Target.id == (target_id if 0 < target_id <= LARGEST_ID else None)
    target = session.scalar(_readable(session).where(known))
    if target is None:
        raise TargetNotFound
    return target


def get_holders(session: Session) -> list[Holder]:
    """Whoever the actor may set targets for: teams, then users, each by name; inactive ones too."""
    teams = permissions.managed_teams(session)
    of_teams = select(Team.id, Team.name).order_by(Team.folded_name, Team.id)
    of_users = select(User.id, User.name, User.is_active).order_by(User.folded_name, User.id)
    if teams is not None:
        of_teams, of_users = of_teams.where(Team.id.in_(teams)), of_users.where(User.team_id.in_(teams))
    return [
        *(Holder(None, team_id, name) for team_id, name in session.execute(of_teams)),
        *(Holder(user_id, None, name, active) for user_id, name, active in session.execute(of_users)),
    ]


def find_target(session: Session, draft: TargetSet) -> Target | None:
    """The target that the same user or team has for that very month or quarter, if the actor may read one."""
    return session.scalar(
        _readable(session).where(
            Target.user_id.is_not_distinct_from(draft.user_id),
            Target.team_id.is_not_distinct_from(draft.team_id),
            Target.period == draft.period,
            Target.starts_on == draft.starts_on,
        )
    )


def set_target(session: Session, draft: TargetSet) -> Target:
    """Set what is to be won; who has a target for that very month or quarter gets another amount.

    Raises `RecordNotFound` for an unknown user, `TeamNotFound`, `NeedsManager`, `OtherCurrency` and
    `FinerThanCurrency` for the amount, and `BeginsOnAnotherDay` where the day is not the first of a month or
    of a quarter of the fiscal year.
    """
    _require_right(session, draft.user_id, draft.team_id)
    _require_first_day(session, draft)
    target = find_target(session, draft)
    _require_amount(session, draft, draft.amount, target)
    if target is None:
        target = Target(**draft.model_dump())
        session.add(target)
    target.amount = draft.amount
    session.flush()  # gives a new one its id
    return target


def update_target(session: Session, target_id: int, changes: TargetUpdate) -> Target:
    """Change what was sent.

    Raises `TargetNotFound`, `NeedsManager`, `OtherCurrency` and `FinerThanCurrency`.
    """
    target = _get_to_change(session, target_id)
    answers = changes.model_dump()
    _require_amount(session, changes, answers.get("amount"), target)
    for field, value in answers.items():
        setattr(target, field, value)
    return target


def delete_target(session: Session, target_id: int) -> None:
    """Remove a target for good. Raises `TargetNotFound` and `NeedsManager`."""
    session.delete(_get_to_change(session, target_id))
    session.flush()  # so that it is found no more


def _readable(session: Session) -> Select[Target]:
    owners, teams = permissions.readable_owners(session), permissions.readable_teams(session)
    if owners is None or teams is None:
        return select(Target)
    return select(Target).where(or_(Target.user_id.in_(owners), Target.team_id.in_(teams)))


def _get_to_change(session: Session, target_id: int) -> Target:
    target = get_target(session, target_id)
    _require_right(session, target.user_id, target.team_id)
    return target


def _require_amount(session: Session, draft: Priced, amount: Decimal | None, target: Target | None) -> None:
    """An amount that stays as it is may be finer than a currency that was set later."""
    is_new = target is None or amount != target.amount
    settings_service.require_amounts(session, draft, amount if is_new else None)


def _require_right(session: Session, user_id: int | None, team_id: int | None) -> None:
    """Managers set the targets of their teams and of their members, admins everybody's."""
    if user_id is not None:
        user = user_service.get_user(session, user_id)
        permissions.require_manager_of(session, user.team_id, f"set the targets of {user.name}")
    else:
        team = team_service.get_team(session, team_id or 0)
        permissions.require_manager_of(session, team.id, f"set the targets of “{team.name}”")


def _require_first_day(session: Session, draft: TargetSet) -> None:
    """Quarters are those of the fiscal year, like those that screens and figures ask for."""
    calendar = settings_service.get_calendar(session)
    first = calendar.period(PeriodKind(draft.period), draft.starts_on).start
    if draft.starts_on != first:
        raise BeginsOnAnotherDay(draft, first)
