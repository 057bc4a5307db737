"""Targets that people set, and what the dashboard makes of them: counted again in plain Python."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from itertools import product

import pytest

from crm_core.analytics import dashboard, metrics
from crm_core.analytics.metrics import MetricName
from crm_core.filters import OpportunityFilter
from crm_core.models import TargetPeriod
from crm_core.periods import Period, PeriodChoice, PeriodKind
from crm_core.schemas.target import TargetSet
from crm_core.services import settings_service, target_service
from tests import forms
from tests.builders import Make
from tests.conftest import NOW

Goal = dict[tuple[TargetPeriod, date], int]

MONTHS = [date(2025 + number // 12, number % 12 + 1, 1) for number in range(27)]
"""From January 2025 to March 2027."""


def quarter_from(month: date) -> Period:
    return Period(month, MONTHS[MONTHS.index(month) + 3], PeriodKind.QUARTER)


def quarters_of(fiscal_start: int) -> list[Period]:
    """The four of the fiscal year that NOW lies in, by counting months."""
    begins = MONTHS.index(date(2026, 3, 1))
    while MONTHS[begins].month != fiscal_start:
        begins -= 1
    return [quarter_from(MONTHS[begins + number]) for number in (0, 3, 6, 9)]


def periods_of(fiscal_start: int) -> list[Period]:
    """The quarter that NOW lies in, a month of it, the fiscal year, and the calendar's."""
    quarters = quarters_of(fiscal_start)
    now = next(each for each in quarters if each.start <= NOW.date() < each.end)
    return [
        now,
        Period(date(2026, 3, 1), date(2026, 4, 1), PeriodKind.MONTH),
        Period(quarters[0].start, quarters[-1].end, PeriodKind.FISCAL_YEAR),
        Period(date(2026, 1, 1), date(2027, 1, 1), PeriodKind.YEAR),
    ]


@dataclass
class Company:
    """Who is in which team, what each has set, and what each has won, by the day."""

    teams: dict[int, set[int]]
    alone: set[int]
    goals: dict[tuple[str, int], Goal] = field(default_factory=dict)
    wins: list[tuple[int, date, int]] = field(default_factory=list)

    def aim(self, period: Period, teams: Iterable[int], owners: set[int]) -> int | None:
        """What is to be won in the period; None where a month of it has nothing."""
        wanted = months_of(period.start, period.end)
        groups = [(team, self.teams[team]) for team in teams] or [*self.teams.items(), (None, self.alone)]
        total, covered = 0, set()
        for team, people in groups:
            amount, reached = self.of(("team_id", team), wanted)
            if owners or reached != wanted:
                each = [self.of(("user_id", user), wanted) for user in people & (owners or people)]
                amount, reached = sum(one for one, _ in each), set().union(*(those for _, those in each))
            total, covered = total + amount, covered | reached
        return total if covered == wanted else None

    def of(self, holder: tuple[str, int | None], wanted: set[date]) -> tuple[int, set[date]]:
        """The quarters that lie in the months, and then the months that are left."""
        amount, reached = 0, set()
        for (kind, first), worth in sorted(self.goals.get(holder, {}).items(), reverse=True):
            length = 3 if kind is TargetPeriod.QUARTER else 1
            those = set(MONTHS[MONTHS.index(first) :][:length])
            if those <= wanted and not those & reached:
                amount, reached = amount + worth, reached | those
        return amount, reached

    def won(self, period: Period, teams: Iterable[int], owners: set[int]) -> int:
        people = {user for team in teams for user in self.teams[team]}
        return sum(
            worth
            for user, day, worth in self.wins
            if period.start <= day < period.end
            and (not people or user in people)
            and (not owners or user in owners)
        )


def months_of(start: date, end: date) -> set[date]:
    return {month for month in MONTHS if start <= month < end}


@pytest.fixture
def company(database):
    chance = random.Random(5)
    with database.write(at=NOW) as session:
        make = Make(session)
        teams = {make.team(name).id: set[int]() for name in ("North", "South")}
        for team, members in teams.items():
            members.update(make.user(f"Rep {number} of {team}", team_id=team).id for number in range(2))
        company = Company(teams, {make.user("Alone").id})
        for user in [*company.alone, *(user for members in teams.values() for user in members)]:
            for _ in range(3):
                closed = datetime(2026, chance.randint(1, 3), chance.randint(2, 17), 9, tzinfo=UTC)
                worth = chance.randint(1, 900)
                make.won(worth, owner_id=user, closed_at=closed)
                company.wins.append((user, closed.date(), worth))
    return company


@pytest.mark.both_databases
@pytest.mark.parametrize(("fiscal_start", "seed"), [(1, 0), (2, 1), (12, 2)])
def test_the_dashboard_follows_each_target_that_is_set_changed_or_deleted(
    database, company, fiscal_start, seed
):
    with database.write(at=NOW) as session:
        settings_service.get_settings(session).fiscal_year_start_month = fiscal_start
    chance = random.Random(seed)
    periods, quarters = periods_of(fiscal_start), quarters_of(fiscal_start)
    team, users = next(iter(company.teams)), sorted(company.alone | set().union(*company.teams.values()))
    filters = [((), set()), ((team,), set()), ((), {users[0]}), ((), {users[1], users[-1]})]
    holders = [("team_id", each) for each in company.teams] + [("user_id", user) for user in users]
    seen = 0
    for _ in range(forms.either(6, 12)):
        act(database, company, chance, chance.choice(holders), [periods[0], *quarters])
        for period, (teams, owners) in product(periods, filters):
            where = OpportunityFilter(teams=frozenset(teams), owners=frozenset(owners))
            aim, won = company.aim(period, teams, owners), company.won(period, teams, owners)
            with database.read(at=NOW) as session:
                pace = metrics.measure(session, MetricName.PACE, where, period=period).figure
            elapsed = (NOW.date() - period.start).days + 1
            assert pace.value == float(Fraction(elapsed, (period.end - period.start).days))
            attainment = None if aim is None else float(Fraction(won, aim))
            assert (pace.details["target"], pace.details["attainment"]) == (aim, attainment)
            seen += aim is not None
        assert_told(database, company, PeriodChoice.THIS_QUARTER, periods[0], *chance.choice(filters))
        this_year = PeriodChoice.THIS_FISCAL_YEAR
        assert_told(database, company, this_year, periods[2], *chance.choice(filters))
    assert seen > 5


def assert_told(
    database,
    company: Company,
    choice: PeriodChoice,
    period: Period,
    teams: Iterable[int],
    owners: set[int],
) -> None:
    """The dashboard says how much of the target is won, or nothing where there is none."""
    where = OpportunityFilter(teams=frozenset(teams), owners=frozenset(owners))
    aim = company.aim(period, teams, owners)
    with database.read(at=NOW) as session:
        board = dashboard.overview(session, choice, where)
    found = board.aim
    assert board.period == period
    if aim is None:
        assert found is None
    else:
        attainment = float(Fraction(company.won(period, teams, owners), aim))
        assert (found.target, found.attainment) == (aim, attainment)


def act(
    database, company: Company, chance: random.Random, holder: tuple[str, int], quarters: list[Period]
) -> None:
    """Set a target, put another amount in the place of one, or delete it."""
    goals = company.goals.setdefault(holder, {})
    with database.write(at=NOW) as session:
        if goals and chance.random() < 0.15:
            kind, first = chance.choice(sorted(goals))
            draft = TargetSet(period=kind, starts_on=first, amount=1, **dict([holder]))
            target_service.delete_target(session, target_service.find_target(session, draft).id)
            del goals[kind, first]
            return
        kind, first = chance.choice(
            [
                *((TargetPeriod.QUARTER, quarter.start) for quarter in quarters),
                *((TargetPeriod.MONTH, month) for month in quarters[0].months()),
            ]
        )
        goals[kind, first] = amount = chance.randint(1, 5_000)
        draft = TargetSet(period=kind, starts_on=first, amount=amount, **dict([holder]))
        target_service.set_target(session, draft)
