"""What can be done with a contact, what is refused, and in which words."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from crm_core import check
from crm_core.database import Database
from crm_core.errors import InvalidInput
from crm_core.filters import ContactFilter
from crm_core.models import Company, Contact, Settings, User, Visibility
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.schemas.contact import ContactCreate, ContactResponse, ContactUpdate
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services.company_service import delete_company, restore_company
from crm_core.services.contact_service import (
    ContactIsInUse,
    assign_contacts,
    count_contacts,
    create_contact,
    delete_contact,
    get_contact,
    get_contacts,
    get_history,
    get_rows,
    restore_contact,
    update_contact,
    update_contacts,
)
from crm_core.services.opportunity_service import delete_opportunity, update_opportunity
from crm_core.services.records import (
    BelongsToDeleted,
    ChangedMeanwhile,
    NothingWasChanged,
    OwnerIsInactive,
    RecordNotFound,
    RequestOfSomebodyElse,
)
from crm_core.sorting import ContactSort
from tests.builders import Make, People
from tests.conftest import NOW

AN_HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)
THEN = NOW - 7 * A_DAY
NARROWED = [Visibility.TEAM, Visibility.OWN]


def test_a_new_contact_has_what_was_said_about_it(session, make):
    owner, company = make.user(), make.company()
    draft = ContactCreate(name="Ada", email="ada@acme.example", company_id=company.id, owner_id=owner.id)

    contact = create_contact(session, draft)

    assert (contact.name, contact.email, contact.company_id) == ("Ada", "ada@acme.example", company.id)
    assert (contact.owner_id, contact.version, contact.created_at) == (owner.id, 1, NOW)


def test_a_request_sent_twice_creates_one_contact(session):
    draft = ContactCreate(name="Ada", request_id="r-1")

    assert create_contact(session, draft) is create_contact(session, draft)
    assert create_contact(session, ContactCreate(name="Ada", request_id="r-2")).id == 2


def test_a_contact_belongs_only_to_what_is_there(session, make):
    gone = make.user("Gus Gone", is_active=False).id
    deleted = make.company("Bolt", deleted_at=NOW).id
    contact = make.contact("Ada Lovelace")
    wrong = [
        ({"owner_id": 99}, RecordNotFound),
        ({"owner_id": gone}, OwnerIsInactive),
        ({"company_id": 99}, RecordNotFound),
        ({"company_id": deleted}, RecordNotFound),
    ]

    for answers, refusal in wrong:
        with pytest.raises(refusal):
            create_contact(session, ContactCreate(name="Bob", **answers))
        with pytest.raises(refusal):
            update_contact(session, contact.id, ContactUpdate(name="Bob", **answers))
        with pytest.raises(NothingWasChanged):
            update_contacts(session, [contact.id], ContactUpdate(name="Bob", **answers))
    with pytest.raises(OwnerIsInactive):
        assign_contacts(session, [contact.id], owner_id=gone)

    assert (contact.name, contact.company_id, contact.owner_id) == ("Ada Lovelace", None, None)
    assert count_contacts(session) == 1


def test_what_is_not_sent_stays_and_null_empties(session, make):
    contact = make.contact(phone="123", job_title="Countess", company_id=make.company().id)

    update_contact(session, contact.id, ContactUpdate(phone=None, name="Ada King", company_id=None))

    assert (contact.name, contact.phone, contact.job_title) == ("Ada King", None, "Countess")
    assert contact.company_id is None


def test_many_are_changed_together_or_not_at_all(session, make):
    contacts, company = [make.contact("Ada", phone="1"), make.contact("Bob")], make.company()
    ids, changes = [contact.id for contact in contacts], ContactUpdate(company_id=company.id, phone=None)

    with pytest.raises(NothingWasChanged, match="1 of 3 can't be") as refused:
        update_contacts(session, [*ids, 99], changes)
    assert list(refused.value.refusals) == [99]
    assert [(contact.company_id, contact.phone) for contact in contacts] == [(None, "1"), (None, None)]

    assert update_contacts(session, ids, changes) == contacts
    assert [(contact.company_id, contact.phone) for contact in contacts] == [(company.id, None)] * 2


def test_many_are_given_to_one_owner_or_to_nobody(session, make):
    owner = make.user()
    ids = [make.contact("Ada").id, make.contact("Bob").id]

    assert {contact.owner_id for contact in assign_contacts(session, ids, owner_id=owner.id)} == {owner.id}
    assert {contact.owner_id for contact in assign_contacts(session, ids, owner_id=None)} == {None}


def test_a_deleted_contact_is_gone_until_it_is_restored(session, make):
    contact = make.contact()

    delete_contact(session, contact.id)
    with pytest.raises(RecordNotFound, match="There is no contact 1; it may have been deleted"):
        get_contact(session, contact.id)
    assert (get_rows(session), count_contacts(session), get_contacts(session).total) == ([], 0, 0)

    restore_contact(session, contact.id)
    assert get_contact(session, contact.id) is contact
    assert count_contacts(session) == 1


def test_a_contact_on_deals_is_not_deleted(session, make):
    contact, other = make.contact("Ada Lovelace"), make.contact("Bob Stone")
    deals = [make.opportunity(contact_id=contact.id), make.won(5, contact_id=contact.id)]
    make.opportunity(contact_id=other.id)

    with pytest.raises(ContactIsInUse, match=r"“Ada Lovelace” is still on 2 deals\. Merge it into another"):
        delete_contact(session, contact.id)
    delete_opportunity(session, deals[0].id)
    with pytest.raises(ContactIsInUse, match=r"“Ada Lovelace” is still on 1 deal\."):
        delete_contact(session, contact.id)
    assert contact.deleted_at is None

    update_opportunity(session, deals[1].id, OpportunityUpdate(contact_id=None))
    delete_contact(session, contact.id)
    assert contact.deleted_at == NOW


def test_a_contact_comes_back_only_to_a_company_that_is_there(session, make):
    company = make.company("Acme")
    contact = make.contact("Ada Lovelace", company_id=company.id)
    delete_contact(session, contact.id)
    delete_company(session, company.id)

    with pytest.raises(BelongsToDeleted, match="“Ada Lovelace” belongs to the company “Acme”, which was"):
        restore_contact(session, contact.id)
    assert contact.deleted_at == NOW

    restore_company(session, company.id)
    assert restore_contact(session, contact.id).deleted_at is None


@pytest.mark.parametrize("visibility", NARROWED)
def test_deals_that_the_actor_may_not_see_keep_the_contact_too(database, two, visibility):
    with database.write(at=THEN + AN_HOUR) as session:
        session.get_one(Settings, 1).visibility = visibility
        Make(session).opportunity(contact_id=two.mine, owner_id=two.people.otto)

    writing = database.write(actor=two.people.rita, at=NOW)
    with writing as session, pytest.raises(ContactIsInUse, match="1 deal"):
        delete_contact(session, two.mine)
    assert versions(database) == {two.mine: 1, two.theirs: 1}


@pytest.mark.parametrize("contact_id", [0, -1, 99, 2**31, 2**63])
def test_what_does_not_exist_is_not_found(session, contact_id):
    for verb in (get_contact, delete_contact, restore_contact, get_history):
        with pytest.raises(RecordNotFound):
            verb(session, contact_id)


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (201, 0), (10, -1)])
def test_a_page_has_a_sensible_size(session, make, limit, offset):
    contact = make.contact()
    for ask in (get_contacts, get_rows):
        with pytest.raises(InvalidInput):
            ask(session, limit=limit, offset=offset)
    with pytest.raises(InvalidInput):
        get_history(session, contact.id, limit=limit, offset=offset)


@dataclass(frozen=True)
class Two:
    """Rita's contact and Otto's, and who they are."""

    people: People
    mine: int
    theirs: int


@pytest.fixture
def two(database: Database) -> Two:
    with database.write(at=THEN) as session:
        make = Make(session)
        people = make.people()
        mine = make.contact("Ada Lovelace", owner_id=people.rita, request_id="r-1").id
        theirs = make.contact("Bob Stone", owner_id=people.otto, request_id="r-2").id
    return Two(people, mine, theirs)


def versions(database: Database) -> dict[int, int]:
    with database.read() as session:
        return dict(session.execute(select(Contact.id, Contact.version)).all())


@pytest.mark.parametrize("visibility", NARROWED)
def test_what_belongs_to_another_team_is_not_found(database, two, visibility):
    with database.write(at=THEN + AN_HOUR) as session:
        session.get_one(Settings, 1).visibility = visibility
        out_of_sight = Make(session).company("Bolt", owner_id=two.people.otto).id
    changes = ContactUpdate(name="Mine")

    with database.write(actor=two.people.rita, at=NOW) as session:
        for verb in (get_contact, delete_contact, restore_contact, get_history):
            with pytest.raises(RecordNotFound, match=f"There is no contact {two.theirs}"):
                verb(session, two.theirs)
        with pytest.raises(RecordNotFound):
            update_contact(session, two.theirs, changes)
        with pytest.raises(RecordNotFound, match=f"There is no company {out_of_sight}"):
            update_contact(session, two.mine, ContactUpdate(company_id=out_of_sight))
        with pytest.raises(NothingWasChanged, match=f"{two.theirs}: There is no contact") as refused:
            update_contacts(session, [two.mine, two.theirs], changes)
        assert "Stone" not in str(refused.value)
        with pytest.raises(NothingWasChanged):
            assign_contacts(session, [two.theirs], owner_id=two.people.rita)
        with pytest.raises(RequestOfSomebodyElse):
            create_contact(session, ContactCreate(name="Ada", request_id="r-2"))
        page = get_contacts(session)

    assert ([contact.id for contact in page.rows], page.total) == ([two.mine], 1)
    assert versions(database) == {two.mine: 1, two.theirs: 1}


def test_what_belongs_to_somebody_else_is_only_read(database, two):
    with database.write(actor=two.people.rita, at=NOW) as session:
        for verb in (delete_contact, restore_contact):
            with pytest.raises(BelongsToSomebodyElse, match="“Bob Stone” belongs to Otto Other"):
                verb(session, two.theirs)
        with pytest.raises(BelongsToSomebodyElse):
            update_contact(session, two.theirs, ContactUpdate(name="Mine"))
        with pytest.raises(NothingWasChanged, match="Otto Other or an admin can change it"):
            assign_contacts(session, [two.mine, two.theirs], owner_id=two.people.rita)
        assert get_contact(session, two.theirs).name == "Bob Stone"
        assert count_contacts(session) == 2

    assert versions(database) == {two.mine: 1, two.theirs: 1}


def test_who_saw_an_older_contact_changes_nothing_and_is_told_who_did(database, two):
    with database.write(actor=two.people.rita, at=NOW - A_DAY) as session:
        update_contact(session, two.mine, ContactUpdate(job_title="Countess"))
    with database.write(actor=two.people.mia, at=NOW - AN_HOUR) as session:
        update_contact(session, two.mine, ContactUpdate(phone="123"))

    with database.write(actor=two.people.rita, at=NOW) as session:
        told = r"“Ada Lovelace” was changed meanwhile by Mia Manager \(phone\)"
        with pytest.raises(ChangedMeanwhile, match=told) as refused:
            update_contact(session, two.mine, ContactUpdate(name="Bob"), expected_version=2)
        assert refused.value.version == 3
        for verb in (delete_contact, restore_contact):
            with pytest.raises(ChangedMeanwhile):
                verb(session, two.mine, expected_version=2)
        seen = {two.mine: 2}
        with pytest.raises(NothingWasChanged, match="changed meanwhile by Mia Manager"):
            update_contacts(session, [two.mine], ContactUpdate(name="Bob"), expected_versions=seen)
        with pytest.raises(NothingWasChanged):
            assign_contacts(session, [two.mine], owner_id=None, expected_versions=seen)
    assert versions(database) == {two.mine: 3, two.theirs: 1}

    with database.write(actor=two.people.rita, at=NOW + AN_HOUR) as session:
        update_contact(session, two.mine, ContactUpdate(name="Bob"), expected_version=3)
    assert versions(database) == {two.mine: 4, two.theirs: 1}


def test_the_history_of_a_contact_tells_what_who_and_when_even_of_a_deleted_one(database, two):
    with database.write(actor=two.people.rita, at=NOW - AN_HOUR) as session:
        update_contact(session, two.mine, ContactUpdate(phone="123"))
    with database.write(actor=two.people.mia, at=NOW) as session:
        delete_contact(session, two.mine)

    with database.read(at=NOW) as session:
        deleted, changed, created = get_history(session, two.mine)
        assert get_history(session, two.mine, limit=1, offset=1) == [changed]

    assert [change.field for change in deleted.changes] == ["deleted_at"]
    assert [(change.field, change.before, change.after) for change in changed.changes] == [
        ("phone", None, "123")
    ]
    assert (changed.actor_name, changed.at) == ("Rita Rep", NOW - AN_HOUR)
    assert ("name", None, "Ada Lovelace") in [
        (change.field, change.before, change.after) for change in created.changes
    ]
    assert check.findings(database) == []


FIELDS = {
    "text": lambda contact, wanted, _: any(
        wanted.lower() in (text or "").lower() for text in (contact.name, contact.email, contact.company_name)
    ),
    "owners": lambda contact, wanted, _: contact.owner_id in wanted,
    "teams": lambda contact, wanted, teams: teams.get(contact.owner_id) in wanted,
    "created_from": lambda contact, wanted, _: contact.created_at.date() >= wanted,
    "created_to": lambda contact, wanted, _: contact.created_at.date() <= wanted,
    "companies": lambda contact, wanted, _: contact.company_id in wanted,
}
"""What each field of the filter means, in plain words of Python."""

WANTED = {
    "text": ["ada", "STÖNE", "example", "sons", "moon", "100%", "nobody"],
    "owners": [{2}, {2, 4}, {99}],
    "teams": [{1}, {1, 2}, {99}],
    "created_from": [date(2026, 1, 5), date(2026, 1, 6), date(2027, 1, 1)],
    "created_to": [date(2026, 1, 5), date(2026, 1, 6), date(2025, 1, 1)],
    "companies": [{1}, {1, 2}, {99}],
}

SHOWN_AS = {
    "company": "company_name",
    "owner": "owner_name",
    "created": "created_at",
    "changed": "updated_at",
}


@dataclass(frozen=True)
class Many:
    """A database full of contacts, and what it held a week ago."""

    database: Database
    then: list[ContactResponse]
    teams: dict[int, int | None]


@pytest.fixture
def many(database: Database) -> Many:
    chance = random.Random(4)
    with database.write(at=THEN) as session:
        make = Make(session)
        people = make.people()
        companies = [make.company(name).id for name in ("Sun & Sons", "100% sure", "1000 suns")]
        for _ in range(21):
            owners = [None, people.rita, people.nora, people.otto]
            some_contact(make, chance, owners, [None, *companies])
        teams = dict(session.execute(select(User.id, User.team_id)).all())
        then = get_rows(session, limit=200)
    with database.write(at=NOW - A_DAY) as session:
        session.get_one(Company, companies[0]).name = "Moon Ltd"
        for contact in chance.sample(list(session.scalars(select(Contact).order_by(Contact.id))), 8):
            changes = ContactUpdate(name="New", owner_id=people.mia, company_id=companies[1])
            update_contact(session, contact.id, changes)
        for contact in chance.sample(list(session.scalars(select(Contact).order_by(Contact.id))), 3):
            delete_contact(session, contact.id)
    return Many(database, then, teams)


def some_contact(
    make: Make, chance: random.Random, owners: list[int | None], companies: list[int | None]
) -> None:
    make.contact(
        chance.choice(["Ada Lovelace", "ada king", "Bob Stöne"]),
        email=chance.choice([None, "ada@suns.example", "Bob@acme.example"]),
        job_title=chance.choice([None, "Buyer", "boss"]),
        company_id=chance.choice(companies),
        owner_id=chance.choice(owners),
        created_at=datetime(2026, 1, 6, tzinfo=UTC)
        + chance.choice([-A_DAY, timedelta(microseconds=-1), timedelta(0), AN_HOUR]),
    )


def in_order(rows: list[ContactResponse], sort: ContactSort) -> list[ContactResponse]:
    """Known values first, in the order people expect; equals by id, the same way round."""

    def value(row: ContactResponse) -> object:
        found = getattr(row, SHOWN_AS.get(sort.column, sort.column))
        return found.lower() if isinstance(found, str) else found

    known = [row for row in rows if value(row) is not None]
    known.sort(key=lambda row: (value(row), row.id), reverse=sort.is_descending)
    unknown = [row for row in rows if value(row) is None]
    return known + sorted(unknown, key=lambda row: row.id, reverse=sort.is_descending)


def test_each_order_puts_the_unknown_last_and_each_page_goes_on_where_the_last_one_ended(many):
    with many.database.read(at=NOW) as session:
        every = get_rows(session, limit=200)
        for sort in ContactSort:
            expected = [contact.id for contact in in_order(every, sort)]
            pages = [get_contacts(session, sort=sort, limit=7, offset=offset) for offset in range(0, 21, 7)]
            assert (sort, [contact.id for page in pages for contact in page.rows]) == (sort, expected)
            assert {page.total for page in pages} == {len(every)} == {18}


def test_each_field_of_the_filter_lets_through_what_it_says_now_and_then(many):
    assert {*FIELDS, "as_of"} == set(ContactFilter.model_fields)
    telling, changed = set(), set()
    with many.database.read(at=NOW) as session:
        now = get_rows(session, limit=200)
        for field, holds in FIELDS.items():
            for wanted in WANTED[field]:
                found = []
                for at, rows in ((None, now), (THEN, many.then)):
                    where = ContactFilter(**{field: wanted}, as_of=at)
                    expected = {row.id for row in rows if holds(row, wanted, many.teams)}
                    found.append({row.id for row in get_rows(session, where, limit=200)})
                    assert (field, wanted, at, found[-1]) == (field, wanted, at, expected)
                    assert count_contacts(session, where) == len(expected)
                telling |= {field} if 0 < len(found[0]) < len(now) else set()
                changed |= {field} if found[0] != found[1] else set()
    assert telling == set(FIELDS) == changed


def test_a_list_of_the_past_is_the_list_that_was_seen_then(many):
    with many.database.read(at=NOW) as session:
        assert get_rows(session, ContactFilter(as_of=THEN), limit=200) == many.then
        assert get_rows(session, ContactFilter(as_of=THEN - AN_HOUR)) == []
        assert get_contacts(session, limit=1).total == 18
        assert get_contacts(session, ContactFilter(as_of=THEN), limit=1).total == 21


def test_a_list_shows_the_names_of_companies_and_owners(session, make):
    make.contact(company_id=make.company("Acme").id, owner_id=make.user("Rita Rep").id)

    (contact,) = get_contacts(session).rows

    assert (contact.company_name, contact.owner_name) == ("Acme", "Rita Rep")
