"""How much of what was meant to be won has been won, and whether the rest can be."""

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from dateutil.relativedelta import relativedelta
from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.analytics.metrics.base import (
    COUNTED,
    OVERDUE,
    WITHOUT_VALUE,
    Figure,
    Number,
    Question,
    by_kind,
    ratio,
)
from crm_core.analytics.metrics.volume import won
from crm_core.analytics.pipeline import NOTHING
from crm_core.errors import InvalidInput
from crm_core.filters import FieldsDoNotApply, OpportunityFilter
from crm_core.models import Target, TargetPeriod, Team, User
from crm_core.moment import moment_of_open

OUTSIDE = "outside_period"
"""Expected to close before or after the days that are asked for."""

WITHOUT_DATE = "without_date"

AT_RISK_FROM = Fraction(4, 5)
"""The share of the pace below which one is behind."""

ASKED_OF_TARGETS = {"owners", "teams", "as_of"}
LENGTHS = {TargetPeriod.MONTH: 1, TargetPeriod.QUARTER: 3}
"""In months."""


WITHOUT_TARGET = "without_target"
"""Won by people for whom none is set."""

ByHolder = defaultdict[int | None, list[Target]]
"""Targets by the key of a user or of a team."""


class Standing(StrEnum):
    """How what was won compares with what is meant to be won."""

    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    BEHIND = "behind"
    MET = "target_met"


@dataclass(frozen=True)
class Aim:
    """What is meant to be won, and by whom; None where a month of the period has no target."""

    amount: Decimal | None
    people: frozenset[int]


class NoWholeMonths(InvalidInput):
    def __init__(self) -> None:
        super().__init__("Targets are set for months and quarters: ask for whole months.")


class NotAskedOfTargets(FieldsDoNotApply):
    sentence = "Targets are set for people and teams alone: leave {fields} out of the filter."


def attainment(asked: Question) -> Figure:
    """Won in the period ÷ its target, which may be more than 1; None without a target.

    What people without a target have won is inside, and told apart.
    """
    aim, asked = aim_of(asked), _of_their_own(asked)
    figure, deal = won(asked), asked.deal
    has_target = deal.credited_owner_id.is_not(None) & deal.credited_owner_id.in_(aim.people)
    others = asked.deals(and_(deal.is_won, asked.closed), (has_target, COUNTED), others=WITHOUT_TARGET)
    return replace(
        figure,
        value=ratio(_share(figure.value, aim.amount)),
        apart=by_kind(others, WITHOUT_TARGET),
        details={"won": figure.value, "target": aim.amount},
    )


def pace(asked: Question) -> Figure:
    """What has gone by of the period ÷ the whole of it; the standing says how the attainment compares."""
    days, today = asked.days, asked.scope.moment.today
    elapsed = max(0, min((today - days.start).days + 1, days.days))
    gone_by, figure = Fraction(elapsed, days.days), attainment(asked)
    reached = _share(figure.details["won"], figure.details["target"])
    return replace(
        figure,
        value=ratio(gone_by),
        details={**figure.details, "attainment": figure.value},
        status=_standing(reached, gone_by) if reached is not None and elapsed else None,
    )


def gap(asked: Question) -> Figure:
    """max(target − won, 0); None without a target."""
    figure = attainment(asked)
    earned, target = figure.details["won"], figure.details["target"]
    if earned is None or target is None:
        return replace(figure, value=None)
    return replace(figure, value=max(Decimal(target) - Decimal(earned), NOTHING))


def coverage(asked: Question) -> Figure:
    """Open value expected in the rest of the period ÷ what is missing to the target; overdue deals apart.

    What is open is as of the last instant of a period that is over.
    """
    missing = gap(asked).value
    open_moment = moment_of_open(asked.session, asked.scope.moment, asked.days)
    asked = replace(_of_their_own(asked), as_of=open_moment.at)
    deal, days = asked.deal, asked.days
    groups = asked.deals(
        deal.is_open,
        (deal.expected_close_date.is_(None), WITHOUT_DATE),
        (deal.overdue(asked.scope.moment.today), OVERDUE),
        (deal.expected_close_date < days.start, OUTSIDE),
        (deal.expected_close_date >= days.end, OUTSIDE),
        (deal.expected_value.is_(None), WITHOUT_VALUE),
    )
    expected = groups.together((COUNTED, WITHOUT_VALUE)).known_value
    return Figure(
        ratio(_share(expected, missing)),
        groups[COUNTED],
        groups[COUNTED],
        by_kind(groups, WITHOUT_VALUE, OVERDUE, OUTSIDE, WITHOUT_DATE),
        details={"expected": expected, "gap": missing, "overdue_value": groups[OVERDUE].known_value},
        status=Standing.MET if missing == 0 else None,
    )


def aim_of(asked: Question) -> Aim:
    """What those in the filter are meant to win in the period.

    A team's own target counts where the whole period has one, or else those of its members. Raises
    `NotAskedOfTargets` and `NoWholeMonths`.
    """
    if foreign := asked.narrowed_by.keys() - ASKED_OF_TARGETS:
        raise NotAskedOfTargets(foreign)
    if asked.days.start.day != 1 or asked.days.end.day != 1:
        raise NoWholeMonths
    months = frozenset(asked.days.months())
    chosen, people = _chosen(asked.session, asked.where, months)
    is_complete = _months(chosen) == months
    return Aim(sum((target.amount for target in chosen), NOTHING) if is_complete else None, people)


def _of_their_own(asked: Question) -> Question:
    """Whoever may not read everything is told of what is to the credit of those whose targets they see."""
    readable = permissions.readable_owners(asked.session)
    if readable is None or asked.where.owners:
        return asked
    return replace(asked, where=asked.where.model_copy(update={"owners": readable}))


def _chosen(
    session: Session, where: OpportunityFilter, months: Set[date]
) -> tuple[list[Target], frozenset[int]]:
    """The targets of those months that together are the one of those in the filter, and whose they are."""
    of_users, of_teams = _targets_in(session, months)
    members = defaultdict[int | None, set[int]](set)
    for user_id, team_id in session.execute(select(User.id, User.team_id)):
        members[team_id].add(user_id)
    readable, whole_teams = permissions.readable_owners(session), permissions.readable_teams(session)
    chosen: list[Target] = []
    people: set[int] = set()
    for team_id in where.teams or {*session.scalars(select(Team.id)), None}:
        everybody = members[team_id]
        users = everybody & (where.owners or everybody) & (everybody if readable is None else readable)
        is_whole = not where.owners and (whole_teams is None or team_id in whole_teams)
        own = of_teams[team_id] if is_whole else []
        if _months(own) != months:
            own = [target for user_id in users for target in of_users[user_id]]
            users = {user_id for user_id in users if of_users[user_id]}
        chosen += own
        people |= users
    return chosen, frozenset(people)


def _targets_in(session: Session, months: Set[date]) -> tuple[ByHolder, ByHolder]:
    """Those of each user and of each team that lie in the months; a quarter's goes before its months'."""
    of_users, of_teams = ByHolder(list), ByHolder(list)
    begins_within = select(Target).where(Target.starts_on.between(min(months), max(months)))
    for target in session.scalars(begins_within.order_by(Target.period.desc(), Target.starts_on)):
        known = of_teams[target.team_id] if target.user_id is None else of_users[target.user_id]
        if _months([target]) <= months and not _months([target]) & _months(known):
            known.append(target)
    return of_users, of_teams


def _months(targets: Iterable[Target]) -> set[date]:
    """The first day of every month that there is a target for."""
    return {
        target.starts_on + relativedelta(months=month)
        for target in targets
        for month in range(LENGTHS[target.period])
    }


def _share(amount: Number | None, whole: Number | None) -> Fraction | None:
    """None where nothing can be divided by, or one of the two is not known."""
    return None if amount is None or not whole else Fraction(amount) / Fraction(whole)


def _standing(reached: Fraction, gone_by: Fraction) -> Standing:
    if reached >= gone_by:
        return Standing.ON_TRACK
    return Standing.AT_RISK if reached >= AT_RISK_FROM * gone_by else Standing.BEHIND
