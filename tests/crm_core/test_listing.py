"""Pages of a list: each order against Python's own, now and then, and what the whole adds up to."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from sqlalchemy import select

from crm_core.errors import InvalidInput
from crm_core.filters import OpportunityFilter
from crm_core.folding import fold
from crm_core.models import (
    CLOSED_STAGES,
    OPEN_STAGES,
    VERSIONS,
    Company,
    Contact,
    Lead,
    Opportunity,
    OpportunityStage,
    Outcome,
    User,
)
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import company_service, contact_service, lead_service, opportunity_service
from crm_core.services.opportunity_service import (
    close_opportunity,
    get_opportunities,
    get_rows,
    move_opportunity,
    reopen_opportunity,
    update_opportunity,
)
from crm_core.sorting import CompanySort, ContactSort, LeadSort, OpportunitySort
from tests.builders import Make, reason_id
from tests.conftest import NOW

pytestmark = pytest.mark.both_databases

S = OpportunityStage
A_DAY = timedelta(days=1)
STEPS = [NOW - days * A_DAY for days in (40, 30, 20, 10)]
"""When something happened; `THEN` lies between the last two."""

THEN = NOW - 15 * A_DAY
ALL = 200
DEALS = 40
WORDS = ["Solar roof", "solar Roof", "WIND park", "wind park 2", "10 heat pumps", "9 heat pumps", "z", "A"]

NAMED_ELSEWHERE = {
    "value": "expected_value",
    "expected_close": "expected_close_date",
    "closed": "actual_close_date",
    "created": "created_on",
    "changed": "updated_at",
    "days_in_stage": "stage_entered_on",
    "company": "company_name",
    "contact": "contact_name",
    "owner": "owner_name",
}
SORTS = {
    Opportunity: (opportunity_service, OpportunitySort),
    Lead: (lead_service, LeadSort),
    Company: (company_service, CompanySort),
    Contact: (contact_service, ContactSort),
}


@pytest.fixture
def busy(database):
    """Four kinds of record, many with the same or no value, that were changed at several instants."""
    chance = random.Random(7)
    with database.write(at=STEPS[0]) as session:
        make = Make(session)
        owners = [None, *(make.user(name).id for name in ("Rita", "rob", "Ada", "Rita"))]
        companies = [None, *(make.company(name, **known(chance, owners)).id for name in WORDS)]
        contacts = [None]
        for name in WORDS:
            company_id = chance.choice(companies)
            job_title = chance.choice([None, "CEO", "cto", "Buyer"])
            email = chance.choice([None, "a@x.example", "B@x.example"])
            owner_id = chance.choice(owners)
            contact = make.contact(
                name, company_id=company_id, job_title=job_title, email=email, owner_id=owner_id
            )
            contacts.append(contact.id)
    for step in STEPS[:2]:
        with database.write(at=step + timedelta(hours=1)) as session:
            for _ in range(DEALS // 2):
                Make(session).opportunity(**a_deal(chance, owners, companies, contacts))
                Make(session).lead(**a_lead(chance, owners))
    for step in STEPS[2:]:
        with database.write(at=step) as session:
            change_some(session, chance, owners)
    with database.write(at=STEPS[3] + timedelta(hours=1)) as session:
        session.get_one(Company, 1).name = "Renamed & Co"
        session.get_one(Contact, 2).name = "Renamed too"
        session.get_one(User, owners[1]).name = "Zoe"
        session.get_one(Company, 3).deleted_at = NOW
        session.get_one(Opportunity, 5).deleted_at = NOW
    return database


def known(chance, owners):
    return {
        "owner_id": chance.choice(owners),
        "domain": chance.choice([None, "acme.example", "zoo.example"]),
        "industry": chance.choice([None, "Energy", "energy", "Farming"]),
        "country": chance.choice([None, "Chad", "Peru"]),
    }


def a_deal(chance, owners, companies, contacts):
    def day():
        return chance.choice([None, date(2026, 3, chance.randint(1, 5))])

    return {
        "name": chance.choice(WORDS),
        "stage": chance.choice(OPEN_STAGES),
        "probability": chance.choice([0, 10, 33, 100]),
        "expected_value": chance.choice(
            [None, Decimal(0), Decimal("0.01"), Decimal("99.99"), Decimal(12_345)]
        ),
        "owner_id": chance.choice(owners),
        "company_id": chance.choice(companies),
        "contact_id": chance.choice(contacts),
        "expected_close_date": day(),
        "next_step_date": day(),
        "next_step": chance.choice([None, "Call", "call", "Visit"]),
        "source": chance.choice([None, "Fair", "web"]),
        "description": chance.choice([None, "Long"]),
    }


def a_lead(chance, owners):
    return {
        "name": chance.choice(WORDS),
        "company_name": chance.choice([None, *WORDS]),
        "email": chance.choice([None, "A@x.example", "b@x.example"]),
        "status": chance.choice(["new", "contacted", "qualified", "unqualified"]),
        "source": chance.choice([None, "Fair", "web"]),
        "owner_id": chance.choice(owners),
        "estimated_value": chance.choice([None, Decimal(5), Decimal(7)]),
    }


def change_some(session, chance, owners):
    for deal in session.scalars(select(Opportunity).order_by(Opportunity.id)).all():
        match chance.randint(0, 5):
            case 0:
                update_opportunity(session, deal.id, OpportunityUpdate(owner_id=chance.choice(owners)))
            case 1 if deal.is_open:
                move_opportunity(session, deal.id, to=chance.choice(OPEN_STAGES))
            case 2 if deal.stage in (S.PROPOSAL, S.NEGOTIATION):
                close_opportunity(session, deal.id, outcome=Outcome.WON)
            case 3 if deal.is_open:
                price = reason_id(session, "Price")
                close_opportunity(session, deal.id, outcome=Outcome.LOST, reason_id=price, note="Dear")
            case 4 if not deal.is_open:
                reopen_opportunity(session, deal.id, to=chance.choice(OPEN_STAGES))


def rows_of(session, model, as_of=None):
    """What the tables and their versions hold, as plain rows with the names of what they belong to."""

    def valid(kind):
        versions = VERSIONS[kind]
        at = NOW if as_of is None else as_of
        for row in session.execute(select(versions)).mappings():
            if row["valid_from"] <= at and (row["valid_to"] is None or at < row["valid_to"]):
                yield dict(row)

    names = {
        "company": {row["id"]: row["name"] for row in valid(Company)},
        "contact": {row["id"]: row["name"] for row in valid(Contact)},
        "owner": dict(session.execute(select(User.id, User.name)).all()),
    }
    return [
        row
        | {
            f"{kind}_name": found.get(row[f"{kind}_id"])
            for kind, found in names.items()
            if f"{kind}_id" in row
        }
        for row in valid(model)
        if row["deleted_at"] is None
    ]


def in_order(rows, sort):
    """Python's own order of the ids: unknown last, and ids between equals."""
    column = sort.value.removeprefix("-")
    falls = sort.value.startswith("-") != (column == "days_in_stage")  # long in a stage is entered early

    def measure(row):
        value = row.get(NAMED_ELSEWHERE.get(column, column), row.get(f"{column}_name"))
        if column in ("stage", "status"):
            return list(type(value)).index(value)
        return (fold(value), value) if isinstance(value, str) else value

    filled = [row for row in rows if measure(row) is not None]
    empty = [row for row in rows if measure(row) is None]
    return [
        *(row["id"] for row in sorted(filled, key=lambda row: (measure(row), row["id"]), reverse=falls)),
        *(row["id"] for row in sorted(empty, key=lambda row: row["id"], reverse=falls)),
    ]


@pytest.mark.parametrize("as_of", [None, THEN])
@pytest.mark.parametrize("model", SORTS)
def test_every_order_is_pythons_with_unknown_last_and_ids_between_equals(busy, model, as_of):
    service, sorts = SORTS[model]
    noun = service.__name__.rpartition(".")[2].removesuffix("_service")
    where = getattr(service, f"{noun.capitalize()}Filter")(as_of=as_of)

    with busy.read(at=NOW) as session:
        rows = rows_of(session, model, as_of)
        found = {
            sort: [row.id for row in service.get_rows(session, where, sort=sort, limit=ALL)] for sort in sorts
        }

    assert found == {sort: in_order(rows, sort) for sort in sorts}
    assert len(rows) >= len(WORDS) - 1


@pytest.mark.parametrize("as_of", [None, THEN])
def test_pages_put_together_are_the_whole_list(busy, as_of):
    where = OpportunityFilter(as_of=as_of)

    with busy.read(at=NOW) as session:
        for sort in OpportunitySort:
            whole = get_rows(session, where, sort=sort, limit=ALL)
            pages = [
                get_rows(session, where, sort=sort, limit=7, offset=offset) for offset in range(0, 42, 7)
            ]
            assert [row for page in pages for row in page] == whole
            assert get_rows(session, where, sort=sort, offset=len(whole)) == []


@pytest.mark.parametrize("as_of", [None, *(step + timedelta(minutes=30) for step in STEPS), THEN])
def test_a_row_is_the_deal_as_it_was_with_the_names_of_then(busy, as_of):
    with busy.read(at=NOW) as session:
        expected = {row["id"]: row for row in rows_of(session, Opportunity, as_of)}
        found = {
            row.id: row.model_dump() for row in get_rows(session, OpportunityFilter(as_of=as_of), limit=ALL)
        }

    assert found == {key: {field: row[field] for field in found[key]} for key, row in expected.items()}


def test_the_names_of_then_are_not_those_of_now(database):
    with database.write(at=STEPS[0]) as session:
        make = Make(session)
        company, contact, owner = (
            make.company("Old company"),
            make.contact("Old contact"),
            make.user("Old owner"),
        )
        make.opportunity(company_id=company.id, contact_id=contact.id, owner_id=owner.id)
    with database.write(at=STEPS[3]) as session:
        session.get_one(Company, company.id).name = "New company"
        session.get_one(Contact, contact.id).name = "New contact"
        session.get_one(User, owner.id).name = "New owner"
        session.get_one(Contact, contact.id).deleted_at = STEPS[3]

    with database.read(at=NOW) as session:
        (now,) = get_rows(session)
        (then,) = get_rows(session, OpportunityFilter(as_of=THEN))
        found_then = [
            len(get_rows(session, OpportunityFilter(text=text, as_of=THEN))) for text in ("OLD", "NEW")
        ]
        found_now = [len(get_rows(session, OpportunityFilter(text=text))) for text in ("OLD", "NEW")]

    assert (now.company_name, now.contact_name, now.owner_name) == ("New company", "New contact", "New owner")
    assert (then.company_name, then.contact_name) == ("Old company", "Old contact")
    assert then.owner_name == "New owner"  # users have no past
    assert (found_then, found_now) == ([1, 0], [0, 1])


def test_before_the_first_deal_the_list_is_empty(busy):
    where = OpportunityFilter(as_of=datetime(2020, 1, 1, tzinfo=UTC))

    with busy.read(at=NOW) as session:
        page = get_opportunities(session, where)

    assert (page.rows, page.totals.deals, page.totals.value) == ([], 0, 0)


FILTERS = {
    "everything": ({}, lambda row: True),
    "open": ({"is_open": True}, lambda row: row["stage"] in OPEN_STAGES),
    "closed": ({"is_open": False}, lambda row: row["stage"] in CLOSED_STAGES),
    "without value": ({"without_value": True}, lambda row: row["expected_value"] is None),
    "from a cent": (
        {"value_from": "0.01"},
        lambda row: row["expected_value"] is not None and row["expected_value"] > 0,
    ),
    "a word": ({"text": "SOLAR"}, lambda row: mentions(row, "solar")),
    "nothing": ({"text": "no such deal"}, lambda row: False),
}


def mentions(row, text):
    names = (row["name"], row["company_name"], row["contact_name"])
    return any(text in (name or "").lower() for name in names)


@pytest.mark.parametrize("as_of", [None, THEN])
@pytest.mark.parametrize("limit", [1, 50])
def test_the_totals_are_those_of_the_whole_filter_however_short_the_page(busy, limit, as_of):
    with busy.read(at=NOW) as session:
        rows = rows_of(session, Opportunity, as_of)
        for answers, holds in FILTERS.values():
            wanted = [row for row in rows if holds(row)]
            page = get_opportunities(session, OpportunityFilter(as_of=as_of, **answers), limit=limit)
            assert len(page.rows) == min(limit, len(wanted))
            assert page.totals.deals == len(wanted)
            assert page.totals.value == sum(row["expected_value"] or 0 for row in wanted)
            assert page.totals.weighted == weighted(wanted)
            assert page.totals.without_value == sum(row["expected_value"] is None for row in wanted)


def weighted(rows):
    """Rounded once, after everything open was added up."""
    exact = sum(
        (row["expected_value"] or 0) * row["probability"] / Decimal(100)
        for row in rows
        if row["stage"] in OPEN_STAGES
    )
    return Decimal(exact).quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_weighted_values_are_rounded_once(session, make):
    for _ in range(3):
        make.opportunity(expected_value=Decimal("0.01"), probability=50)

    assert get_opportunities(session).totals.weighted == Decimal("0.02")


def test_totals_of_unknown_values_are_zero_and_say_so(session, make):
    make.opportunity()
    make.won()

    totals = get_opportunities(session).totals

    assert (totals.deals, totals.value, totals.weighted, totals.without_value) == (2, 0, 0, 2)


def test_the_most_valuable_deals_come_first_unless_asked_otherwise(session, make):
    small, large = make.opportunity(expected_value=Decimal(1)), make.opportunity(expected_value=Decimal(2))
    unknown = make.opportunity()

    assert [row.id for row in get_opportunities(session).rows] == [large.id, small.id, unknown.id]


def test_a_page_has_fifty_rows_unless_asked_otherwise(session, make):
    for _ in range(51):
        make.opportunity()

    page = get_opportunities(session)

    assert (len(page.rows), page.totals.deals) == (50, 51)


@pytest.mark.parametrize("sort", OpportunitySort)
def test_pages_in_any_order_hold_every_deal_once(session, make, sort):
    company, owner = make.company(), make.user()
    for number in range(7):
        whose = {"company_id": company.id, "owner_id": owner.id} if number % 2 else {}
        make.opportunity(name="Deal", expected_value=Decimal(number // 3) if number else None, **whose)

    pages = [get_rows(session, sort=sort, limit=3, offset=offset) for offset in (0, 3, 6)]

    assert sorted(deal.id for page in pages for deal in page) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("sort", [OpportunitySort.VALUE, OpportunitySort.VALUE_DESCENDING])
def test_unknown_values_come_last(session, make, sort):
    for value in (None, 5, 3):
        make.opportunity(expected_value=value and Decimal(value))

    values = [deal.expected_value for deal in get_rows(session, sort=sort)]

    assert values == ([3, 5, None] if sort is OpportunitySort.VALUE else [5, 3, None])


def test_a_list_shows_the_names_of_company_and_owner(session, make):
    make.opportunity(company_id=make.company("Acme").id, owner_id=make.user("Rita Rep").id)

    (deal,) = get_rows(session)

    assert (deal.company_name, deal.owner_name) == ("Acme", "Rita Rep")


@pytest.mark.parametrize("text", ["ROOF", "acme", "ada", "50%"])
def test_a_search_looks_at_deal_company_and_contact(session, make, text):
    company, contact = make.company("Acme"), make.contact("Ada Lovelace")
    wanted = make.opportunity(name="Solar roof 50%", company_id=company.id, contact_id=contact.id)
    make.opportunity(name="Wind park 500")

    found = get_rows(session, OpportunityFilter(text=text))

    assert [deal.id for deal in found] == [wanted.id]


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (201, 0), (10, -1)])
def test_a_page_has_a_sensible_size(session, limit, offset):
    with pytest.raises(InvalidInput):
        get_rows(session, limit=limit, offset=offset)
