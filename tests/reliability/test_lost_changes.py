"""Many change the same deals at the same moment: every change is kept, and nobody is refused or starved."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_core import check
from crm_core.database import Database
from crm_core.listing import LARGEST_PAGE
from crm_core.models import OPEN_STAGES, Opportunity, OpportunityStage, Outcome, Role, Source, Transaction
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services import settings_service
from crm_core.services.opportunity_service import (
    assign_opportunities,
    close_opportunity,
    create_opportunity,
    get_history,
    get_opportunity,
    move_opportunity,
    reopen_opportunity,
    update_opportunity,
)
from crm_core.timeline import HistoryEntry
from tests import forms
from tests.builders import Make
from tests.reliability.workers import in_processes, in_threads

DEALS, PEOPLE = 20, 32
STARVED = 20
"""How often all others together come before one that waits, at most; in a fair queue it is once."""

Verb = Callable[[Session, Opportunity, random.Random], object]


def raise_value(session: Session, deal: Opportunity, _chance: random.Random) -> None:
    changes = OpportunityUpdate(expected_value=deal.expected_value + 1)
    update_opportunity(session, deal.id, changes, expected_version=deal.version)


def assign(session: Session, deal: Opportunity, chance: random.Random) -> None:
    others = [key for key in range(1, PEOPLE + 1) if key != deal.owner_id]
    expected = {deal.id: deal.version}
    assign_opportunities(session, [deal.id], owner_id=chance.choice(others), expected_versions=expected)


def move(session: Session, deal: Opportunity, chance: random.Random) -> None:
    others = [stage for stage in OPEN_STAGES if stage is not deal.stage]
    move_opportunity(session, deal.id, to=chance.choice(others), expected_version=deal.version)


def close(session: Session, deal: Opportunity, _chance: random.Random) -> None:
    outcome = Outcome.WON if deal.stage is OpportunityStage.NEGOTIATION else Outcome.LOST
    reason = settings_service.get_close_reasons(session, outcome)[0]
    close_opportunity(session, deal.id, outcome=outcome, reason_id=reason.id, expected_version=deal.version)


def reopen(session: Session, deal: Opportunity, chance: random.Random) -> None:
    reopen_opportunity(session, deal.id, to=chance.choice(OPEN_STAGES), expected_version=deal.version)


OUTCOME = {"closed_at", "actual_close_date", "close_reason_id", "credited_owner_id"}
CHANGED: dict[Verb, set[str]] = {
    raise_value: {"expected_value"},
    assign: {"owner_id"},
    move: {"stage", "probability"},
    close: {"stage", "probability", *OUTCOME},
    reopen: {"stage", "probability", *OUTCOME},
}
"""What a history may tell of each: anything else would be somebody else's change, undone."""


@dataclass(frozen=True)
class Change:
    """What a worker was told when its change was saved; `overtaken_by` so many while it waited."""

    deal_id: int
    version: int
    actor_id: int
    verb: Verb
    overtaken_by: int


def change_deals(database: Database, actor: int, changes: int) -> list[Change]:
    """Change one deal after the other, one transaction each."""
    chance, saved = random.Random(actor), []
    for _ in range(changes):
        with database.read() as session:
            asked_after = newest_transaction(session)
        with database.write(actor=actor, source=Source.UI) as session:
            overtaken_by = newest_transaction(session) - asked_after
            deal = get_opportunity(session, chance.randint(1, DEALS))
            verb = chance.choice([raise_value, assign, *([move, close] if deal.is_open else [reopen])])
            verb(session, deal, chance)
        saved.append(Change(deal.id, deal.version, actor, verb, overtaken_by))
    return saved


def newest_transaction(session: Session) -> int:
    return session.scalars(select(func.max(Transaction.id))).one()


@pytest.fixture
def deals(database: Database) -> Database:
    """A database with a few deals worth nothing yet, and people who may change them all."""
    with database.write() as session:
        make = Make(session)
        for number in range(2, PEOPLE + 1):  # the first user is there already
            make.user(f"Seller {number}", role=Role.ADMIN)
        for number in range(DEALS):
            create_opportunity(session, OpportunityCreate(name=f"Deal {number}", expected_value=Decimal(0)))
    return database


def whole_history(session: Session, deal_id: int) -> Iterator[HistoryEntry]:
    """Every change of the deal since it was created, newest first."""
    offset = 0
    while page := get_history(session, deal_id, limit=LARGEST_PAGE, offset=offset):
        yield from (entry for entry in page if entry.version > 1)
        offset += len(page)


def assert_every_change_is_kept(database: Database, changes: list[Change]) -> None:
    acknowledged = {(change.deal_id, change.version): change for change in changes}
    with database.read() as session:
        deals = [get_opportunity(session, key) for key in range(1, DEALS + 1)]
        kept = {
            (deal.id, entry.version): entry for deal in deals for entry in whole_history(session, deal.id)
        }

    assert len(acknowledged) == len(changes)
    assert kept.keys() == acknowledged.keys()
    for key, change in acknowledged.items():
        assert kept[key].actor_id == change.actor_id
        assert {each.field for each in kept[key].changes} <= CHANGED[change.verb]
    raised = Counter(change.deal_id for change in changes if change.verb is raise_value)
    assert {deal.id: deal.expected_value for deal in deals} == {deal.id: raised[deal.id] for deal in deals}
    assert check.findings(database) == []


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("at_once", "workers", "changes_each"),
    [(in_processes, 8, forms.either(20, 200)), (in_threads, 32, forms.either(10, 100))],
    ids=["processes", "threads"],
)
def test_no_change_is_lost_and_nobody_is_starved(deals, at_once, workers, changes_each):
    calls = [(change_deals, actor, changes_each) for actor in range(1, workers + 1)]

    changes = list(chain(*at_once(deals, calls)))

    assert len(changes) == workers * changes_each
    assert max(change.overtaken_by for change in changes) <= STARVED * (workers - 1)
    assert_every_change_is_kept(deals, changes)
