"""Figures are as though neither an action nor its undo had been; with a redo, as though the action had.

A random history is played twice, once with something done and taken back in between, and every figure is held
against the other history's: as of now, and as of every instant after the undo.
"""

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import check, timeline
from crm_core.analytics.board import board
from crm_core.analytics.metrics import METRICS, Days, measure
from crm_core.database import Database
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import LOCAL_USER_ID, Opportunity, OpportunityStage, Outcome, Transaction
from crm_core.periods import Period
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services import opportunity_service
from crm_core.services.undo_service import current_transaction, undo
from tests import forms
from tests.builders import Make
from tests.conftest import NOW
from tests.crm_core.person import A_DAY, Person
from tests.databases import InTurn

pytestmark = pytest.mark.both_databases

S = OpportunityStage
PERIOD = Period(date(2026, 1, 1), date(2026, 7, 1))
STEPS, PUT_IN = 14, 7
UNDOABLE = (
    "may_create",
    "may_edit",
    "may_move",
    "may_win",
    "may_lose",
    "may_reopen",
    "may_delete",
    "may_assign_all",
)
SHOWN = dict.fromkeys((*S, "closed"), 500)

Told = dict[str, Any]


class PutIn:
    """An action in the middle of a history, which is taken back and done again so often."""

    def __init__(self, seed: int, reversals: int) -> None:
        self.seed, self.reversals = seed, reversals

    def play(self, database: Database, at: datetime) -> None:
        with database.write(at=at, actor=LOCAL_USER_ID) as session:
            chance = random.Random(f"put in {self.seed}")
            getattr(Person(session, chance), chance.choice(UNDOABLE))()
            action = current_transaction(session)
        for number in range(self.reversals if action else 0):
            with database.write(at=at + (number + 1) * timedelta(hours=5), actor=LOCAL_USER_ID) as session:
                undo(session, action)
                action = current_transaction(session)


def played(database: Database, seed: int, put_in: PutIn | None) -> list[Told]:
    """The figures after a random history, as of now and of every later instant, with something put in."""
    chance = random.Random(seed)
    with database.write(at=NOW) as session:
        Make(session).people()
        Make(session).company("Solar")
        for _ in range(10):
            Person(session, chance).may_create()
    instants = []
    for number in range(STEPS):
        at = NOW + (number + 1) * 2 * A_DAY
        if number == PUT_IN and put_in is not None:
            put_in.play(database, at)
        with database.write(at=at + A_DAY) as session:
            Person(session, chance).do()
        instants.append(at + A_DAY)
    assert check.findings(database) == []
    with database.read(at=instants[-1] + 9 * A_DAY) as session:
        return [told(session, as_of) for as_of in (None, *instants[PUT_IN::2])]


def told(session: Session, as_of: datetime | None) -> Told:
    """Every figure and every card, without the keys of the deals, which are others after something more."""
    return {
        **figures(session, EVERYTHING, as_of),
        **figures(session, OpportunityFilter(owners=frozenset({2, 3})), as_of),
        "cards": cards(session, as_of),
    }


def figures(session: Session, where: OpportunityFilter, as_of: datetime | None) -> Told:
    found = {}
    for name, metric in METRICS.items():
        is_asked = where is EVERYTHING or name != "lead_conversion"
        period = PERIOD if metric.days in (Days.ANY, Days.WHOLE_MONTHS) else None
        if is_asked:
            figure = measure(session, name, where, period=period, as_of=as_of).figure
            found[f"{name} {sorted(where.owners)}"] = figure
    return found


def cards(session: Session, as_of: datetime | None) -> list[Any]:
    columns = board(session, OpportunityFilter(as_of=as_of), shown=SHOWN)
    return [
        (
            column.key,
            (column.deals, column.value, column.weighted),
            sorted(
                (card.pushes, card.days_in_stage, card.is_stale, card.is_overdue, card.deal.stage_entered_at)
                for card in column.cards
            ),
        )
        for column in columns
    ]


@pytest.mark.parametrize("seed", range(forms.either(3, 40)))
def test_what_is_done_and_undone_leaves_no_trace(in_turn: InTurn, seed: int) -> None:
    try:
        without = played(in_turn.database, seed, None)
        in_turn.empty()
        again = played(in_turn.database, seed, PutIn(seed, reversals=1 + 2 * (seed % 2)))
    finally:
        in_turn.empty()

    for here, there in zip(without, again, strict=True):
        assert here == there


@pytest.mark.parametrize("seed", range(forms.either(1, 20)))
def test_what_is_undone_and_done_again_is_as_it_was_done(in_turn: InTurn, seed: int) -> None:
    try:
        once = played(in_turn.database, seed, PutIn(seed, reversals=0))
        in_turn.empty()
        again = played(in_turn.database, seed, PutIn(seed, reversals=2))
    finally:
        in_turn.empty()

    for here, there in zip(once, again, strict=True):
        assert here == there


def undone(database: Database, at: datetime, do: Any) -> None:
    with database.write(at=at, actor=LOCAL_USER_ID) as session:
        do(session)
        action = current_transaction(session)
    with database.write(at=at + timedelta(hours=1), actor=LOCAL_USER_ID) as session:
        undo(session, action)


def deals(database: Database, at: datetime, count: int) -> Sequence[int]:
    day = (at + 30 * A_DAY).date()
    with database.write(at=at, actor=LOCAL_USER_ID) as session:
        drafts = [OpportunityCreate(name="Roof", stage=S.PROPOSAL, expected_close_date=day)] * count
        return [opportunity_service.create_opportunity(session, draft).id for draft in drafts]


def test_a_close_that_was_undone_starts_no_new_stay(database):
    (deal,) = deals(database, NOW, 1)
    undone(
        database,
        NOW + 11 * A_DAY,
        lambda session: opportunity_service.close_opportunity(session, deal, outcome=Outcome.WON),
    )

    with database.read(at=NOW + 11 * A_DAY + timedelta(hours=2)) as session:
        (card,) = board(session, shown=SHOWN)[2].cards
        stays = measure(session, "time_in_stage").figure.parts[S.PROPOSAL]
    assert (card.days_in_stage, stays.n, stays.apart["running"].count) == (11, 1, 1)


def test_dates_that_were_put_off_and_back_are_no_pushes_and_no_touches(database):
    some = deals(database, NOW, 3)
    later = OpportunityUpdate(expected_close_date=date(2027, 1, 1))
    at = NOW + 40 * A_DAY
    undone(database, at, lambda session: opportunity_service.update_opportunities(session, some, later))

    with database.read(at=at + timedelta(hours=2)) as session:
        column = board(session, shown=SHOWN)[2]
        stale = measure(session, "stale").figure.value
    assert ([card.pushes for card in column.cards], stale) == ([0, 0, 0], 3)


def test_what_was_so_in_between_is_still_known(database):
    (deal,) = deals(database, NOW, 1)
    at = NOW + 11 * A_DAY
    undone(
        database,
        at,
        lambda session: opportunity_service.move_opportunity(session, deal, to=S.NEGOTIATION),
    )

    with database.read(at=at + A_DAY) as session:
        between = measure(session, "time_in_stage", as_of=at + timedelta(minutes=1)).figure.parts
        now = measure(session, "time_in_stage").figure.parts
        states = timeline.entries(session, session.get_one(Opportunity, deal))
    assert [between[stage].n for stage in (S.PROPOSAL, S.NEGOTIATION)] == [1, 1]
    assert [now[stage].n for stage in (S.PROPOSAL, S.NEGOTIATION)] == [1, 0]
    assert len(states) == 3


def test_an_undo_names_what_it_undid(database):
    (deal,) = deals(database, NOW, 1)
    changes = OpportunityUpdate(expected_value=Decimal(5))
    undone(
        database, NOW + A_DAY, lambda session: opportunity_service.update_opportunity(session, deal, changes)
    )

    with database.read() as session:
        found = session.execute(
            select(Transaction.id, Transaction.undoes_id).where(Transaction.undoes_id.is_not(None))
        ).all()
    assert [tuple(row) for row in found] == [(3, 2)]
