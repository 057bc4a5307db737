"""What the made-up reps and teams are meant to win in each quarter."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from dateutil.relativedelta import relativedelta

from crm_core.demo.people import Rep, Staff
from crm_core.demo.stories import Chapter
from crm_core.demo.workdays import Workdays
from crm_core.models import OpportunityStage, TargetPeriod
from crm_core.periods import PeriodKind

QUARTERS = 5
"""The current one and those of the year before."""

THREE_MONTHS = relativedelta(months=PeriodKind.QUARTER.months)
AMBITION = Decimal("1.08")
"""A quarter's quota against what was won in the quarter before."""

STEP = 5_000

Winnings = Counter[date]
"""Money won, in whole units, by the first day of the quarter."""


def counting(chapters: Iterable[Chapter], won: Winnings, workdays: Workdays) -> Iterator[Chapter]:
    """The same chapters; what is won in them is added up on the way."""
    for chapter in chapters:
        for deal in chapter.deals:
            row = deal.row
            if row["stage"] is OpportunityStage.CLOSED_WON and row["expected_value"] is not None:
                won[quarter(row["actual_close_date"], workdays)] += int(row["expected_value"])
        yield chapter


def targets(won: Winnings, staff: Staff, team_ids: list[int], workdays: Workdays) -> list[dict[str, Any]]:
    """Rows for the last quarters: the same amount for every rep who was there, and each team's sum."""
    rows = []
    for number in range(QUARTERS):
        starts_on = quarter(workdays.days[-1], workdays) - number * THREE_MONTHS
        reps = _present(staff, workdays, starts_on)
        if not reps:
            continue
        share = won[starts_on - THREE_MONTHS] * AMBITION / len(reps)
        quota = max(round(share / STEP), 1) * STEP
        rows += [_target(starts_on, quota, user_id=rep.id) for rep in reps]
        for team, team_id in enumerate(team_ids):
            if size := sum(rep.team == team for rep in reps):
                rows.append(_target(starts_on, quota * size, team_id=team_id))
    return rows


def quarter(day: date, workdays: Workdays) -> date:
    """The first day of the day's quarter."""
    return workdays.calendar.period(PeriodKind.QUARTER, day).start


def _present(staff: Staff, workdays: Workdays, starts_on: date) -> list[Rep]:
    """The reps who were there when the quarter began."""
    begin = workdays.position_of(starts_on)
    return [rep for rep in staff.reps if rep.joined <= begin < rep.left]


def _target(
    starts_on: date, amount: int, *, user_id: int | None = None, team_id: int | None = None
) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "team_id": team_id,
        "period": TargetPeriod.QUARTER,
        "starts_on": starts_on,
        "amount": Decimal(amount),
    }
