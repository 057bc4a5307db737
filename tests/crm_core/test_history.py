"""Every change is kept, nothing gets around it, and the past can be asked like the present."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session, joinedload

from crm_core import check
from crm_core.database import Database, instant
from crm_core.errors import TransactionMisuse
from crm_core.history import HistoryBypassed, as_of, insert_with_past, next_id, transaction_of
from crm_core.models import (
    VERSIONS,
    Company,
    LeadStatus,
    Opportunity,
    OpportunityStage,
    Preference,
    Source,
    Transaction,
)
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services.opportunity_service import move_opportunity, update_opportunity
from tests.builders import Make
from tests.conftest import NOW, Discard

pytestmark = pytest.mark.both_databases

AN_HOUR = timedelta(hours=1)
A_MICROSECOND = timedelta(microseconds=1)


def written(database: Database, model: type) -> list[tuple[int, int]]:
    """(id, version) of every version kept, in order."""
    versions = VERSIONS[model]
    with database.read() as session:
        chosen = select(versions.c.id, versions.c.version).order_by(versions.c.id, versions.c.valid_from)
        return [tuple(row) for row in session.execute(chosen)]


def logged(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count(Transaction.id))) or 0


def names_as_of(database: Database, at) -> list[str]:
    then = as_of(Opportunity, at)
    with database.read() as session:
        return list(session.scalars(select(then.name).order_by(then.id)))


@pytest.fixture
def deal(database) -> int:
    """The id of a deal created at NOW."""
    with database.write(at=NOW) as session:
        return Make(session).opportunity(name="Solar roof").id


def test_each_transaction_that_changes_a_record_keeps_one_version(database, deal):
    with database.write(at=NOW + AN_HOUR) as session:
        session.get_one(Opportunity, deal).name = "Solar park"

    assert written(database, Opportunity) == [(deal, 1), (deal, 2)]
    assert names_as_of(database, NOW) == ["Solar roof"]
    assert names_as_of(database, NOW + AN_HOUR) == ["Solar park"]


def test_before_it_was_created_a_record_was_not_there(database, deal):
    assert names_as_of(database, NOW - A_MICROSECOND) == []


def test_a_version_ends_at_the_instant_the_next_begins(database, deal):
    with database.write(at=NOW + AN_HOUR) as session:
        session.get_one(Opportunity, deal).name = "Solar park"

    assert names_as_of(database, NOW + AN_HOUR - A_MICROSECOND) == ["Solar roof"]


def test_several_flushes_in_one_transaction_are_one_version(database, deal):
    with database.write(at=NOW + AN_HOUR) as session:
        opportunity = session.get_one(Opportunity, deal)
        opportunity.name = "Solar park"
        session.flush()
        opportunity.expected_value = Decimal(100)
        session.flush()

    assert written(database, Opportunity) == [(deal, 1), (deal, 2)]
    assert opportunity.version == 2


def test_created_and_changed_in_one_transaction_is_version_one(database):
    with database.write(at=NOW) as session:
        opportunity = Make(session).opportunity(name="Solar roof")
        opportunity.name = "Solar park"

    assert written(database, Opportunity) == [(opportunity.id, 1)]
    assert names_as_of(database, NOW) == ["Solar park"]


def test_a_change_without_effect_makes_no_version(database, deal):
    with database.write(at=NOW + AN_HOUR) as session:
        update_opportunity(session, deal, OpportunityUpdate(name="Solar roof", probability=10))

    assert written(database, Opportunity) == [(deal, 1)]


def test_a_record_that_others_point_to_is_not_changed_by_it(database):
    with database.write(at=NOW) as session:
        company = Make(session).company()
    with database.write(at=NOW + AN_HOUR) as session:
        company = session.get_one(Company, company.id)
        session.add(Opportunity(name="Solar roof", probability=10, company_id=company.id))

    assert written(database, Company) == [(company.id, 1)]
    assert company.version == 1
    assert check.findings(database) == []


def test_a_relationship_is_changed_by_its_key_alone(database, deal):
    with database.write(at=NOW) as session:
        company = Make(session).company()
    with database.write(at=NOW + AN_HOUR) as session:
        opportunity = session.get_one(Opportunity, deal, options=[joinedload(Opportunity.company)])
        company = session.get_one(Company, company.id, options=[joinedload(Company.opportunities)])
        with pytest.raises(TransactionMisuse, match="“company” is only read"):
            opportunity.company = company
        with pytest.raises(TransactionMisuse, match="“opportunities” is only read"):
            company.opportunities.append(opportunity)
        opportunity.company_id = company.id

    assert written(database, Opportunity) == [(deal, 1), (deal, 2)]
    assert check.findings(database) == []


def test_a_transaction_that_changes_nothing_is_not_logged(database, deal):
    with database.write(at=NOW + AN_HOUR) as session:
        session.get_one(Opportunity, deal).name = "Solar roof"

    assert logged(database) == 1


def test_a_transaction_that_only_reads_is_not_logged(database, deal):
    with database.write(at=NOW + AN_HOUR) as session:
        session.scalars(select(Opportunity)).all()

    assert logged(database) == 1


def test_a_change_that_keeps_no_versions_is_logged_all_the_same(database, deal):
    with database.write(at=NOW + AN_HOUR) as session:
        session.add(Preference(user_id=1, name="board", value={"columns": ["name"]}))

    assert logged(database) == 2


def test_the_log_says_who_when_from_where_and_what(database):
    with database.write(actor=1, source=Source.API, note="Two deals", at=NOW) as session:
        Make(session).opportunity()

    with database.read() as session:
        entry = session.scalars(select(Transaction)).one()
        assert (entry.actor_id, entry.source, entry.note, entry.at) == (1, Source.API, "Two deals", NOW)


def test_what_is_rolled_back_leaves_nothing(database, deal):
    with suppress(Discard), database.write(at=NOW + AN_HOUR) as session:
        session.get_one(Opportunity, deal).name = "Solar park"
        Make(session).opportunity()
        raise Discard

    assert written(database, Opportunity) == [(deal, 1)]
    assert logged(database) == 1


VERSION_TABLE = VERSIONS[Opportunity]
BULK = {
    "insert": insert(Opportunity).values(name="Solar roof", probability=10),
    "update": update(Opportunity).values(name="Solar park"),
    "delete": delete(Opportunity),
    "table update": update(Opportunity.__table__).values(name="Solar park"),
    "version insert": insert(VERSION_TABLE).values(id=1),
    "version update": update(VERSION_TABLE).values(name="Solar park"),
    "version delete": delete(VERSION_TABLE),
}


@pytest.mark.parametrize("statement", BULK.values(), ids=BULK)
def test_bulk_statements_on_kept_tables_are_refused(database, deal, statement):
    with pytest.raises(HistoryBypassed), database.write(at=NOW + AN_HOUR) as session:
        session.execute(statement)

    assert names_as_of(database, None) == ["Solar roof"]


@pytest.mark.parametrize("model", VERSIONS)
def test_a_kept_record_is_never_removed(database, model):
    with database.write(at=NOW) as session:
        record = model(name="Acme", **({"probability": 10} if model is Opportunity else {}))
        session.add(record)

    with pytest.raises(HistoryBypassed, match="deleted_at"), database.write() as session:
        session.delete(session.get_one(model, record.id))

    assert written(database, model) == [(record.id, 1)]


def test_a_savepoint_is_refused(database, deal):
    with pytest.raises(TransactionMisuse, match="savepoint"), database.write(at=NOW + AN_HOUR) as session:  # noqa: PT012
        session.get_one(Opportunity, deal).name = "Solar park"
        session.begin_nested()

    assert names_as_of(database, None) == ["Solar roof"]


@pytest.mark.parametrize("end", [Session.commit, Session.rollback])
def test_after_its_end_a_transaction_can_not_go_on(database, deal, end):
    with pytest.raises(InvalidRequestError), database.write(at=NOW + AN_HOUR) as session:  # noqa: PT012
        end(session)
        session.get_one(Opportunity, deal)


@pytest.mark.parametrize("behind", [timedelta(0), timedelta(seconds=3), 400 * 24 * AN_HOUR])
def test_a_clock_that_lags_still_gives_later_instants(database, deal, behind):
    with database.write(at=NOW - behind) as session:
        given = instant(session)
        session.get_one(Opportunity, deal).name = "Solar park"

    assert given == NOW + A_MICROSECOND
    assert names_as_of(database, NOW) == ["Solar roof"]
    assert check.findings(database) == []


def states_of_a_deal(id_: int, created: int = 30, closed: int = 10) -> list:
    """A deal that began some days before NOW in discovery and was won some days later."""
    begun, won = NOW - timedelta(days=created), NOW - timedelta(days=closed)
    first = {
        "id": id_,
        "name": "Solar roof",
        "stage": OpportunityStage.DISCOVERY,
        "probability": 25,
        "expected_value": Decimal("120.50"),
        "created_at": begun,
    }
    last = {
        **first,
        "stage": OpportunityStage.CLOSED_WON,
        "probability": 100,
        "closed_at": won,
        "actual_close_date": won.date(),
    }
    return [(begun, first), (won, last)]


def test_records_can_be_inserted_with_their_past(database):
    with database.write(at=NOW) as session:
        insert_with_past(session, Opportunity, map(states_of_a_deal, range(1, 1_201)))

    with database.read() as session:
        deal = session.get_one(Opportunity, 1_200)
        assert (deal.version, deal.updated_at) == (2, NOW - timedelta(days=10))
        assert (deal.stage, deal.expected_value) == (OpportunityStage.CLOSED_WON, Decimal("120.50"))
        then = as_of(Opportunity, NOW - timedelta(days=20))
        assert session.scalar(select(func.count()).where(then.stage == OpportunityStage.DISCOVERY)) == 1_200
    assert check.findings(database) == []
    assert logged(database) == 1


def test_after_inserting_with_ids_the_database_counts_on(database):
    with database.write(at=NOW) as session:
        insert_with_past(session, Opportunity, [states_of_a_deal(next_id(session, Opportunity) + 6)])
        assert next_id(session, Opportunity) == 8
        assert Make(session).opportunity().id == 8


def test_nothing_to_insert_is_nothing(database):
    with database.write(at=NOW) as session:
        insert_with_past(session, Opportunity, [])

    assert written(database, Opportunity) == []
    assert logged(database) == 0


def test_a_past_can_not_lie_ahead(database):
    with pytest.raises(HistoryBypassed, match="after the transaction"), database.write(at=NOW) as session:
        insert_with_past(session, Opportunity, [states_of_a_deal(1, closed=-1)])

    assert written(database, Opportunity) == []


def test_states_out_of_order_are_refused_by_the_database(database):
    backwards = states_of_a_deal(1)[::-1]

    with pytest.raises(Exception, match="lasts_a_while"), database.write(at=NOW) as session:
        insert_with_past(session, Opportunity, [backwards])

    assert written(database, Opportunity) == []


def test_a_state_can_name_the_transaction_it_came_from(database, deal):
    with database.write(at=NOW + AN_HOUR) as session:
        first = session.scalars(select(Transaction)).one()
        states = [(at, {**row, "transaction_id": first.id}) for at, row in states_of_a_deal(deal + 1)]
        insert_with_past(session, Opportunity, [states])
        assert transaction_of(session).id != first.id

    assert check.findings(database) == []


def test_the_past_can_be_filtered_and_joined_like_the_present(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        acme = make.company("Acme")
        deal = make.opportunity(
            company_id=acme.id, stage=OpportunityStage.PROPOSAL, expected_value=Decimal(100)
        )
        make.opportunity(company_id=make.company("Beta").id, expected_value=Decimal(900))
    with database.write(at=NOW + AN_HOUR) as session:
        session.get_one(Company, acme.id).name = "Acme Limited"
        session.get_one(Opportunity, deal.id).expected_value = Decimal(500)
        move_opportunity(session, deal.id, to=OpportunityStage.NEGOTIATION)

    opportunity, company = as_of(Opportunity, NOW), as_of(Company, NOW)
    with database.read() as session:
        found = session.execute(
            select(company.name, func.sum(opportunity.expected_value))
            .join(company, company.id == opportunity.company_id)
            .where(opportunity.is_open, opportunity.stage == OpportunityStage.PROPOSAL)
            .group_by(company.name)
        ).all()
    assert [tuple(row) for row in found] == [("Acme", Decimal(100))]


def test_the_live_table_is_asked_without_an_instant():
    assert as_of(Opportunity, None) is Opportunity


@pytest.mark.parametrize("model", VERSIONS)
def test_as_of_now_is_the_live_table(database, model):
    with database.write(at=NOW) as session:
        make = Make(session)
        make.opportunity(description="“ä𝄞”", expected_value=Decimal("0.01"), owner_id=1)
        make.company(country="CH"), make.contact(email="ada@example.com")
        make.lead(status=LeadStatus.QUALIFIED, estimated_value=Decimal("9999999999999.99"))

    then = as_of(model, NOW + AN_HOUR)
    names = [column.key for column in model.__table__.columns]
    with database.read() as session:
        live = session.execute(select(*(getattr(model, name) for name in names))).all()
        assert session.execute(select(*(getattr(then, name) for name in names))).all() == live
        assert len(live) == 1


def test_a_whole_record_of_the_past_is_not_mixed_up_with_the_live_one(database, deal):
    with database.write(at=NOW + AN_HOUR) as session:
        session.get_one(Opportunity, deal).name = "Solar park"

    with database.read() as session:
        live = session.get_one(Opportunity, deal)
        with pytest.raises(HistoryBypassed, match="columns"):
            session.scalars(select(as_of(Opportunity, NOW))).all()
        assert live.name == "Solar park"


def test_a_change_in_sql_as_text_is_refused(session, make):
    deal = make.opportunity()

    with pytest.raises(HistoryBypassed):
        session.execute(text("UPDATE opportunities SET name = 'Sneaked in'"))

    assert session.scalar(text("SELECT name FROM opportunities")) == deal.name
