"""What can be done with a company, what is refused, and in which words."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from crm_core import check
from crm_core.database import Database
from crm_core.errors import InvalidInput
from crm_core.filters import CompanyFilter
from crm_core.models import Company, Settings, User, Visibility
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.schemas.company import CompanyCreate, CompanyResponse, CompanyUpdate
from crm_core.schemas.contact import ContactUpdate
from crm_core.services.company_service import (
    CompanyIsInUse,
    assign_companies,
    count_companies,
    create_company,
    delete_company,
    get_companies,
    get_company,
    get_history,
    get_rows,
    restore_company,
    update_companies,
    update_company,
)
from crm_core.services.contact_service import delete_contact, update_contact
from crm_core.services.opportunity_service import delete_opportunity
from crm_core.services.records import (
    ChangedMeanwhile,
    NothingWasChanged,
    OwnerIsInactive,
    RecordNotFound,
    RequestOfSomebodyElse,
)
from crm_core.sorting import CompanySort
from tests.builders import Make, People
from tests.conftest import NOW

AN_HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)
THEN = NOW - 7 * A_DAY
NARROWED = [Visibility.TEAM, Visibility.OWN]


def test_a_new_company_has_what_was_said_about_it(session, make):
    owner = make.user()

    company = create_company(
        session, CompanyCreate(name="Acme", industry="Tools", country="France", owner_id=owner.id)
    )

    assert (company.name, company.industry, company.country) == ("Acme", "Tools", "France")
    assert (company.owner_id, company.version, company.created_at) == (owner.id, 1, NOW)


def test_a_request_sent_twice_creates_one_company(session):
    draft = CompanyCreate(name="Acme", request_id="r-1")

    assert create_company(session, draft) is create_company(session, draft)
    assert create_company(session, CompanyCreate(name="Acme", request_id="r-2")).id == 2


def test_a_company_belongs_only_to_somebody_who_works_here(session, make):
    gone = make.user("Gus Gone", is_active=False).id
    company = make.company()

    for owner_id, refusal in ((99, RecordNotFound), (gone, OwnerIsInactive)):
        with pytest.raises(refusal):
            create_company(session, CompanyCreate(name="Bolt", owner_id=owner_id))
        with pytest.raises(refusal):
            update_company(session, company.id, CompanyUpdate(name="Bolt", owner_id=owner_id))
        with pytest.raises(refusal):
            assign_companies(session, [company.id], owner_id=owner_id)

    assert (company.name, company.owner_id, count_companies(session)) == ("Acme", None, 1)


def test_a_new_companys_domain_follows_from_its_website_unless_it_is_given(session):
    follows = create_company(session, CompanyCreate(name="Acme", website="https://www.acme.io/about"))
    given = create_company(session, CompanyCreate(name="Acme", website="acme.io", domain="acme.com"))

    assert (follows.domain, given.domain) == ("acme.io", "acme.com")


@pytest.mark.parametrize(
    ("known", "changes", "domain"),
    [
        (None, {"website": "https://www.acme.io/about"}, "acme.io"),
        ("acme.com", {"website": "https://acme.io"}, "acme.com"),
        (None, {"website": "https://acme.io", "domain": "acme.org"}, "acme.org"),
        (None, {"website": "https://acme.io", "domain": None}, None),
        ("acme.com", {"website": "https://acme.io", "domain": None}, None),
        ("acme.com", {"website": None}, "acme.com"),
        (None, {"website": None}, None),
    ],
)
def test_a_new_website_gives_a_domain_only_where_there_is_none(session, make, known, changes, domain):
    company = make.company(website="https://acme.example", domain=known)

    update_company(session, company.id, CompanyUpdate(**changes))

    assert (company.website, company.domain) == (changes["website"], domain)


def test_what_is_not_sent_stays_and_null_empties(session, make):
    company = make.company(industry="Tools", country="France")

    update_company(session, company.id, CompanyUpdate(industry=None, name="Acme Ltd"))

    assert (company.name, company.industry, company.country) == ("Acme Ltd", None, "France")


def test_many_are_changed_together_or_not_at_all(session, make):
    companies = [make.company("Acme", industry="Tools"), make.company("Bolt")]
    ids, changes = [company.id for company in companies], CompanyUpdate(industry="Hardware")

    with pytest.raises(NothingWasChanged, match="1 of 3 can't be") as refused:
        update_companies(session, [*ids, 99], changes)
    assert list(refused.value.refusals) == [99]
    assert [company.industry for company in companies] == ["Tools", None]

    assert update_companies(session, ids, changes) == companies
    assert [company.industry for company in companies] == ["Hardware"] * 2


def test_many_are_given_to_one_owner_or_to_nobody(session, make):
    owner = make.user()
    ids = [make.company("Acme").id, make.company("Bolt").id]

    assert {company.owner_id for company in assign_companies(session, ids, owner_id=owner.id)} == {owner.id}
    assert {company.owner_id for company in assign_companies(session, ids, owner_id=None)} == {None}


def test_a_deleted_company_is_gone_until_it_is_restored(session, make):
    company = make.company()

    delete_company(session, company.id)
    with pytest.raises(RecordNotFound, match="There is no company 1; it may have been deleted"):
        get_company(session, company.id)
    assert (get_rows(session), count_companies(session), get_companies(session).total) == ([], 0, 0)

    restore_company(session, company.id)
    assert get_company(session, company.id) is company
    assert count_companies(session) == 1


def test_a_company_with_deals_or_contacts_is_not_deleted(session, make):
    company, other = make.company("Acme"), make.company("Bolt")
    deals = [make.opportunity(company_id=company.id), make.won(5, company_id=company.id)]
    contact = make.contact(company_id=company.id)
    make.opportunity(company_id=other.id)

    with pytest.raises(CompanyIsInUse, match=r"“Acme” still has 2 deals and 1 contact\. Merge it into"):
        delete_company(session, company.id)
    delete_opportunity(session, deals[0].id)
    with pytest.raises(CompanyIsInUse, match=r"“Acme” still has 1 deal and 1 contact\."):
        delete_company(session, company.id)
    delete_opportunity(session, deals[1].id)
    with pytest.raises(CompanyIsInUse, match=r"“Acme” still has 1 contact\."):
        delete_company(session, company.id)
    assert company.deleted_at is None

    update_contact(session, contact.id, ContactUpdate(company_id=other.id))
    delete_company(session, company.id)
    assert company.deleted_at == NOW


def test_what_was_deleted_before_its_company_does_not_keep_it(session, make):
    company = make.company()
    contact = make.contact(company_id=company.id)

    delete_contact(session, contact.id)

    assert delete_company(session, company.id).deleted_at == NOW


@pytest.mark.parametrize("visibility", NARROWED)
def test_deals_that_the_actor_may_not_see_keep_the_company_too(database, two, visibility):
    with database.write(at=THEN + AN_HOUR) as session:
        session.get_one(Settings, 1).visibility = visibility
        Make(session).opportunity(company_id=two.mine, owner_id=two.people.otto)

    writing = database.write(actor=two.people.rita, at=NOW)
    with writing as session, pytest.raises(CompanyIsInUse, match="1 deal"):
        delete_company(session, two.mine)
    assert versions(database) == {two.mine: 1, two.theirs: 1}


@pytest.mark.parametrize("company_id", [0, -1, 99, 2**31, 2**63])
def test_what_does_not_exist_is_not_found(session, company_id):
    for verb in (get_company, delete_company, restore_company, get_history):
        with pytest.raises(RecordNotFound):
            verb(session, company_id)


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (201, 0), (10, -1)])
def test_a_page_has_a_sensible_size(session, make, limit, offset):
    company = make.company()
    for ask in (get_companies, get_rows):
        with pytest.raises(InvalidInput):
            ask(session, limit=limit, offset=offset)
    with pytest.raises(InvalidInput):
        get_history(session, company.id, limit=limit, offset=offset)


@dataclass(frozen=True)
class Two:
    """Rita's company and Otto's, and who they are."""

    people: People
    mine: int
    theirs: int


@pytest.fixture
def two(database: Database) -> Two:
    with database.write(at=THEN) as session:
        make = Make(session)
        people = make.people()
        mine = make.company("Acme", owner_id=people.rita, request_id="r-1").id
        theirs = make.company("Bolt", owner_id=people.otto, request_id="r-2").id
    return Two(people, mine, theirs)


def versions(database: Database) -> dict[int, int]:
    with database.read() as session:
        return dict(session.execute(select(Company.id, Company.version)).all())


@pytest.mark.parametrize("visibility", NARROWED)
def test_what_belongs_to_another_team_is_not_found(database, two, visibility):
    with database.write(at=THEN + AN_HOUR) as session:
        session.get_one(Settings, 1).visibility = visibility
    changes = CompanyUpdate(name="Mine")

    with database.write(actor=two.people.rita, at=NOW) as session:
        for verb in (get_company, delete_company, restore_company, get_history):
            with pytest.raises(RecordNotFound, match=f"There is no company {two.theirs}"):
                verb(session, two.theirs)
        with pytest.raises(RecordNotFound):
            update_company(session, two.theirs, changes)
        with pytest.raises(NothingWasChanged, match=f"{two.theirs}: There is no company") as refused:
            update_companies(session, [two.mine, two.theirs], changes)
        assert "Bolt" not in str(refused.value)
        with pytest.raises(NothingWasChanged):
            assign_companies(session, [two.theirs], owner_id=two.people.rita)
        with pytest.raises(RequestOfSomebodyElse):
            create_company(session, CompanyCreate(name="Acme", request_id="r-2"))
        page = get_companies(session)

    assert ([company.id for company in page.rows], page.total) == ([two.mine], 1)
    assert versions(database) == {two.mine: 1, two.theirs: 1}


def test_what_belongs_to_somebody_else_is_only_read(database, two):
    with database.write(actor=two.people.rita, at=NOW) as session:
        for verb in (delete_company, restore_company):
            with pytest.raises(BelongsToSomebodyElse, match="“Bolt” belongs to Otto Other"):
                verb(session, two.theirs)
        with pytest.raises(BelongsToSomebodyElse):
            update_company(session, two.theirs, CompanyUpdate(name="Mine"))
        with pytest.raises(NothingWasChanged, match="Otto Other or an admin can change it"):
            assign_companies(session, [two.mine, two.theirs], owner_id=two.people.rita)
        assert get_company(session, two.theirs).name == "Bolt"
        assert count_companies(session) == 2

    assert versions(database) == {two.mine: 1, two.theirs: 1}


def test_who_saw_an_older_company_changes_nothing_and_is_told_who_did(database, two):
    with database.write(actor=two.people.rita, at=NOW - A_DAY) as session:
        update_company(session, two.mine, CompanyUpdate(industry="Tools"))
    with database.write(actor=two.people.mia, at=NOW - AN_HOUR) as session:
        update_company(session, two.mine, CompanyUpdate(country="France"))

    with database.write(actor=two.people.rita, at=NOW) as session:
        told = r"“Acme” was changed meanwhile by Mia Manager \(country\)"
        with pytest.raises(ChangedMeanwhile, match=told) as refused:
            update_company(session, two.mine, CompanyUpdate(name="Bolt"), expected_version=2)
        assert refused.value.version == 3
        for verb in (delete_company, restore_company):
            with pytest.raises(ChangedMeanwhile):
                verb(session, two.mine, expected_version=2)
        seen = {two.mine: 2}
        with pytest.raises(NothingWasChanged, match="changed meanwhile by Mia Manager"):
            update_companies(session, [two.mine], CompanyUpdate(name="Bolt"), expected_versions=seen)
        with pytest.raises(NothingWasChanged):
            assign_companies(session, [two.mine], owner_id=None, expected_versions=seen)
    assert versions(database) == {two.mine: 3, two.theirs: 1}

    with database.write(actor=two.people.rita, at=NOW + AN_HOUR) as session:
        update_company(session, two.mine, CompanyUpdate(name="Bolt"), expected_version=3)
    assert versions(database) == {two.mine: 4, two.theirs: 1}


def test_the_history_of_a_company_tells_what_who_and_when_even_of_a_deleted_one(database, two):
    with database.write(actor=two.people.rita, at=NOW - AN_HOUR) as session:
        update_company(session, two.mine, CompanyUpdate(country="France"))
    with database.write(actor=two.people.mia, at=NOW) as session:
        delete_company(session, two.mine)

    with database.read(at=NOW) as session:
        deleted, changed, created = get_history(session, two.mine)
        assert get_history(session, two.mine, limit=1, offset=1) == [changed]

    assert [change.field for change in deleted.changes] == ["deleted_at"]
    assert [(change.field, change.before, change.after) for change in changed.changes] == [
        ("country", None, "France")
    ]
    assert (changed.actor_name, changed.at) == ("Rita Rep", NOW - AN_HOUR)
    assert ("name", None, "Acme") in [
        (change.field, change.before, change.after) for change in created.changes
    ]
    assert check.findings(database) == []


FIELDS = {
    "text": lambda company, wanted, _: any(
        wanted.lower() in (text or "").lower() for text in (company.name, company.domain)
    ),
    "owners": lambda company, wanted, _: company.owner_id in wanted,
    "teams": lambda company, wanted, teams: teams.get(company.owner_id) in wanted,
    "created_from": lambda company, wanted, _: company.created_at.date() >= wanted,
    "created_to": lambda company, wanted, _: company.created_at.date() <= wanted,
    "industries": lambda company, wanted, _: company.industry in wanted,
    "countries": lambda company, wanted, _: company.country in wanted,
}
"""What each field of the filter means, in plain words of Python."""

WANTED = {
    "text": ["acme", "ÜBER", ".example", "100%", "nobody"],
    "owners": [{2}, {2, 4}, {99}],
    "teams": [{1}, {1, 2}, {99}],
    "created_from": [date(2026, 1, 5), date(2026, 1, 6), date(2027, 1, 1)],
    "created_to": [date(2026, 1, 5), date(2026, 1, 6), date(2025, 1, 1)],
    "industries": [{"Tools"}, {"Tools", "energy"}, {"TOOLS"}],
    "countries": [{"France"}, {"France", "Chile"}, {"france"}],
}

SHOWN_AS = {"owner": "owner_name", "created": "created_at", "changed": "updated_at"}


@dataclass(frozen=True)
class Many:
    """A database full of companies, and what it held a week ago."""

    database: Database
    then: list[CompanyResponse]
    teams: dict[int, int | None]


@pytest.fixture
def many(database: Database) -> Many:
    chance = random.Random(4)
    with database.write(at=THEN) as session:
        make = Make(session)
        people = make.people()
        for _ in range(21):
            some_company(make, chance, [None, people.rita, people.nora, people.otto])
        teams = dict(session.execute(select(User.id, User.team_id)).all())
        then = get_rows(session, limit=200)
    with database.write(at=NOW - A_DAY) as session:
        for company in chance.sample(list(session.scalars(select(Company).order_by(Company.id))), 8):
            changes = CompanyUpdate(name="New", owner_id=people.mia, industry="energy", country=None)
            update_company(session, company.id, changes)
        for company in chance.sample(list(session.scalars(select(Company).order_by(Company.id))), 3):
            delete_company(session, company.id)
    return Many(database, then, teams)


def some_company(make: Make, chance: random.Random, owners: list[int | None]) -> None:
    make.company(
        chance.choice(["Acme", "acme Labs", "Über & Co", "100% sure", "1000 suns"]),
        domain=chance.choice([None, "acme.example", "suns.example"]),
        industry=chance.choice([None, "Tools", "energy"]),
        country=chance.choice([None, "France", "Chile"]),
        owner_id=chance.choice(owners),
        created_at=datetime(2026, 1, 6, tzinfo=UTC)
        + chance.choice([-A_DAY, timedelta(microseconds=-1), timedelta(0), AN_HOUR]),
    )


def in_order(rows: list[CompanyResponse], sort: CompanySort) -> list[CompanyResponse]:
    """Known values first, in the order people expect; equals by id, the same way round."""

    def value(row: CompanyResponse) -> object:
        found = getattr(row, SHOWN_AS.get(sort.column, sort.column))
        return found.lower() if isinstance(found, str) else found

    known = [row for row in rows if value(row) is not None]
    known.sort(key=lambda row: (value(row), row.id), reverse=sort.is_descending)
    unknown = [row for row in rows if value(row) is None]
    return known + sorted(unknown, key=lambda row: row.id, reverse=sort.is_descending)


def test_each_order_puts_the_unknown_last_and_each_page_goes_on_where_the_last_one_ended(many):
    with many.database.read(at=NOW) as session:
        every = get_rows(session, limit=200)
        for sort in CompanySort:
            expected = [company.id for company in in_order(every, sort)]
            pages = [get_companies(session, sort=sort, limit=7, offset=offset) for offset in range(0, 21, 7)]
            assert (sort, [company.id for page in pages for company in page.rows]) == (sort, expected)
            assert {page.total for page in pages} == {len(every)} == {18}


def test_each_field_of_the_filter_lets_through_what_it_says_now_and_then(many):
    assert {*FIELDS, "as_of"} == set(CompanyFilter.model_fields)
    telling, changed = set(), set()
    with many.database.read(at=NOW) as session:
        now = get_rows(session, limit=200)
        for field, holds in FIELDS.items():
            for wanted in WANTED[field]:
                found = []
                for at, rows in ((None, now), (THEN, many.then)):
                    where = CompanyFilter(**{field: wanted}, as_of=at)
                    expected = {row.id for row in rows if holds(row, wanted, many.teams)}
                    found.append({row.id for row in get_rows(session, where, limit=200)})
                    assert (field, wanted, at, found[-1]) == (field, wanted, at, expected)
                    assert count_companies(session, where) == len(expected)
                telling |= {field} if 0 < len(found[0]) < len(now) else set()
                changed |= {field} if found[0] != found[1] else set()
    assert telling == set(FIELDS) == changed


def test_a_list_of_the_past_is_the_list_that_was_seen_then(many):
    with many.database.read(at=NOW) as session:
        assert get_rows(session, CompanyFilter(as_of=THEN), limit=200) == many.then
        assert get_rows(session, CompanyFilter(as_of=THEN - AN_HOUR)) == []
        assert get_companies(session, limit=1).total == 18
        assert get_companies(session, CompanyFilter(as_of=THEN), limit=1).total == 21


def test_a_list_shows_the_names_of_owners(session, make):
    make.company(owner_id=make.user("Rita Rep").id)

    (company,) = get_companies(session).rows

    assert company.owner_name == "Rita Rep"
