"""What is sent twice is done once, and what somebody else has changed meanwhile is not overwritten."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from crm_core import check
from crm_core.database import Database
from crm_core.errors import Conflict
from crm_core.models import (
    Base,
    Company,
    Contact,
    Lead,
    LeadStatus,
    Opportunity,
    OpportunityStage,
    Role,
    Source,
)
from crm_core.schemas.company import CompanyCreate
from crm_core.schemas.contact import ContactCreate
from crm_core.schemas.lead import LeadCreate
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services.company_service import create_company
from crm_core.services.contact_service import create_contact
from crm_core.services.lead_service import create_lead
from crm_core.services.opportunity_service import (
    convert_lead_to_opportunity,
    create_opportunity,
    get_opportunity,
    move_opportunity,
    update_opportunities,
    update_opportunity,
)
from crm_core.services.records import ChangedMeanwhile, NothingWasChanged
from tests.builders import Make
from tests.reliability.workers import in_processes, in_threads

AT_ONCE = 8
CREATES = {
    Opportunity: (create_opportunity, OpportunityCreate),
    Lead: (create_lead, LeadCreate),
    Company: (create_company, CompanyCreate),
    Contact: (create_contact, ContactCreate),
}

both_ways = pytest.mark.parametrize("at_once", [in_threads, in_processes])
each_kind = pytest.mark.parametrize("model", CREATES, ids=lambda model: model.__name__)


def create(database: Database, function: Callable[..., Any], draft: Any) -> int:
    with database.write() as session:
        return function(session, draft).id


def count(database: Database, model: type[Base]) -> int:
    with database.read() as session:
        return session.scalars(select(func.count(model.id))).one()


@each_kind
def test_what_is_sent_twice_is_created_once(database, model):
    function, schema = CREATES[model]
    draft = schema(name="Acme", request_id="r-1")

    assert create(database, function, draft) == create(database, function, draft)

    assert count(database, model) == 1
    assert check.findings(database) == []


def create_one_of_each(database: Database) -> tuple[int, ...]:
    return tuple(
        create(database, function, schema(name="Acme", request_id="r-1"))
        for function, schema in CREATES.values()
    )


@pytest.mark.both_databases
@both_ways
def test_what_is_sent_eight_times_at_once_is_created_once(database, at_once):
    answers = at_once(database, [(create_one_of_each,)] * AT_ONCE)

    assert len(answers) == AT_ONCE
    assert len(set(answers)) == 1
    assert [count(database, model) for model in CREATES] == [1] * len(CREATES)
    assert check.findings(database) == []


def convert(database: Database, lead_id: int) -> tuple[int | None, ...]:
    with database.write() as session:
        done = convert_lead_to_opportunity(session, lead_id)
        return done.opportunity.id, done.company.id, done.contact.id


@both_ways
def test_a_lead_that_is_converted_eight_times_at_once_becomes_one_deal(database, at_once):
    with database.write() as session:
        lead = Make(session).lead(company_name="Acme", status=LeadStatus.QUALIFIED)

    answers = at_once(database, [(convert, lead.id)] * AT_ONCE)

    assert len(answers) == AT_ONCE
    assert len(set(answers)) == 1
    assert [count(database, model) for model in (Opportunity, Company, Contact)] == [1, 1, 1]
    assert check.findings(database) == []


@pytest.fixture
def people(database: Database) -> dict[str, int]:
    """Two people who have the same deals on their screens, each as it was created."""
    with database.write() as session:
        make = Make(session)
        for number in range(3):
            make.opportunity(name=f"Roof {number}", expected_value=Decimal(100))
        return {name: make.user(name, role=Role.ADMIN).id for name in ("Ann", "Bob")}


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the database."""
    with database.read() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


def change_two_deals(database: Database, actor: int) -> None:
    """Change two deals that were last seen as they were created."""
    with database.write(actor=actor) as session:
        update_opportunity(session, 2, OpportunityUpdate(next_step="Call"), expected_version=1)
        move_opportunity(session, 1, to=OpportunityStage.PROPOSAL, expected_version=1)


def test_a_stale_change_is_refused_and_nothing_of_it_is_stored(database, people):
    with database.write(actor=people["Ann"], source=Source.API) as session:
        update_opportunity(session, 1, OpportunityUpdate(expected_value=Decimal(250)), expected_version=1)
    before = rows(database)

    with pytest.raises(Conflict) as conflict:
        change_two_deals(database, people["Bob"])

    assert "“Roof 0” was changed meanwhile by Ann (expected value)" in str(conflict.value)
    (entry,) = conflict.value.entries
    assert (entry.actor_id, entry.actor_name, entry.source) == (people["Ann"], "Ann", Source.API)
    assert [(each.field, each.before, each.after) for each in entry.changes] == [("expected_value", 100, 250)]
    assert rows(database) == before


def change_three_deals(database: Database, actor: int) -> None:
    """Change three deals at once that were last seen as they were created."""
    seen = {1: 1, 2: 1, 3: 1}
    with database.write(actor=actor) as session:
        update_opportunities(session, seen, OpportunityUpdate(next_step="Call"), expected_versions=seen)


def test_of_many_one_is_stale_and_none_is_changed(database, people):
    with database.write(actor=people["Ann"]) as session:
        move_opportunity(session, 2, to=OpportunityStage.PROPOSAL)
    before = rows(database)

    with pytest.raises(NothingWasChanged) as refused:
        change_three_deals(database, people["Bob"])

    assert refused.value.refusals.keys() == {2}
    assert isinstance(refused.value.refusals[2], ChangedMeanwhile)
    assert "by Ann (stage, probability)" in str(refused.value)
    assert rows(database) == before


def set_value(database: Database, value: int, seen: int) -> str:
    """What somebody is told who changes the value of a deal that he saw in that version."""
    try:
        with database.write() as session:
            changes = OpportunityUpdate(expected_value=Decimal(value))
            update_opportunity(session, 1, changes, expected_version=seen)
    except ChangedMeanwhile as refusal:
        return str(refusal)
    return "saved"


@both_ways
def test_of_many_who_change_what_they_saw_at_once_one_succeeds(database, people, at_once):
    told = at_once(database, [(set_value, 1_000 + number, 1) for number in range(AT_ONCE)])

    (saved,) = [number for number, answer in enumerate(told) if answer == "saved"]
    assert all("was changed meanwhile" in answer for number, answer in enumerate(told) if number != saved)
    with database.read() as session:
        deal = get_opportunity(session, 1)
        assert (deal.expected_value, deal.version) == (1_000 + saved, 2)
    assert check.findings(database) == []
