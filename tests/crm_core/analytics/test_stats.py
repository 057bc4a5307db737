"""The statistics recounted in plain Python over the states that random deals were in, at any instant."""

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.models import OpportunityStage
from crm_core.periods import Period
from crm_core.services import settings_service
from crm_core.services.opportunity_service import get_opportunities, get_pipeline_stats
from tests.builders import Make
from tests.conftest import NOW, Discard
from tests.crm_core.analytics.histories import (
    CENT,
    OPEN,
    ZONES,
    History,
    S,
    State,
    filters,
    histories,
    instants,
    lets_through,
    middle,
    periods,
    total,
    valueless,
    weighted,
    written,
)


@pytest.mark.both_databases
@given(
    st.lists(histories(), max_size=12),
    st.sampled_from(ZONES),
    st.lists(instants, max_size=2),
    periods,
    filters,
)
def test_stats_are_what_a_recount_says(database, deals, zone, asked, period, where):
    with suppress(Discard), database.write(at=NOW) as session:
        settings_service.get_settings(session).time_zone = zone
        for number in (2, 3):
            Make(session).user(id=number)
        no_real_loss = written(session, deals)
        for at in (*asked, None):
            found = get_pipeline_stats(session, where, as_of=at, period=period)
            there = as_they_were(deals, at or NOW)
            rows = [row for row in there if lets_through(where, row)]
            open_at = end_of_open(period, ZoneInfo(zone), at or NOW)
            then = [row for row in as_they_were(deals, open_at) if lets_through(where, row)]
            expected = recounted(rows, then, ZoneInfo(zone), open_at, period, no_real_loss)
            if not any(is_real_loss(row, no_real_loss) for row in there):
                expected |= {"win_rate": None, "by_value": None}
            assert told(found) == expected
            assert (found.as_of, found.open_as_of) == (at or NOW, open_at)
            page = get_opportunities(session, where.model_copy(update={"as_of": at}))
            assert (page.totals.deals, page.totals.value) == (len(rows), total(rows))
            assert page.totals.weighted == weighted(open_ones(rows))
        raise Discard


def as_they_were(deals: list[History], at: datetime) -> list[State]:
    known = [[state for begin, state in states_of_one if begin <= at] for states_of_one in deals]
    return [past[-1] for past in known if past and past[-1]["deleted_at"] is None]


def end_of_open(period: Period | None, zone: ZoneInfo, at: datetime) -> datetime:
    """What is open beside the period is as of its last instant, if that is earlier."""
    if period is None:
        return at
    return min(at, datetime.combine(period.end, time(), zone) - timedelta(microseconds=1))


def is_real_loss(row: State, no_real_loss: int) -> bool:
    return row["stage"] is S.CLOSED_LOST and row["close_reason_id"] != no_real_loss


def open_ones(rows: list[State]) -> list[State]:
    return [row for row in rows if row["stage"] in OPEN]


def recounted(
    rows: list[State],
    then: list[State],
    zone: ZoneInfo,
    open_at: datetime,
    period: Period | None,
    no_real_loss: int,
) -> State:
    """From the rows as they are known, and as they were then, when what is open is looked at."""

    def local(instant: datetime) -> date:
        return instant.astimezone(zone).date()

    def closed(stage: OpportunityStage) -> list[State]:
        inside = [row for row in rows if row["stage"] is stage]
        return [
            row for row in inside if period is None or period.start <= row["actual_close_date"] < period.end
        ]

    opened, won, lost = open_ones(then), closed(S.CLOSED_WON), closed(S.CLOSED_LOST)
    real = [row for row in lost if is_real_loss(row, no_real_loss)]
    worth = [row["expected_value"] for row in won if row["expected_value"] is not None]
    took = [max((row["actual_close_date"] - local(row["created_at"])).days, 0) for row in won]
    value_of_both = total(won) + total(real)
    return {
        "stages": [
            (len(here), total(here), weighted(here), valueless(here))
            for here in ([row for row in then if row["stage"] is stage] for stage in S)
        ],
        "open": (len(opened), total(opened), weighted(opened), valueless(opened)),
        "without_date": sum(row["expected_close_date"] is None for row in opened),
        "overdue": sum(
            row["expected_close_date"] is not None and row["expected_close_date"] < local(open_at)
            for row in opened
        ),
        "won": (len(won), total(won), valueless(won)),
        "lost": (len(lost), total(lost), valueless(lost)),
        "win_rate": Decimal(len(won)) / len(won + real) if won + real else None,
        "by_value": total(won) / value_of_both if value_of_both else None,
        "left_out": valueless(won) + valueless(real),
        "average": (sum(worth) / len(worth)).quantize(CENT, ROUND_HALF_UP) if worth else None,
        "median": middle(worth).quantize(CENT, ROUND_HALF_UP) if worth else None,
        "cycle": (pytest.approx(middle(took)), pytest.approx(sum(took) / len(took)))
        if took
        else (None, None),
    }


def told(stats: Any) -> State:
    """What the statistics say, in the recount's words."""
    return {
        "stages": [(each.deals, each.value, each.weighted, each.without_value) for each in stats.stages],
        "open": (stats.open.deals, stats.open.value, stats.open.weighted, stats.open.without_value),
        "without_date": stats.open.without_date,
        "overdue": stats.open.overdue,
        "won": (stats.closed.won, stats.closed.won_value, stats.closed.won_without_value),
        "lost": (stats.closed.lost, stats.closed.lost_value, stats.closed.lost_without_value),
        "win_rate": stats.win_rate.value,
        "by_value": stats.win_rate_by_value.value,
        "left_out": stats.win_rate_by_value.left_out,
        "average": stats.wins.average_value,
        "median": stats.wins.median_value,
        "cycle": (stats.wins.median_days, stats.wins.mean_days),
    }
