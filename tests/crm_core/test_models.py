"""What a record is made of, how it is stored, and what the database itself refuses."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Enum, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError
from sqlalchemy.orm import joinedload

from crm_core.columns import UNITS
from crm_core.models import (
    ApiToken,
    Base,
    CloseReason,
    Company,
    Contact,
    IdempotencyKey,
    Lead,
    LeadStatus,
    Note,
    Opportunity,
    OpportunityStage,
    Outcome,
    Preference,
    Role,
    SavedView,
    Source,
    Target,
    TargetPeriod,
    Team,
    TokenScope,
    Transaction,
    User,
)
from tests.conftest import NOW

pytestmark = pytest.mark.both_databases

TODAY = NOW.date()


def required(model: type[Base]) -> dict[str, Any]:
    """The least a row of that table needs."""
    return {
        ApiToken: {"token_hash": "f" * 64, "user_id": 1, "scope": TokenScope.READ, "created_at": NOW},
        CloseReason: {"outcome": Outcome.WON, "label": "Luck"},
        Company: {"name": "Acme"},
        Contact: {"name": "Ada Lovelace"},
        IdempotencyKey: {
            "key": "k",
            "user_id": 1,
            "request_hash": "f" * 64,
            "status_code": 201,
            "answer": {"id": 1},
            "expires_at": NOW,
        },
        Lead: {"name": "Grace Hopper"},
        Note: {"text": "Called.", "created_at": NOW, "company_id": 1},
        Opportunity: {"name": "Solar roof", "probability": 10},
        Preference: {"user_id": 1, "name": "board", "value": {"columns": ["name"]}},
        SavedView: {"user_id": 1, "screen": "pipeline", "name": "Mine", "definition": {"owners": [1]}},
        Target: {"user_id": 1, "period": TargetPeriod.MONTH, "starts_on": TODAY, "amount": Decimal(100)},
        Team: {"name": "North"},
        Transaction: {"at": NOW, "source": Source.SYSTEM},
        User: {"name": "Rita Rep"},
    }[model]


NEW_ROWS = [
    ApiToken,
    CloseReason,
    Company,
    Contact,
    IdempotencyKey,
    Lead,
    Note,
    Opportunity,
    Preference,
    SavedView,
    Target,
    Team,
    User,
]


@pytest.mark.parametrize("model", NEW_ROWS)
def test_a_row_needs_its_required_fields_and_no_more(session, make, model):
    make.company()
    row = model(**required(model))

    session.add(row)
    session.flush()
    session.refresh(row)

    assert {name: getattr(row, name) for name in required(model)} == required(model)


LEAST = [
    (model, field) for model in NEW_ROWS for field in required(model) if (model, field) != (Target, "user_id")
]


@pytest.mark.filterwarnings("ignore:Column .* is marked as a member of the primary key")
@pytest.mark.parametrize(("model", "field"), LEAST, ids=str)
def test_a_required_field_is_required_by_the_database(session, make, model, field):
    make.company()
    answers = required(model) | {field: None}

    session.add(model(**answers))
    with pytest.raises(IntegrityError):
        session.flush()


def test_a_deal_takes_every_field(session, make):
    owner, company, lead = make.user(), make.company(), make.lead()
    contact = make.contact(company_id=company.id)
    everything = {
        "name": "Solar roof “Ж𝄞”",
        "company_id": company.id,
        "contact_id": contact.id,
        "lead_id": lead.id,
        "owner_id": owner.id,
        "stage": OpportunityStage.CLOSED_LOST,
        "expected_value": Decimal("12000.50"),
        "probability": 0,
        "expected_close_date": TODAY + timedelta(days=30),
        "actual_close_date": TODAY,
        "closed_at": NOW,
        "close_reason_id": 7,
        "close_note": "Too dear",
        "credited_owner_id": owner.id,
        "next_step": "Call",
        "next_step_date": TODAY,
        "source": "Fair",
        "description": "Long\ntext",
        "created_at": NOW - timedelta(days=3, microseconds=1),
        "request_id": "r-1",
        "external_source": "maven",
        "external_id": "42",
    }

    deal = Opportunity(**everything)
    session.add(deal)
    session.flush()
    session.refresh(deal)

    assert {name: getattr(deal, name) for name in everything} == everything


def test_a_deal_leads_to_its_company_contact_lead_and_people(session, make):
    owner, company, lead = make.user(), make.company(), make.lead()
    contact = make.contact(company_id=company.id)
    make.won(
        owner_id=owner.id, company_id=company.id, contact_id=contact.id, lead_id=lead.id, close_reason_id=1
    )
    session.expire_all()
    paths = ("company", "contact", "lead", "owner", "credited_owner", "close_reason")

    deal = session.scalars(
        select(Opportunity).options(*(joinedload(getattr(Opportunity, path)) for path in paths))
    ).one()

    found = [deal.company, deal.contact, deal.lead, deal.owner, deal.credited_owner]
    assert found == [company, contact, lead, owner, owner]
    assert deal.close_reason.label == "Price"


def test_the_way_back_leads_to_the_deals(session, make):
    company = make.company()
    contact = make.contact(company_id=company.id)
    deal = make.opportunity(company_id=company.id, contact_id=contact.id)
    session.expire_all()

    found = (
        session.scalars(
            select(Company).options(joinedload(Company.contacts), joinedload(Company.opportunities))
        )
        .unique()
        .one()
    )

    assert (found.contacts, found.opportunities) == ([contact], [deal])


def test_a_converted_lead_leads_to_its_deal(session, make):
    deal = make.opportunity()
    make.lead(status=LeadStatus.CONVERTED, converted_at=NOW, opportunity_id=deal.id)
    session.expire_all()

    lead = session.scalars(select(Lead).options(joinedload(Lead.opportunity))).one()

    assert lead.opportunity is deal


def test_a_team_has_members_and_a_manager(session, make):
    manager = make.user("Mia Manager", role=Role.MANAGER)
    team = make.team(manager_id=manager.id)
    member = make.user(team_id=team.id)
    session.expire_all()

    found = (
        session.scalars(select(Team).options(joinedload(Team.manager), joinedload(Team.members)))
        .unique()
        .one()
    )

    assert (found.manager, found.members) == (manager, [member])


@pytest.mark.parametrize("path", ["company", "contact", "lead", "owner"])
def test_nothing_is_loaded_by_accident(session, make, path):
    deal = make.opportunity(company_id=make.company().id)
    session.expire_all()

    with pytest.raises(InvalidRequestError, match="lazy='raise'"):
        getattr(deal, path)


ENUM_COLUMNS = {
    f"{table.name}.{column.name}": column
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, Enum)
}


CHOICES = [
    (Opportunity, "stage", OpportunityStage),
    (Lead, "status", LeadStatus),
    (User, "role", Role),
    (CloseReason, "outcome", Outcome),
    (Target, "period", TargetPeriod),
    (ApiToken, "scope", TokenScope),
]
EVERY_CHOICE = [(model, column, member) for model, column, kind in CHOICES for member in kind]
AS_IT_MUST_BE = {
    OpportunityStage.CLOSED_WON: {"probability": 100, "closed_at": NOW, "actual_close_date": TODAY},
    OpportunityStage.CLOSED_LOST: {"probability": 0, "closed_at": NOW, "actual_close_date": TODAY},
    LeadStatus.CONVERTED: {"converted_at": NOW, "opportunity_id": 1},
}


@pytest.mark.parametrize(("model", "column", "member"), EVERY_CHOICE, ids=str)
def test_an_enum_is_stored_and_read_back_as_its_value(session, make, model, column, member):
    make.opportunity()
    row = model(**required(model) | {column: member} | AS_IT_MUST_BE.get(member, {}))
    session.add(row)
    session.flush()
    session.refresh(row)

    stored = session.scalars(
        text(f"SELECT {column} FROM {model.__tablename__} WHERE id = :id"), {"id": row.id}
    )
    assert stored.one() == member.value
    assert getattr(row, column) is member


@pytest.fixture
def filled(database):
    """A database with a row in every table."""
    with database.write(at=NOW) as session:
        session.add(Company(**required(Company)))
        session.flush()
        session.add_all([model(**required(model)) for model in NEW_ROWS if model is not Company])
        session.flush()
        won = AS_IT_MUST_BE[OpportunityStage.CLOSED_WON]
        session.add(Opportunity(name="Won", stage=OpportunityStage.CLOSED_WON, created_at=NOW, **won))
    return database


def test_every_table_is_filled_for_the_tests_of_refusals(filled):
    with filled.read() as session:
        empty = [
            name
            for name in Base.metadata.tables
            if not session.scalars(text(f"SELECT 1 FROM {name}")).first()
        ]
    assert empty == []


@pytest.mark.parametrize("column", ENUM_COLUMNS.values(), ids=ENUM_COLUMNS)
def test_a_value_that_is_no_choice_is_refused_by_the_database(filled, column):
    with pytest.raises(IntegrityError), filled.engine.begin() as connection:
        connection.execute(text(f"UPDATE {column.table.name} SET {column.name} = 'nonsense'"))


CHECKS = {
    "UPDATE opportunities SET probability = 101 WHERE id = 1": "probability_is_percent",
    "UPDATE opportunities SET probability = -1 WHERE id = 1": "probability_is_percent",
    "UPDATE opportunities SET expected_value = -1": "expected_value_is_not_negative",
    "UPDATE opportunities SET stage = 'closed_lost', probability = 0 WHERE id = 1": "closed_has_its_instant",
    "UPDATE opportunities SET stage = 'proposal' WHERE id = 2": "closed_has_its_instant",
    "UPDATE opportunities SET actual_close_date = NULL WHERE id = 2": "closed_has_its_day",
    "UPDATE opportunities SET actual_close_date = '2026-03-18' WHERE id = 1": "closed_has_its_day",
    "UPDATE opportunities SET closed_at = '2020-01-01 00:00:00.000000' WHERE id = 2": "closed_after_created",
    "UPDATE opportunities SET probability = 99 WHERE id = 2": "outcome_is_certain",
    "UPDATE opportunities SET stage = 'closed_lost' WHERE id = 2": "outcome_is_certain",
    "UPDATE opportunities SET close_note = 'x' WHERE id = 1": "open_has_no_outcome",
    "UPDATE opportunities SET close_reason_id = 1 WHERE id = 1": "open_has_no_outcome",
    "UPDATE opportunities SET credited_owner_id = 1 WHERE id = 1": "open_has_no_outcome",
    "UPDATE opportunities SET version = 0": "version_counts_from_one",
    "UPDATE opportunities SET external_id = '1'": "external_id_has_its_source",
    "UPDATE contacts SET external_source = 'maven'": "external_id_has_its_source",
    "UPDATE leads SET estimated_value = -1": "estimated_value_is_not_negative",
    "UPDATE leads SET status = 'converted'": "converted_has_its_instant",
    "UPDATE leads SET converted_at = created_at, opportunity_id = 1": "converted_has_its_instant",
    "UPDATE leads SET opportunity_id = 1": "converted_has_its_opportunity",
    "UPDATE notes SET company_id = NULL": "is_on_one_record",
    "UPDATE notes SET opportunity_id = 1": "is_on_one_record",
    "UPDATE notes SET text = ''": "text_is_filled",
    "UPDATE targets SET user_id = NULL": "belongs_to_user_or_team",
    "UPDATE targets SET team_id = 1": "belongs_to_user_or_team",
    "UPDATE targets SET amount = -1": "amount_is_not_negative",
    "UPDATE settings SET id = 2": "there_is_one_row",
    "UPDATE settings SET currency = 'EU'": "currency_is_iso_4217",
    "UPDATE settings SET fiscal_year_start_month = 13": "fiscal_year_starts_in_a_month",
    "UPDATE stage_settings SET default_probability = 101": "default_probability_is_percent",
    "UPDATE stage_settings SET stale_after_days = 0": "stale_after_days_is_positive",
    "UPDATE companies SET name = '   '": "name_is_filled",
    "UPDATE contacts SET name = ''": "name_is_filled",
    "UPDATE teams SET name = ''": "name_is_filled",
    "UPDATE users SET name = ''": "name_is_filled",
    "UPDATE saved_views SET name = ' '": "name_is_filled",
    "UPDATE close_reasons SET label = ''": "label_is_filled",
    "UPDATE company_versions SET valid_to = valid_from": "lasts_a_while",
}


@pytest.mark.parametrize(("statement", "rule"), CHECKS.items(), ids=CHECKS)
def test_a_broken_rule_is_refused_by_the_database(filled, statement, rule):
    with pytest.raises(IntegrityError, match=rule), filled.engine.begin() as connection:
        connection.execute(text(statement))


def test_a_name_of_201_characters_is_refused_by_the_database(filled):
    with pytest.raises(DBAPIError), filled.engine.begin() as connection:
        connection.execute(text("UPDATE opportunities SET name = :name"), {"name": "x" * 201})


DUPLICATES = {
    "a request": "UPDATE opportunities SET request_id = 'r'",
    "a key of another program": "UPDATE opportunities SET external_source = 'maven', external_id = '1'",
    "an e-mail address in another case": (
        "INSERT INTO users (name, email, role, is_active)"
        " VALUES ('A', 'a@b.ch', 'rep', true), ('B', 'A@B.CH', 'rep', true)"
    ),
    "a team": "INSERT INTO teams (name) VALUES ('North')",
    "a reason": (
        "INSERT INTO close_reasons (outcome, label, needs_note, counts, is_active)"
        " VALUES ('won', 'Price', true, true, true)"
    ),
    "a target": (
        "INSERT INTO targets (user_id, period, starts_on, amount)"
        " SELECT user_id, period, starts_on, 5 FROM targets"
    ),
    "a view": (
        "INSERT INTO saved_views (user_id, screen, name, definition, is_shared, is_default)"
        " SELECT user_id, screen, name, definition, is_shared, is_default FROM saved_views"
    ),
    "a current version": "UPDATE opportunity_versions SET id = 1, valid_from = created_at",
}


@pytest.mark.parametrize("statement", DUPLICATES.values(), ids=DUPLICATES)
def test_a_duplicate_is_refused_by_the_database(filled, statement):
    with pytest.raises(IntegrityError, match=r"UNIQUE|unique"), filled.engine.begin() as connection:
        connection.execute(text(statement))


POINTERS = {
    f"{table.name}.{pointer.parent.name}": pointer
    for table in Base.metadata.sorted_tables
    for pointer in sorted(table.foreign_keys, key=lambda key: key.parent.name)
}


NEEDED_WITH = {
    "companies.merged_into_id": ", deleted_at = created_at",
    "contacts.merged_into_id": ", deleted_at = created_at",
    "leads.opportunity_id": ", converted_at = created_at, status = 'converted'",
    "targets.team_id": ", user_id = NULL",
    "notes.contact_id": ", company_id = NULL",
    "notes.lead_id": ", company_id = NULL",
    "notes.opportunity_id": ", company_id = NULL",
}
"""What else must change so that no other rule is broken."""


@pytest.mark.parametrize("pointer", POINTERS.values(), ids=POINTERS)
def test_a_pointer_to_nothing_is_refused_by_the_database(filled, pointer):
    table, column = pointer.parent.table.name, pointer.parent.name
    wrong = f"{column} = 99{NEEDED_WITH.get(f'{table}.{column}', '')}"
    which = "stage = 'closed_won'" if table == "opportunities" else "true"

    with pytest.raises(IntegrityError, match=r"FOREIGN KEY|foreign key"), filled.engine.begin() as connection:
        connection.execute(text(f"UPDATE {table} SET {wrong} WHERE {which}"))


def test_money_is_stored_in_ten_thousandths(session, make):
    deal = make.opportunity(expected_value=Decimal("120.50"))

    stored = session.scalars(text("SELECT expected_value FROM opportunities"))

    assert stored.one() == deal.expected_value * UNITS == 1_205_000


def test_terms_mean_the_same_in_python_and_in_sql(session, make):
    yesterday = TODAY - timedelta(days=1)
    make.opportunity(expected_close_date=yesterday)
    make.opportunity(stage=OpportunityStage.NEGOTIATION, expected_close_date=TODAY)
    make.won(100, expected_close_date=yesterday)
    make.lost(100)

    deals = session.scalars(select(Opportunity)).all()

    for in_sql, in_python in (
        (Opportunity.is_open, lambda deal: deal.is_open),
        (Opportunity.is_won, lambda deal: deal.is_won),
        (Opportunity.is_lost, lambda deal: deal.is_lost),
        (Opportunity.overdue(TODAY), lambda deal: deal.is_overdue(TODAY)),
    ):
        found = session.scalars(select(Opportunity).where(in_sql)).all()
        assert found == [deal for deal in deals if in_python(deal)]
        assert 0 < len(found) < len(deals)
    assert session.scalars(select(Opportunity).order_by(Opportunity.stage_order())).all() == sorted(
        deals, key=lambda deal: list(OpportunityStage).index(deal.stage)
    )
