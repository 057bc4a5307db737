"""The statistics recounted in plain Python over the states that random deals were in, at any instant."""

from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_core import history
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import CloseReason, Opportunity, OpportunityStage, Outcome
from crm_core.periods import Period
from crm_core.services import settings_service
from crm_core.services.opportunity_service import get_opportunities, get_pipeline_stats
from tests.builders import Make
from tests.conftest import NOW, Discard

S = OpportunityStage
OPEN = (S.QUALIFICATION, S.DISCOVERY, S.PROPOSAL, S.NEGOTIATION)
ZONES = ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York", "Asia/Kolkata")
FIRST = NOW - timedelta(days=400)
MINUTES = 400 * 24 * 60
CENT = Decimal("0.01")

State = dict[str, Any]
History = list[tuple[datetime, State]]

instants = st.integers(0, MINUTES).map(lambda minutes: FIRST + timedelta(minutes=minutes))
values = st.none() | st.just(Decimal(0)) | st.integers(1, 10**15 - 1).map(lambda cents: Decimal(cents) / 100)
days = st.none() | st.integers(-30, 430).map(lambda day: (FIRST + timedelta(days=day)).date())
people = st.none() | st.integers(1, 3)
periods = st.none() | st.builds(
    lambda first, length: Period(FIRST.date() + timedelta(first), FIRST.date() + timedelta(first + length)),
    st.integers(0, 390),
    st.integers(1, 200),
)
filters = st.sampled_from(
    [
        EVERYTHING,
        OpportunityFilter(owners={2, 3}),
        OpportunityFilter(stages={S.PROPOSAL, S.CLOSED_WON}),
        OpportunityFilter(value_from=Decimal(1000)),
        OpportunityFilter(without_value=True),
        OpportunityFilter(is_open=False),
        OpportunityFilter(sources={"web"}),
    ]
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """One deal's states: open, moved, closed, reopened, revalued, deleted, in any order."""
    begins = sorted(draw(st.lists(instants, min_size=1, max_size=5, unique=True)))
    return [(at, draw(states(created_at=begins[0], at=at))) for at in begins]


@st.composite
def states(draw: st.DrawFn, created_at: datetime, at: datetime) -> State:
    stage = draw(st.sampled_from(S))
    state = {
        "name": "Deal",
        "created_at": created_at,
        "stage": stage,
        "probability": draw(st.integers(0, 100)),
        "expected_value": draw(values),
        "expected_close_date": draw(days),
        "owner_id": draw(people),
        "source": draw(st.sampled_from([None, "web"])),
        "deleted_at": at if draw(st.integers(0, 9)) == 0 else None,
    }
    if stage.is_closed:
        since_created = int((at - created_at).total_seconds())
        closed_at = created_at + timedelta(seconds=draw(st.integers(0, since_created)))
        state |= {
            "probability": 100 if stage is S.CLOSED_WON else 0,
            "closed_at": closed_at,
            "actual_close_date": closed_at.date(),
            "credited_owner_id": draw(people),
            "close_reason_id": draw(st.sampled_from(["Price", "Duplicate or test"]))
            if stage is S.CLOSED_LOST
            else None,
        }
    return state


@given(
    st.lists(histories(), max_size=12),
    st.sampled_from(ZONES),
    st.lists(instants, max_size=2),
    periods,
    filters,
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
def test_stats_are_what_a_recount_says(database, deals, zone, asked, period, where):
    with suppress(Discard), database.write(at=NOW) as session:
        settings_service.get_settings(session).time_zone = zone
        for number in (2, 3):
            Make(session).user(id=number)
        no_real_loss = written(session, deals)
        for at in (*asked, None):
            found = get_pipeline_stats(session, where, as_of=at, period=period)
            rows = [row for row in as_they_were(deals, at or NOW) if lets_through(where, row)]
            assert told(found) == recounted(rows, ZoneInfo(zone), at or NOW, period, no_real_loss)
            page = get_opportunities(session, where.model_copy(update={"as_of": at}))
            assert (page.totals.deals, page.totals.value) == (len(rows), total(rows))
            assert page.totals.weighted == weighted(open_ones(rows))
        raise Discard


def written(session, deals: list[History]) -> int:
    """With the reasons' keys for their labels; returns the key of the reason that does not count."""
    keys = dict(session.query(CloseReason.label, CloseReason.id).filter_by(outcome=Outcome.LOST).all())
    for number, states_of_one in enumerate(deals, start=1):
        for _, state in states_of_one:
            state["id"] = number
            state["close_reason_id"] = keys.get(state.get("close_reason_id"), state.get("close_reason_id"))
    history.insert_with_past(session, Opportunity, deals)
    return keys["Duplicate or test"]


def as_they_were(deals: list[History], at: datetime) -> list[State]:
    known = [[state for begin, state in states_of_one if begin <= at] for states_of_one in deals]
    return [past[-1] for past in known if past and past[-1]["deleted_at"] is None]


def lets_through(where: OpportunityFilter, row: State) -> bool:
    counts_for = row["owner_id"] if row["stage"] in OPEN else row["credited_owner_id"]
    value = row["expected_value"]
    return all(
        (
            not where.owners or counts_for in where.owners,
            not where.stages or row["stage"] in where.stages,
            where.value_from is None or (value is not None and value >= where.value_from),
            not where.without_value or value is None,
            where.is_open is None or (row["stage"] in OPEN) is where.is_open,
            not where.sources or row["source"] in where.sources,
        )
    )


def total(rows: list[State]) -> Decimal:
    return sum((row["expected_value"] or 0 for row in rows), Decimal(0))


def weighted(rows: list[State]) -> Decimal:
    exact = sum(((row["expected_value"] or 0) * row["probability"] for row in rows), Decimal(0)) / 100
    return exact.quantize(CENT, ROUND_HALF_UP)


def valueless(rows: list[State]) -> int:
    return sum(row["expected_value"] is None for row in rows)


def open_ones(rows: list[State]) -> list[State]:
    return [row for row in rows if row["stage"] in OPEN]


def middle(numbers: list[Any]) -> Any:
    """The median: the one in the middle, or half-way between the two that are."""
    ordered, half = sorted(numbers), len(numbers) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def recounted(
    rows: list[State], zone: ZoneInfo, at: datetime, period: Period | None, no_real_loss: int
) -> State:
    def local(instant: datetime) -> date:
        return instant.astimezone(zone).date()

    def closed(stage: OpportunityStage) -> list[State]:
        inside = [row for row in rows if row["stage"] is stage]
        return [
            row for row in inside if period is None or period.start <= local(row["closed_at"]) < period.end
        ]

    opened, won, lost = open_ones(rows), closed(S.CLOSED_WON), closed(S.CLOSED_LOST)
    real = [row for row in lost if row["close_reason_id"] != no_real_loss]
    worth = [row["expected_value"] for row in won if row["expected_value"] is not None]
    took = [
        (row["closed_at"] - row["created_at"]) / timedelta(days=1)
        for row in won
        if local(row["created_at"]) != local(row["closed_at"])
    ]
    value_of_both = total(won) + total(real)
    return {
        "stages": [
            (len(here), total(here), weighted(here), valueless(here))
            for here in ([row for row in rows if row["stage"] is stage] for stage in S)
        ],
        "open": (len(opened), total(opened), weighted(opened), valueless(opened)),
        "without_date": sum(row["expected_close_date"] is None for row in opened),
        "overdue": sum(
            row["expected_close_date"] is not None and row["expected_close_date"] < local(at)
            for row in opened
        ),
        "won": (len(won), total(won), valueless(won)),
        "lost": (len(lost), total(lost), valueless(lost)),
        "win_rate": Decimal(len(won)) / len(won + real) if won + real else None,
        "by_value": total(won) / value_of_both if value_of_both else None,
        "left_out": valueless(won) + valueless(real),
        "average": (sum(worth) / len(worth)).quantize(CENT, ROUND_HALF_UP) if worth else None,
        "median": middle(worth).quantize(CENT, ROUND_HALF_UP) if worth else None,
        "cycle": (len(took), pytest.approx(middle(took)), pytest.approx(sum(took) / len(took)))
        if took
        else (0, None, None),
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
        "cycle": (stats.wins.timed, stats.wins.median_days, stats.wins.mean_days),
    }
