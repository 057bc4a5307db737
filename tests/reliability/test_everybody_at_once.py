"""Deals move while others edit, convert, merge, delete and import: all get an answer, and nothing is torn."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from crm_core import check, clock
from crm_core.database import Database
from crm_core.errors import CrmError, DatabaseUnavailable
from crm_core.importing import Mapping, import_opportunities
from crm_core.models import OPEN_STAGES, Company, Contact, LeadStatus, Opportunity, Record
from crm_core.schemas.contact import ContactUpdate
from crm_core.schemas.conversion import ConversionChoice
from crm_core.schemas.lead import LeadCreate
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services.company_service import delete_company, merge_companies, restore_company
from crm_core.services.contact_service import delete_contact, merge_contacts, restore_contact, update_contacts
from crm_core.services.lead_service import create_lead
from crm_core.services.opportunity_service import (
    convert_lead_to_opportunity,
    delete_opportunity,
    move_opportunity,
    restore_opportunity,
    update_opportunities,
)
from tests import forms
from tests.builders import Make
from tests.reliability.workers import in_processes, orphans

TURNS = forms.either(10, 40)
COMPANIES = CONTACTS = DEALS = 100
"""More than can be merged and deleted."""

IN_DEMAND = 25
"""Everybody works on the first so many, to be in each other's way."""

CSV = Mapping.model_validate(
    {
        "source": "old",
        "columns": {
            "external_id": "key",
            "name": "deal",
            "company": "company",
            "contact": "contact",
            "stage": "stage",
        },
        "stages": {"Proposal": "proposal"},
    }
)

Action = Callable[[Database, random.Random], Any]


def seen(
    database: Database, model: type[Record], chance: random.Random, number: int
) -> list[tuple[int, int]]:
    """Some records that were there when somebody looked, and the version of each; a click comes later."""
    with database.read() as session:
        there = select(model.id, model.version).where(model.deleted_at.is_(None))
        return chance.sample(
            [tuple(row) for row in session.execute(there.order_by(model.id).limit(IN_DEMAND))], number
        )


def deleted(database: Database, model: type[Record], chance: random.Random) -> int | None:
    with database.read() as session:
        gone = select(model.id).where(model.deleted_at.is_not(None)).order_by(model.id)
        return chance.choice([*session.scalars(gone), None])


def move_a_deal(database: Database, chance: random.Random) -> None:
    ((deal_id, version),) = seen(database, Opportunity, chance, 1)
    with database.write() as session:
        move_opportunity(session, deal_id, to=chance.choice(OPEN_STAGES), expected_version=version)


def edit_many_deals(database: Database, chance: random.Random) -> None:
    deals, ((company_id, _),) = seen(database, Opportunity, chance, 10), seen(database, Company, chance, 1)
    ((contact_id, _),) = seen(database, Contact, chance, 1)
    changes = OpportunityUpdate(
        company_id=company_id, contact_id=contact_id, next_step=f"Step {chance.random()}"
    )
    with database.write() as session:
        update_opportunities(session, [deal_id for deal_id, _ in deals], changes)


def edit_many_contacts(database: Database, chance: random.Random) -> None:
    contacts, ((company_id, _),) = seen(database, Contact, chance, 5), seen(database, Company, chance, 1)
    with database.write() as session:
        update_contacts(session, dict(contacts), ContactUpdate(company_id=company_id))


def convert_a_lead(database: Database, chance: random.Random) -> None:
    ((company_id, _),) = seen(database, Company, chance, 1)
    choice = ConversionChoice(company_id=chance.choice([company_id, None]))
    draft = LeadCreate(
        name=f"Person {chance.randrange(IN_DEMAND)}",
        company_name=f"Company {chance.randrange(IN_DEMAND)}",
        status=LeadStatus.QUALIFIED,
    )
    with database.write() as session:
        lead = create_lead(session, draft)
    with database.write() as session:
        convert_lead_to_opportunity(session, lead.id, choice)


def merge_two_companies(database: Database, chance: random.Random) -> None:
    (kept_id, _), (merged_id, _) = seen(database, Company, chance, 2)
    with database.write() as session:
        merge_companies(session, kept_id, merged_id)


def merge_two_contacts(database: Database, chance: random.Random) -> None:
    (kept_id, _), (merged_id, _) = seen(database, Contact, chance, 2)
    with database.write() as session:
        merge_contacts(session, kept_id, merged_id)


def delete_or_restore(database: Database, chance: random.Random) -> None:
    model, delete, restore = chance.choice(
        [
            (Opportunity, delete_opportunity, restore_opportunity),
            (Company, delete_company, restore_company),
            (Contact, delete_contact, restore_contact),
        ]
    )
    gone, ((key, version),) = deleted(database, model, chance), seen(database, model, chance, 1)
    with database.write() as session:
        if gone is None:
            delete(session, key, expected_version=version)
        else:
            restore(session, gone)


def import_a_file(database: Database, chance: random.Random) -> None:
    lines = [
        f"{chance.getrandbits(40)},Deal,Company {chance.randrange(2 * IN_DEMAND)},"
        f"Person {chance.randrange(2 * IN_DEMAND)},Proposal"
        for _ in range(5)
    ]
    file = "\n".join(["key,deal,company,contact,stage", *lines]).encode()
    report = import_opportunities(database, file, CSV, at=clock.now())
    assert (report.created, report.refusals) == (5, [])


ACTIONS: list[Action] = [
    move_a_deal,
    move_a_deal,
    edit_many_deals,
    edit_many_contacts,
    convert_a_lead,
    merge_two_companies,
    merge_two_contacts,
    delete_or_restore,
    import_a_file,
]


def keep_at_it(database: Database, action: Action, seed: int) -> Counter[str]:
    """What somebody is told who does the same thing again and again. Only refusals are an answer."""
    chance, told = random.Random(seed), Counter[str]()
    for _ in range(TURNS):
        try:
            action(database, chance)
        except DatabaseUnavailable:
            raise
        except CrmError as refusal:
            told[type(refusal).__name__] += 1
        else:
            told["saved"] += 1
    return told


@pytest.fixture
def busy(database: Database) -> Database:
    """A database with companies, people who work there, and deals with both."""
    with database.write() as session:
        make = Make(session)
        for number in range(COMPANIES):
            make.company(f"Company {number}")
        for number in range(CONTACTS):
            make.contact(f"Person {number}", company_id=number + 1)
        for number in range(DEALS):
            make.opportunity(contact_id=number + 1, company_id=number + 1)
    return database


def test_everybody_gets_an_answer_and_nothing_is_orphaned(busy):
    calls = [(keep_at_it, action, seed) for seed, action in enumerate(ACTIONS)]

    told = in_processes(busy, calls)

    assert all(answers["saved"] > 0 for answers in told), told
    assert all(answers.total() == TURNS for answers in told), told
    with busy.read() as session:
        assert orphans(session) == []
    assert check.findings(busy) == []
