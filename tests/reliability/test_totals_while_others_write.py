"""Whoever reads while others write is told what was true at one instant, never half of a change."""

import random
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import count, takewhile

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import check
from crm_core.analytics import outcomes, pipeline
from crm_core.database import Database
from crm_core.filters import OpportunityFilter
from crm_core.listing import LARGEST_PAGE
from crm_core.models import (
    CLOSED_STAGES,
    Opportunity,
    OpportunityStage,
    OpportunityVersion,
    Outcome,
    Transaction,
)
from crm_core.periods import Period
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services import settings_service
from crm_core.services.opportunity_service import (
    assign_opportunities,
    close_opportunity,
    create_opportunity,
    delete_opportunity,
    get_opportunities,
    move_opportunity,
    reopen_opportunity,
    update_opportunity,
)
from tests import forms
from tests.builders import Make
from tests.reliability.workers import in_processes

SECONDS = forms.either(2.0, 15.0)
FEWEST = 10
"""So often everybody writes or reads at least, however long it takes."""

WRITERS = READERS = 4

OWNERS = (2, 3, 4)
DEALS, OPEN, WON, LOST, WORTH = 24, 12, 6, 6, Decimal(100)
LATE_STAGES = (OpportunityStage.PROPOSAL, OpportunityStage.NEGOTIATION)
EVER = Period(date(2000, 1, 1), date(2100, 1, 1))
RECENT = 50


@dataclass(frozen=True)
class Figures:
    """What a reader is told about all the deals there are; `owners` is how many own an open one."""

    deals: int
    value: Decimal
    open: int
    open_value: Decimal
    won: int
    won_value: Decimal
    lost: int
    lost_value: Decimal
    owners: int


Seen = tuple[datetime, Figures]
"""Figures, and the instant that they are of."""


def move_value(session: Session, deals: list[Opportunity], chance: random.Random) -> None:
    giver, taker = chance.sample(deals, 2)
    amount = chance.randint(0, int(giver.expected_value))
    update_opportunity(session, giver.id, OpportunityUpdate(expected_value=giver.expected_value - amount))
    update_opportunity(session, taker.id, OpportunityUpdate(expected_value=taker.expected_value + amount))


def move_stage(session: Session, deals: list[Opportunity], chance: random.Random) -> None:
    deal = chance.choice([deal for deal in deals if deal.is_open])
    move_opportunity(session, deal.id, to=chance.choice(LATE_STAGES))


def close_one_and_reopen_another(session: Session, deals: list[Opportunity], chance: random.Random) -> None:
    closed = chance.choice([deal for deal in deals if not deal.is_open])
    opened = chance.choice([deal for deal in deals if deal.is_open])
    close(session, opened.id, Outcome.WON if closed.is_won else Outcome.LOST)
    reopen_opportunity(session, closed.id, to=chance.choice(LATE_STAGES))


def close(session: Session, deal_id: int, outcome: Outcome) -> None:
    reason = settings_service.get_close_reasons(session, outcome)[0]
    close_opportunity(session, deal_id, outcome=outcome, reason_id=reason.id)


def delete_one_and_create_another(session: Session, deals: list[Opportunity], chance: random.Random) -> None:
    deal = chance.choice([deal for deal in deals if deal.is_open])
    delete_opportunity(session, deal.id)
    draft = OpportunityCreate(
        name="Another", stage=deal.stage, expected_value=deal.expected_value, owner_id=deal.owner_id
    )
    create_opportunity(session, draft)


def hand_over_all(session: Session, deals: list[Opportunity], chance: random.Random) -> None:
    assign_opportunities(session, [deal.id for deal in deals], owner_id=chance.choice(OWNERS))


CHANGES = (move_value, move_stage, close_one_and_reopen_another, delete_one_and_create_another, hand_over_all)
"""Each leaves as many deals as there were, open, won and lost, of as much value in all, and of one owner."""


def until_the_time_is_over() -> Iterator[int]:
    end = time.monotonic() + SECONDS
    return takewhile(lambda number: number < FEWEST or time.monotonic() < end, count())


def write(database: Database, seed: int) -> None:
    """One change after the other, of every kind."""
    chance = random.Random(seed)
    for number in until_the_time_is_over():
        change = CHANGES[number] if number < len(CHANGES) else chance.choice(CHANGES)
        with database.write() as session:
            there = select(Opportunity).where(Opportunity.deleted_at.is_(None)).order_by(Opportunity.id)
            change(session, list(session.scalars(there)), chance)


def read(database: Database, seed: int) -> set[Seen]:
    """Ask for the figures again and again, of now and of instants shortly before."""
    chance, seen = random.Random(seed), set[Seen]()
    for _ in until_the_time_is_over():
        with database.read() as session:
            recent = select(Transaction.at).order_by(Transaction.id.desc()).limit(RECENT)
            instants = session.scalars(recent).all()
            newest, before = instants[0], chance.choice(instants)
            seen |= {
                (newest, figures(session)),
                (newest, figures(session, as_of=newest)),
                (before, figures(session, as_of=before)),
                (newest, figures(session)),
            }
    return seen


def figures(session: Session, as_of: datetime | None = None) -> Figures:
    """As services and analytics tell them, each in a question of its own; the list agrees with its totals."""
    everything = OpportunityFilter(as_of=as_of)
    page = get_opportunities(session, everything, limit=LARGEST_PAGE)
    assert (len(page.rows), sum(row.expected_value for row in page.rows)) == (
        page.totals.deals,
        page.totals.value,
    )
    still_open = pipeline.totals(session, everything)
    closed = outcomes.closed_in(session, EVER, everything)
    owning = [OpportunityFilter(as_of=as_of, owners=frozenset({owner})) for owner in OWNERS]
    return Figures(
        deals=page.totals.deals,
        value=page.totals.value,
        open=still_open.deals,
        open_value=still_open.value,
        won=closed.won,
        won_value=closed.won_value,
        lost=closed.lost,
        lost_value=closed.lost_value,
        owners=sum(pipeline.totals(session, where).deals > 0 for where in owning),
    )


@pytest.fixture
def deals(database: Database) -> Database:
    """A database with deals of one owner, some of them open, won and lost, all worth the same."""
    with database.write() as session:
        owners = [Make(session).user(f"Owner {number}").id for number in OWNERS]
        assert tuple(owners) == OWNERS
        for number in range(DEALS):
            draft = OpportunityCreate(
                name=f"Deal {number}", stage=LATE_STAGES[0], expected_value=WORTH, owner_id=OWNERS[0]
            )
            deal = create_opportunity(session, draft)
            if number >= OPEN:
                close(session, deal.id, Outcome.WON if number < OPEN + WON else Outcome.LOST)
    return database


@pytest.mark.both_databases
def test_no_reader_is_told_a_total_that_never_was_true(deals):
    calls = [(write, number) for number in range(WRITERS)] + [(read, number) for number in range(READERS)]

    seen = set().union(*in_processes(deals, calls)[WRITERS:])

    assert len({at for at, _ in seen}) > 1
    assert {always_so(each) for _, each in seen} == {(DEALS, DEALS * WORTH, OPEN, WON, LOST, 1)}
    assert seen == set(recounted(deals, {at for at, _ in seen}))
    assert check.findings(deals) == []


def always_so(figures: Figures) -> tuple[object, ...]:
    """What no change changes."""
    return (figures.deals, figures.value, figures.open, figures.won, figures.lost, figures.owners)


def recounted(database: Database, instants: Collection[datetime]) -> Iterable[Seen]:
    """The figures of those instants, added up by hand from every state that a deal was ever in."""
    versions = OpportunityVersion.__table__
    with database.read() as session:
        states = session.execute(select(versions).order_by(versions.c.valid_from)).all()
    position, now = 0, {}
    for at in sorted(instants):
        while position < len(states) and states[position].valid_from <= at:
            now[states[position].id] = states[position]
            position += 1
        yield at, added_up([state for state in now.values() if state.deleted_at is None])


def added_up(states: list) -> Figures:
    still_open = [state for state in states if state.stage not in CLOSED_STAGES]
    won = [state for state in states if state.stage is OpportunityStage.CLOSED_WON]
    lost = [state for state in states if state.stage is OpportunityStage.CLOSED_LOST]
    return Figures(
        deals=len(states),
        value=worth(states),
        open=len(still_open),
        open_value=worth(still_open),
        won=len(won),
        won_value=worth(won),
        lost=len(lost),
        lost_value=worth(lost),
        owners=len({state.owner_id for state in still_open}),
    )


def worth(states: list) -> Decimal:
    return sum((state.expected_value for state in states), Decimal(0))
