"""What can be done with a lead, what is refused, and in which words."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from crm_core import check
from crm_core.database import Database
from crm_core.errors import InvalidInput
from crm_core.filters import LeadFilter
from crm_core.models import Lead, LeadStatus, Settings, User, Visibility
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.schemas.lead import LeadCreate, LeadResponse, LeadUpdate
from crm_core.services.lead_service import (
    ConvertedNeedsConversion,
    LeadIsConverted,
    assign_leads,
    count_leads,
    create_lead,
    delete_lead,
    find_lead_ids,
    get_history,
    get_lead,
    get_leads,
    get_rows,
    get_sources,
    restore_lead,
    update_lead,
    update_leads,
)
from crm_core.services.records import (
    ChangedMeanwhile,
    NothingWasChanged,
    OwnerIsInactive,
    RecordNotFound,
    RequestOfSomebodyElse,
)
from crm_core.sorting import LeadSort
from tests.builders import Make, People
from tests.conftest import NOW

AN_HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)
THEN = NOW - 7 * A_DAY
CONVERTED = LeadStatus.CONVERTED
FREE = [status for status in LeadStatus if status is not CONVERTED]
NARROWED = [Visibility.TEAM, Visibility.OWN]


@pytest.fixture
def converted(make) -> Lead:
    return make.lead("Grace Hopper", status=CONVERTED, converted_at=NOW, opportunity_id=make.opportunity().id)


def test_a_new_lead_has_what_was_said_about_it(session, make):
    owner = make.user()
    draft = LeadCreate(
        name="Grace Hopper", company_name="Navy", email="grace@navy.example", estimated_value="12.50"
    )

    lead = create_lead(session, draft.model_copy(update={"owner_id": owner.id}))

    assert (lead.name, lead.company_name, lead.email) == ("Grace Hopper", "Navy", "grace@navy.example")
    assert (lead.estimated_value, lead.owner_id) == (Decimal("12.50"), owner.id)
    assert (lead.status, lead.version, lead.created_at) == (LeadStatus.NEW, 1, NOW)


def test_a_request_sent_twice_creates_one_lead(session):
    draft = LeadCreate(name="Grace Hopper", request_id="r-1")

    assert create_lead(session, draft) is create_lead(session, draft)
    assert create_lead(session, LeadCreate(name="Grace Hopper", request_id="r-2")).id == 2


def test_a_lead_belongs_only_to_somebody_who_works_here(session, make):
    gone = make.user("Gus Gone", is_active=False).id
    lead = make.lead()

    for owner_id, refusal in ((99, RecordNotFound), (gone, OwnerIsInactive)):
        with pytest.raises(refusal):
            create_lead(session, LeadCreate(name="Ada", owner_id=owner_id))
        with pytest.raises(refusal):
            update_lead(session, lead.id, LeadUpdate(name="Ada", owner_id=owner_id))
        with pytest.raises(refusal):
            assign_leads(session, [lead.id], owner_id=owner_id)

    assert (lead.name, lead.owner_id, count_leads(session)) == ("Grace Hopper", None, 1)


def test_what_is_not_sent_stays_and_null_empties(session, make):
    lead = make.lead(phone="123", job_title="Admiral")

    update_lead(session, lead.id, LeadUpdate(phone=None, name="Grace B. Hopper"))

    assert (lead.name, lead.phone, lead.job_title) == ("Grace B. Hopper", None, "Admiral")


@pytest.mark.parametrize("here", FREE)
def test_the_status_of_a_lead_is_free_until_it_is_converted(session, make, here):
    for there in FREE:
        lead = make.lead(status=here)
        update_lead(session, lead.id, LeadUpdate(status=there))
        assert lead.status is there


def test_only_a_conversion_converts(session, make):
    lead = make.lead("Grace Hopper", status=LeadStatus.QUALIFIED)

    with pytest.raises(ConvertedNeedsConversion, match="A status can't convert “Ada”"):
        create_lead(session, LeadCreate(name="Ada", status=CONVERTED))
    with pytest.raises(ConvertedNeedsConversion, match="“Grace Hopper”"):
        update_lead(session, lead.id, LeadUpdate(status=CONVERTED, phone="123"))
    with pytest.raises(NothingWasChanged, match="A status can't convert “Grace Hopper”"):
        update_leads(session, [lead.id], LeadUpdate(status=CONVERTED))

    assert (lead.status, lead.phone, count_leads(session)) == (LeadStatus.QUALIFIED, None, 1)


def test_a_converted_lead_keeps_its_status(session, converted):
    for status in FREE:
        with pytest.raises(LeadIsConverted, match="“Grace Hopper” was converted, so its status stays"):
            update_lead(session, converted.id, LeadUpdate(status=status, phone="123"))

    assert (converted.status, converted.phone) == (CONVERTED, None)


def test_the_words_of_a_converted_lead_can_be_corrected(session, converted):
    update_lead(session, converted.id, LeadUpdate(name="Grace B. Hopper", phone="123", status=CONVERTED))

    assert (converted.name, converted.phone, converted.status) == ("Grace B. Hopper", "123", CONVERTED)


def test_many_are_changed_together_or_not_at_all(session, make, converted):
    free = [make.lead("Ada", phone="1"), make.lead("Bob", phone="2")]
    changes = LeadUpdate(status=LeadStatus.CONTACTED, phone=None)

    with pytest.raises(NothingWasChanged, match="“Grace Hopper”: “Grace Hopper” was converted") as refused:
        update_leads(session, [lead.id for lead in (*free, converted)], changes)
    assert isinstance(refused.value.refusals[converted.id], LeadIsConverted)
    assert [(lead.status, lead.phone) for lead in free] == [(LeadStatus.NEW, "1"), (LeadStatus.NEW, "2")]

    assert update_leads(session, [lead.id for lead in free], changes) == free
    assert [(lead.status, lead.phone) for lead in free] == [(LeadStatus.CONTACTED, None)] * 2


def test_many_are_given_to_one_owner_or_to_nobody(session, make, converted):
    owner, lead = make.user(), make.lead()
    ids = [lead.id, converted.id]

    assert {lead.owner_id for lead in assign_leads(session, ids, owner_id=owner.id)} == {owner.id}
    assert {lead.owner_id for lead in assign_leads(session, ids, owner_id=None)} == {None}
    with pytest.raises(NothingWasChanged, match="There is no lead 99"):
        assign_leads(session, [lead.id, 99], owner_id=owner.id)
    assert lead.owner_id is None


def test_a_deleted_lead_is_gone_until_it_is_restored(session, make):
    lead = make.lead()

    delete_lead(session, lead.id)
    with pytest.raises(RecordNotFound, match="There is no lead 1; it may have been deleted"):
        get_lead(session, lead.id)
    with pytest.raises(RecordNotFound):
        update_lead(session, lead.id, LeadUpdate(name="Ada"))
    assert (get_rows(session), count_leads(session), get_leads(session).total) == ([], 0, 0)

    restore_lead(session, lead.id)
    assert get_lead(session, lead.id) is lead
    assert count_leads(session) == 1


def test_a_converted_lead_can_be_deleted_and_comes_back_converted(session, converted):
    delete_lead(session, converted.id)
    session.flush()
    restore_lead(session, converted.id)

    assert (converted.status, converted.opportunity_id) == (CONVERTED, 1)


@pytest.mark.parametrize("lead_id", [0, -1, 99, 2**31, 2**63])
def test_what_does_not_exist_is_not_found(session, lead_id):
    for verb in (get_lead, delete_lead, restore_lead, get_history):
        with pytest.raises(RecordNotFound):
            verb(session, lead_id)


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (201, 0), (10, -1)])
def test_a_page_has_a_sensible_size(session, make, limit, offset):
    lead = make.lead()
    for ask in (get_leads, get_rows):
        with pytest.raises(InvalidInput):
            ask(session, limit=limit, offset=offset)
    with pytest.raises(InvalidInput):
        get_history(session, lead.id, limit=limit, offset=offset)


@dataclass(frozen=True)
class Two:
    """Rita's lead and Otto's, and who they are."""

    people: People
    mine: int
    theirs: int


@pytest.fixture
def two(database: Database) -> Two:
    with database.write(at=THEN) as session:
        make = Make(session)
        people = make.people()
        mine = make.lead("Grace Hopper", owner_id=people.rita, request_id="r-1").id
        theirs = make.lead("Alan Turing", owner_id=people.otto, request_id="r-2").id
    return Two(people, mine, theirs)


def narrow(database: Database, visibility: Visibility) -> None:
    with database.write(at=THEN + AN_HOUR) as session:
        session.get_one(Settings, 1).visibility = visibility


def versions(database: Database) -> dict[int, int]:
    with database.read() as session:
        return dict(session.execute(select(Lead.id, Lead.version)).all())


@pytest.mark.parametrize("visibility", NARROWED)
def test_what_belongs_to_another_team_is_not_found(database, two, visibility):
    narrow(database, visibility)
    changes = LeadUpdate(name="Mine")

    with database.write(actor=two.people.rita, at=NOW) as session:
        for verb in (get_lead, delete_lead, restore_lead, get_history):
            with pytest.raises(RecordNotFound, match=f"There is no lead {two.theirs}"):
                verb(session, two.theirs)
        with pytest.raises(RecordNotFound):
            update_lead(session, two.theirs, changes)
        with pytest.raises(NothingWasChanged, match=f"{two.theirs}: There is no lead") as refused:
            update_leads(session, [two.mine, two.theirs], changes)
        assert "Turing" not in str(refused.value)
        with pytest.raises(NothingWasChanged):
            assign_leads(session, [two.theirs], owner_id=two.people.rita)
        with pytest.raises(RequestOfSomebodyElse):
            create_lead(session, LeadCreate(name="Grace Hopper", request_id="r-2"))
        page = get_leads(session)

    assert ([lead.id for lead in page.rows], page.total) == ([two.mine], 1)
    assert versions(database) == {two.mine: 1, two.theirs: 1}


def test_what_belongs_to_somebody_else_is_only_read(database, two):
    with database.write(actor=two.people.rita, at=NOW) as session:
        for verb in (delete_lead, restore_lead):
            with pytest.raises(BelongsToSomebodyElse, match="“Alan Turing” belongs to Otto Other"):
                verb(session, two.theirs)
        with pytest.raises(BelongsToSomebodyElse):
            update_lead(session, two.theirs, LeadUpdate(name="Mine"))
        with pytest.raises(NothingWasChanged, match="Otto Other or an admin can change it"):
            assign_leads(session, [two.mine, two.theirs], owner_id=two.people.rita)
        assert get_lead(session, two.theirs).name == "Alan Turing"
        assert count_leads(session) == 2

    assert versions(database) == {two.mine: 1, two.theirs: 1}


def test_who_saw_an_older_lead_changes_nothing_and_is_told_who_did(database, two):
    with database.write(actor=two.people.rita, at=NOW - A_DAY) as session:
        update_lead(session, two.mine, LeadUpdate(job_title="Admiral"))
    with database.write(actor=two.people.mia, at=NOW - AN_HOUR) as session:
        update_lead(session, two.mine, LeadUpdate(phone="123"))

    with database.write(actor=two.people.rita, at=NOW) as session:
        told = r"“Grace Hopper” was changed meanwhile by Mia Manager \(phone\)"
        with pytest.raises(ChangedMeanwhile, match=told) as refused:
            update_lead(session, two.mine, LeadUpdate(name="Ada"), expected_version=2)
        assert refused.value.version == 3
        for verb in (delete_lead, restore_lead):
            with pytest.raises(ChangedMeanwhile):
                verb(session, two.mine, expected_version=2)
        seen = {two.mine: 2}
        with pytest.raises(NothingWasChanged, match="changed meanwhile by Mia Manager"):
            update_leads(session, [two.mine], LeadUpdate(name="Ada"), expected_versions=seen)
        with pytest.raises(NothingWasChanged):
            assign_leads(session, [two.mine], owner_id=None, expected_versions=seen)
    assert versions(database) == {two.mine: 3, two.theirs: 1}

    with database.write(actor=two.people.rita, at=NOW + AN_HOUR) as session:
        update_lead(session, two.mine, LeadUpdate(name="Ada"), expected_version=3)
    assert versions(database) == {two.mine: 4, two.theirs: 1}


def test_the_history_of_a_lead_tells_what_who_and_when_even_of_a_deleted_one(database, two):
    with database.write(actor=two.people.rita, at=NOW - AN_HOUR) as session:
        update_lead(session, two.mine, LeadUpdate(phone="123"))
    with database.write(actor=two.people.mia, at=NOW) as session:
        delete_lead(session, two.mine)

    with database.read(at=NOW) as session:
        deleted, changed, created = get_history(session, two.mine)
        assert get_history(session, two.mine, limit=1, offset=1) == [changed]

    assert [change.field for change in deleted.changes] == ["deleted_at"]
    assert [(change.field, change.before, change.after) for change in changed.changes] == [
        ("phone", None, "123")
    ]
    assert (changed.actor_name, changed.at) == ("Rita Rep", NOW - AN_HOUR)
    assert ("name", None, "Grace Hopper") in [
        (change.field, change.before, change.after) for change in created.changes
    ]
    assert check.findings(database) == []


FIELDS = {
    "text": lambda lead, wanted, _: any(
        wanted.lower() in (text or "").lower() for text in (lead.name, lead.company_name, lead.email)
    ),
    "owners": lambda lead, wanted, _: lead.owner_id in wanted,
    "teams": lambda lead, wanted, teams: teams.get(lead.owner_id) in wanted,
    "created_from": lambda lead, wanted, _: lead.created_at.date() >= wanted,
    "created_to": lambda lead, wanted, _: lead.created_at.date() <= wanted,
    "statuses": lambda lead, wanted, _: lead.status in wanted,
    "sources": lambda lead, wanted, _: lead.source in wanted,
}
"""What each field of the filter means, in plain words of Python."""

WANTED = {
    "text": ["grace", "ÜBER", "example", "100%", "nobody"],
    "owners": [{2}, {2, 4}, {99}],
    "teams": [{1}, {1, 2}, {99}],
    "created_from": [date(2026, 1, 5), date(2026, 1, 6), date(2027, 1, 1)],
    "created_to": [date(2026, 1, 5), date(2026, 1, 6), date(2025, 1, 1)],
    "statuses": [{LeadStatus.NEW}, {LeadStatus.CONTACTED, CONVERTED}],
    "sources": [{"web"}, {"web", "Fair"}, {"WEB"}],
}

SHOWN_AS = {
    "company": "company_name",
    "owner": "owner_name",
    "created": "created_at",
    "changed": "updated_at",
}


@dataclass(frozen=True)
class Many:
    """A database full of leads, and what it held a week ago."""

    database: Database
    then: list[LeadResponse]
    teams: dict[int, int | None]


@pytest.fixture
def many(database: Database) -> Many:
    chance = random.Random(4)
    with database.write(at=THEN) as session:
        make = Make(session)
        people = make.people()
        make.lead(status=CONVERTED, converted_at=THEN, opportunity_id=make.opportunity().id)
        for _ in range(20):
            some_lead(make, chance, [None, people.rita, people.nora, people.otto])
        teams = dict(session.execute(select(User.id, User.team_id)).all())
        then = get_rows(session, limit=200)
    with database.write(at=NOW - A_DAY) as session:
        for lead in chance.sample(
            list(session.scalars(select(Lead).where(Lead.status != CONVERTED).order_by(Lead.id))), 8
        ):
            changes = LeadUpdate(name="Newly named", company_name=None, owner_id=people.mia, source="Fair")
            update_lead(session, lead.id, changes)
        for lead in chance.sample(list(session.scalars(select(Lead).order_by(Lead.id))), 3):
            delete_lead(session, lead.id)
    return Many(database, then, teams)


def some_lead(make: Make, chance: random.Random, owners: list[int | None]) -> None:
    name = chance.choice(["Grace Hopper", "grace kelly", "Alan Turing"])
    make.lead(
        name,
        company_name=chance.choice([None, "Navy", "Über & Co", "100% sure", "1000 suns"]),
        email=chance.choice([None, "grace@navy.example", "Al@turing.example"]),
        source=chance.choice([None, "web", "Fair"]),
        status=chance.choice(FREE),
        estimated_value=chance.choice([None, Decimal(0), Decimal("9.50"), Decimal(10)]),
        owner_id=chance.choice(owners),
        created_at=datetime(2026, 1, 6, tzinfo=UTC)
        + chance.choice([-A_DAY, timedelta(microseconds=-1), timedelta(0), AN_HOUR]),
    )


def in_order(rows: list[LeadResponse], sort: LeadSort) -> list[LeadResponse]:
    """Known values first, in the order people expect; equals by id, the same way round."""

    def value(row: LeadResponse) -> object:
        found = getattr(row, SHOWN_AS.get(sort.column, sort.column))
        if isinstance(found, LeadStatus):
            return list(LeadStatus).index(found)
        return found.lower() if isinstance(found, str) else found

    known = [row for row in rows if value(row) is not None]
    known.sort(key=lambda row: (value(row), row.id), reverse=sort.is_descending)
    unknown = [row for row in rows if value(row) is None]
    return known + sorted(unknown, key=lambda row: row.id, reverse=sort.is_descending)


def test_each_order_puts_the_unknown_last_and_each_page_goes_on_where_the_last_one_ended(many):
    with many.database.read(at=NOW) as session:
        every = get_rows(session, limit=200)
        for sort in LeadSort:
            expected = [lead.id for lead in in_order(every, sort)]
            pages = [get_leads(session, sort=sort, limit=7, offset=offset) for offset in range(0, 21, 7)]
            assert (sort, [lead.id for page in pages for lead in page.rows]) == (sort, expected)
            assert {page.total for page in pages} == {len(every)} == {18}


def test_each_field_of_the_filter_lets_through_what_it_says_now_and_then(many):
    assert {*FIELDS, "as_of"} == set(LeadFilter.model_fields)
    telling, changed = set(), set()
    with many.database.read(at=NOW) as session:
        now = get_rows(session, limit=200)
        for field, holds in FIELDS.items():
            for wanted in WANTED[field]:
                found = []
                for at, rows in ((None, now), (THEN, many.then)):
                    where = LeadFilter(**{field: wanted}, as_of=at)
                    expected = {lead.id for lead in rows if holds(lead, wanted, many.teams)}
                    found.append({lead.id for lead in get_rows(session, where, limit=200)})
                    assert (field, wanted, at, found[-1]) == (field, wanted, at, expected)
                    assert count_leads(session, where) == len(expected)
                telling |= {field} if 0 < len(found[0]) < len(now) else set()
                changed |= {field} if found[0] != found[1] else set()
    assert telling == set(FIELDS) == changed


def test_a_list_of_the_past_is_the_list_that_was_seen_then(many):
    with many.database.read(at=NOW) as session:
        assert get_rows(session, LeadFilter(as_of=THEN), limit=200) == many.then
        assert get_rows(session, LeadFilter(as_of=THEN - AN_HOUR)) == []
        assert get_leads(session, limit=1).total == 18
        assert get_leads(session, LeadFilter(as_of=THEN), limit=1).total == 21


def test_the_keys_and_the_sources_of_leads_are_those_of_the_list(session, make):
    make.lead("Ada", source="Fair")
    for name in ("Bob", "Cid"):
        make.lead(name, source="Web")
    make.lead("Dan")
    make.lead("Eve", source="Gone", deleted_at=NOW)

    assert find_lead_ids(session, LeadFilter(sources={"Web"})) == [2, 3]
    assert find_lead_ids(session, LeadFilter()) == [1, 2, 3, 4]
    assert get_sources(session) == ["Web", "Fair"]


def test_a_list_shows_the_names_of_owners(session, make):
    make.lead(owner_id=make.user("Rita Rep").id)

    (lead,) = get_leads(session).rows

    assert lead.owner_name == "Rita Rep"
