"""Random deals with a random past, and how to look at it in plain Python."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm_core import history
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import Assumed, CloseReason, Opportunity, OpportunityStage, Outcome
from crm_core.periods import Period
from tests.conftest import NOW

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
        OpportunityFilter(without_owner=True),
        OpportunityFilter(stages={S.PROPOSAL, S.CLOSED_WON}),
        OpportunityFilter(value_from=Decimal(1000)),
        OpportunityFilter(without_value=True),
        OpportunityFilter(is_open=False),
        OpportunityFilter(sources={"web"}),
    ]
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """One deal's states: open, moved, closed, reopened, revalued, deleted, in any order.

    Of an open one that is closed next, an import may have assumed the stage, or when it came into it.
    """
    begins = sorted(draw(st.lists(instants, min_size=1, max_size=5, unique=True)))
    found = [(at, draw(states(created_at=begins[0], at=at))) for at in begins]
    stages = [state["stage"] for _, state in found]
    if len(stages) > 1 and not stages[0].is_closed and stages[1].is_closed:
        found[0][1]["assumed"] = draw(st.none() | st.sampled_from(Assumed))
    return found


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
        "next_step_date": draw(days),
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
            "close_reason_id": draw(st.sampled_from([None, "Price", "Duplicate or test"]))
            if stage is S.CLOSED_LOST
            else None,
        }
    return state


def written(session: Session, deals: list[History]) -> int:
    """With the reasons' keys for their labels; returns the key of the reason that does not count."""
    keys = dict(session.query(CloseReason.label, CloseReason.id).filter_by(outcome=Outcome.LOST).all())
    for number, states_of_one in enumerate(deals, start=1):
        for _, state in states_of_one:
            state["id"] = number
            state["close_reason_id"] = keys.get(state.get("close_reason_id"), state.get("close_reason_id"))
    history.insert_with_past(session, Opportunity, deals)
    return keys["Duplicate or test"]


def lets_through(where: OpportunityFilter, row: State) -> bool:
    counts_for = row["owner_id"] if row["stage"] in OPEN else row["credited_owner_id"]
    value = row["expected_value"]
    return all(
        (
            not where.owners or counts_for in where.owners,
            not where.without_owner or counts_for is None,
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


def middle(numbers: list[Any]) -> Any:
    """The median: the one in the middle, or half-way between the two that are."""
    ordered, half = sorted(numbers), len(numbers) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
