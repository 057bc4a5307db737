"""Whatever is done, by whomever: what is known of before is what counting anew would say."""

import random
import shutil
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from crm_core import mending, migrate
from crm_core.analytics import board, dashboard, metrics
from crm_core.analytics.board import CardOrder, GroupBy
from crm_core.analytics.metrics import MetricName
from crm_core.analytics.metrics.spells import RUNNING
from crm_core.database import Database
from crm_core.filters import EVERYTHING, OpportunityFilter, text
from crm_core.kept import Kept
from crm_core.mending import MOST_CHANGED
from crm_core.models import (
    OPEN_STAGES,
    CloseReason,
    Company,
    Lead,
    Note,
    Opportunity,
    OpportunityStage,
    Outcome,
    Reach,
    Transaction,
)
from crm_core.periods import Period, PeriodChoice
from crm_core.schemas.note import NoteCreate
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import note_service, opportunity_service
from tests import forms
from tests.builders import Make
from tests.conftest import NOW
from tests.crm_core.person import LOST_FOR, OFTEN, Person

pytestmark = pytest.mark.both_databases

A_DAY = timedelta(days=1)
CHANGES = forms.either(15, 40)
services = opportunity_service


@pytest.mark.parametrize("seed", range(forms.either(1, 3)))
def test_what_is_known_is_what_counting_anew_says(database, seed):
    chance = random.Random(seed)
    with database.write(at=NOW) as session:
        make, somebody = Make(session), Person(session, chance)
        people, company = make.people(), make.company("Solar").id
        for _ in range(12):
            somebody.may_create()
    anew = Database(database.url.render_as_string(hide_password=False))
    asked = [
        EVERYTHING,
        OpportunityFilter(owners={people.rita, people.otto}),
        OpportunityFilter(teams={1}),
        OpportunityFilter(text="sol"),
        OpportunityFilter(stale=True),
        OpportunityFilter(companies={company}, counted=True),
        OpportunityFilter(as_of=NOW + timedelta(days=3)),
        OpportunityFilter(as_of=NOW + timedelta(days=3), teams={1}),
    ]
    try:
        for number in range(CHANGES):
            at = NOW + timedelta(hours=number * 5)
            with database.write(at=at + timedelta(hours=1)) as session:
                done = Person(session, chance).do()
            where = chance.choice(asked)
            anew._kept = Kept()
            told, counted = (answers(each, where, at + timedelta(hours=2)) for each in (database, anew))
            assert told == counted, f"{number}: {done}"
    finally:
        anew.close()


def answers(database, where, at):
    period = Period(NOW.date() - 60 * A_DAY, NOW.date() + 30 * A_DAY)
    with database.read(at=at) as session:
        stays = metrics.measure(session, MetricName.TIME_IN_STAGE, where, period=period).figure
        totals = services.get_opportunities(session, where, limit=1).totals
        return dashboard.overview(session, PeriodChoice.THIS_QUARTER, where), stays, totals


def test_a_deal_comes_after_those_that_are_not_known(database, monkeypatch):
    """Three are known, for two that are shown: what takes the place of the third may come after a fourth."""
    monkeypatch.setattr(board, "CARDS", 2)
    monkeypatch.setattr(mending, "SPARE", 1)

    def first_values() -> list[Decimal | None]:
        with database.read() as session:
            column = board.board(session, order=CardOrder.VALUE)[0]
            return [card.deal.expected_value for card in column.cards]

    with database.write(at=NOW) as session:
        make = Make(session)
        deals = {value: make.opportunity(expected_value=value).id for value in (60, 50, 40, 30)}
    assert first_values() == [60, 50]

    with database.write(at=NOW + A_DAY) as session:
        services.move_opportunity(session, deals[40], to=OPEN_STAGES[1])
        Make(session).opportunity(expected_value=25)
    assert first_values() == [60, 50]

    with database.write(at=NOW + 2 * A_DAY) as session:
        services.move_opportunity(session, deals[50], to=OPEN_STAGES[1])
    assert first_values() == [60, 30]


@pytest.mark.parametrize("group_by", GroupBy)
def test_columns_and_first_cards_follow_every_change(database, group_by, monkeypatch):
    """With few cards and hardly any known beyond them, so that deals come and go at a column's end."""
    monkeypatch.setattr(board, "CARDS", 3)
    monkeypatch.setattr(mending, "SPARE", 2)
    chance = random.Random(group_by)
    with database.write(at=NOW) as session:
        Make(session).people()
        Make(session).company("Solar")
        for _ in range(60):
            Person(session, chance).may_create()

    def columns(at):
        with database.read(at=at) as session:
            return [board.board(session, group_by=group_by, order=order) for order in CardOrder]

    for number in range(CHANGES // 2):
        at = NOW + timedelta(hours=number + 1)
        with database.write(at=at) as session:
            done = [Person(session, chance).do(10 * OFTEN) for _ in range(chance.randint(1, 3))]
        told = columns(at)
        known, database._kept = database._kept, Kept()
        assert told == columns(at), f"{number}: {done}"
        database._kept = known


def stays_of_stale_deals(database, at) -> int:
    period = Period(NOW.date() - 60 * A_DAY, NOW.date() + 60 * A_DAY)
    with database.read(at=at) as session:
        where = OpportunityFilter(stale=True)
        return metrics.measure(session, MetricName.TIME_IN_STAGE, where, period=period).figure.n


def test_a_note_makes_a_deal_less_stale(database):
    with database.write(at=NOW) as session:
        deal = Make(session).opportunity().id
    later = NOW + 50 * A_DAY
    assert stays_of_stale_deals(database, later) == 1

    with database.write(at=later) as session:
        session.add(Note(text="Called", opportunity_id=deal, created_at=later))

    assert stays_of_stale_deals(database, later + A_DAY / 24) == 0


@pytest.mark.parametrize("several", [1, MOST_CHANGED + 1])
def test_stays_follow_however_many_deals_change(database, several):
    period = Period(NOW.date() - 60 * A_DAY, NOW.date() + 60 * A_DAY)

    def running(stage):
        with database.read() as session:
            figure = metrics.measure(session, MetricName.TIME_IN_STAGE, EVERYTHING, period=period).figure
        return figure.parts[stage].apart[RUNNING].count

    with database.write(at=NOW) as session:
        deals = [Make(session).opportunity().id for _ in range(several)]
    assert running(OpportunityStage.QUALIFICATION) == several

    with database.write(at=NOW + A_DAY) as session:
        services.update_opportunities(session, deals, OpportunityUpdate(stage=OpportunityStage.PROPOSAL))

    assert [running(stage) for stage in OPEN_STAGES] == [0, 0, several, 0]


@pytest.mark.parametrize("many", [0, text.MANY])
def test_totals_follow_a_deal_that_is_called_otherwise(database, many, monkeypatch):
    """However it is found: by its key among those that have the text, or by a look at every text."""
    monkeypatch.setattr(text, "MANY", many)

    def total() -> Decimal:
        with database.read() as session:
            return services.get_opportunities(session, OpportunityFilter(text="solar")).totals.value

    with database.write(at=NOW) as session:
        make = Make(session)
        deals = [make.opportunity(name=f"Solar {value}", expected_value=value).id for value in (1, 20, 300)]
    assert total() == 321

    with database.write(at=NOW + A_DAY) as session:
        services.update_opportunity(
            session, deals[1], OpportunityUpdate(name="Wind", expected_value=Decimal(9))
        )
    assert total() == 301

    with database.write(at=NOW + 2 * A_DAY) as session:
        services.update_opportunity(session, deals[0], OpportunityUpdate(expected_value=Decimal(4)))
    assert total() == 304


def test_a_database_that_was_replaced_is_counted_anew(empty_sqlite_url):
    """The transactions since the backup are others now, under the same numbers."""
    database = Database(empty_sqlite_url)
    migrate.upgrade(database)

    def set_value(deal: int, value: int, days: int) -> None:
        with database.write(at=NOW + days * A_DAY) as session:
            changes = OpportunityUpdate(expected_value=Decimal(value))
            services.update_opportunity(session, deal, changes)

    def total() -> Decimal:
        with database.read() as session:
            return services.get_opportunities(session).totals.value

    with database.write(at=NOW) as session:
        one, other = (Make(session).opportunity(expected_value=value).id for value in (1, 20))
    backup = database.back_up("test")
    set_value(one, 300, days=1)
    assert total() == 320

    database.close()
    shutil.copy(backup, str(database.url.database))
    set_value(other, 4000, days=2)
    set_value(other, 5000, days=3)
    assert total() == 5001
    database.close()


def test_how_far_a_transaction_reaches(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        is_open, won, lead = make.opportunity().id, make.won().id, make.lead().id
        company, reason = make.company().id, session.scalars(LOST_FOR).first().id

    def reach(change):
        with database.write() as session:
            change(session)
        with database.read() as session:
            return session.scalars(select(Transaction.reach).order_by(Transaction.id.desc()).limit(1)).one()

    def set_name(model, key):
        return lambda session: setattr(session.get_one(model, key), "name", "Another")

    assert reach(set_name(Opportunity, is_open)) == Reach.OPEN
    assert reach(set_name(Lead, lead)) == Reach.OPEN
    called = NoteCreate(text="Called", opportunity_id=won)
    assert reach(lambda s: note_service.add_note(s, called)) == Reach.OPEN
    assert reach(lambda s: s.add(Note(text="Called", opportunity_id=won, created_at=NOW))) == Reach.ANYTHING
    assert reach(lambda s: setattr(s.scalars(select(Note)).first(), "text", "Wrote")) == Reach.ANYTHING
    assert reach(lambda s: s.execute(update(Note).values(text="Met"))) == Reach.ANYTHING
    assert reach(set_name(Opportunity, won)) == Reach.CLOSED
    assert reach(lambda s: services.reopen_opportunity(s, won, to=OPEN_STAGES[-1])) == Reach.CLOSED
    assert reach(lambda s: services.close_opportunity(s, won, outcome=Outcome.WON)) == Reach.CLOSED
    assert reach(set_name(Company, company)) == Reach.ANYTHING
    assert reach(lambda s: setattr(s.get_one(CloseReason, reason), "label", "Price")) == Reach.ANYTHING
