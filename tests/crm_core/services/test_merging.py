"""Two companies, or two contacts, that turn out to be one."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_core import check
from crm_core.database import Database
from crm_core.errors import CrmError
from crm_core.filters import CompanyFilter, ContactFilter, OpportunityFilter, RecordFilter
from crm_core.models import (
    Base,
    Company,
    Contact,
    Note,
    Opportunity,
    Record,
    Role,
    Settings,
    Transaction,
    Visibility,
)
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.schemas.company import CompanyUpdate
from crm_core.schemas.contact import MOST_OTHERS, ContactUpdate
from crm_core.services import company_service, contact_service, note_service, opportunity_service
from crm_core.services.company_service import merge_companies
from crm_core.services.contact_service import merge_contacts
from crm_core.services.merging import MOVES, MergeWithItself, MovesWhatBelongsToOthers, TooManyOthers
from crm_core.services.records import ChangedMeanwhile, RecordNotFound
from tests.builders import Make, People
from tests.conftest import NOW
from tests.crm_core.importing.conftest import every_row
from tests.crm_core.services.refusals import refusal
from tests.forms import either

AN_HOUR = timedelta(hours=1)
MERGED = NOW + AN_HOUR
LATER = NOW + timedelta(minutes=1)
"""When something is changed between the beginning and the merge."""


@dataclass(frozen=True)
class Case:
    """One of the two kinds that can be merged, and its service."""

    model: type[Record]
    kind: str
    merge: Callable[..., Record]
    service: ModuleType
    where: type[RecordFilter[Any]]
    deals_where: str

    @property
    def pointer(self) -> str:
        return f"{self.kind}_id"

    def made(self, make: Make, name: str, **answers: Any) -> int:
        return getattr(make, self.kind)(name, **answers).id

    def names(self, session: Session, at: datetime | None = None) -> set[str]:
        """Who is in the list."""
        return {row.name for row in self.service.get_rows(session, self.where(as_of=at))}

    def count_deals(self, session: Session, whole: int, at: datetime | None = None) -> int:
        where = OpportunityFilter(as_of=at, **{self.deals_where: {whole}})
        return opportunity_service.count_opportunities(session, where)


CASES = [
    Case(Company, "company", merge_companies, company_service, CompanyFilter, "companies"),
    Case(Contact, "contact", merge_contacts, contact_service, ContactFilter, "contacts"),
]


@pytest.fixture(params=CASES, ids=lambda case: case.kind)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@dataclass(frozen=True)
class World:
    """Rita keeps “Acme” and merges “Acme Ltd” into it; “Bolt” has nothing to do with either."""

    database: Database
    people: People
    kept: int
    merged: int
    other: int


@pytest.fixture
def world(database: Database, case: Case) -> World:
    with database.write(at=NOW) as session:
        make = Make(session)
        people = make.people()
        kept, merged, other = (
            case.made(make, name, owner_id=people.rita) for name in ("Acme", "Acme Ltd", "Bolt")
        )
        for name, whole in (("Ours", kept), ("Theirs", merged), ("Other", other)):
            attach(make, case, name, whole, people.rita)
    return World(database, people, kept, merged, other)


def attach(make: Make, case: Case, name: str, whole: int, owner: int | None) -> None:
    """Everything that can point to a company or a contact: open, closed and deleted."""
    whose = {case.pointer: whole, "owner_id": owner}
    make.opportunity(name=f"{name}, open", expected_value=100, **whose)
    make.won(20, name=f"{name}, won", **whose)
    make.opportunity(name=f"{name}, deleted", deleted_at=NOW, **whose)
    make.note(f"{name}, a note", **{case.pointer: whole})
    if case.model is Company:
        make.contact(f"{name}, there", **whose)
        make.contact(f"{name}, gone", deleted_at=NOW, **whose)


def counted(session: Session, case: Case, whole: int) -> dict[str, int]:
    """How many rows of each table point to it, deleted ones too, and how many notes are read with it."""
    pointing = {
        kind.__tablename__: session.scalar(
            select(func.count()).select_from(kind).where(getattr(kind, case.pointer) == whole)
        )
        for kind in MOVES[case.model]
    }
    return pointing | {"notes": len(notes_of(session, case, whole))}


def notes_of(session: Session, case: Case, whole: int) -> list[str]:
    """The notes that are read with the record; none where it is deleted."""
    try:
        found = note_service.get_notes(session, **{case.pointer: whole})
    except RecordNotFound:
        return []
    return [note.text for note in found]


def merge(world: World, case: Case, actor: int | None = None) -> None:
    with world.database.write(actor=actor, at=MERGED) as session:
        assert case.merge(session, world.kept, world.merged).id == world.kept


def test_everything_that_points_to_the_second_points_to_the_first(world, case):
    each = {"contacts": 2, "opportunities": 3, "notes": 1}
    each = {table: count for table, count in each.items() if case.model is Company or table != "contacts"}
    with world.database.read(at=NOW) as session:
        ids = (world.kept, world.merged, world.other)
        assert [counted(session, case, whole) for whole in ids] == [each, each, each]
        before = totals_of(session)

    merge(world, case, world.people.rita)

    with world.database.read(at=MERGED) as session:
        assert counted(session, case, world.kept) == {table: 2 * count for table, count in each.items()}
        assert counted(session, case, world.merged) == dict.fromkeys(each, 0)
        assert counted(session, case, world.other) == each
        assert totals_of(session) == before
        assert case.count_deals(session, world.kept) == 4
    assert check.findings(world.database) == []


def totals_of(session: Session) -> list[Any]:
    """What does not depend on whose it is."""
    return [
        opportunity_service.get_opportunities(session).totals,
        session.scalar(select(func.count(Note.id))),
    ]


def test_whatever_can_point_to_a_company_or_a_contact_moves():
    """But for notes, which are read from where they are, and what was merged into it, which stays so."""
    pointing = {
        model: {
            (mapper.class_, column.name)
            for mapper in Base.registry.mappers
            for column in mapper.local_table.columns
            if any(key.column.table is model.__table__ for key in column.foreign_keys)
        }
        for model in MOVES
    }

    for case in CASES:
        moving = {(kind, case.pointer) for kind in MOVES[case.model]}
        assert pointing[case.model] == {*moving, (Note, case.pointer), (case.model, "merged_into_id")}


def test_the_second_is_deleted_and_the_first_stays(world, case):
    merge(world, case, world.people.rita)

    with world.database.read(at=MERGED) as session:
        kept, merged = (session.get_one(case.model, key) for key in (world.kept, world.merged))
        assert (kept.name, kept.deleted_at, kept.version) == ("Acme", None, 1)
        assert (merged.name, merged.deleted_at, merged.version) == ("Acme Ltd", MERGED, 2)
        assert {"Acme", "Acme Ltd", "Bolt"} & case.names(session) == {"Acme", "Bolt"}


def test_history_keeps_both_and_says_what_happened(world, case):
    merge(world, case, world.people.rita)

    with world.database.read(at=MERGED) as session:
        assert session.scalar(select(func.count(Transaction.id))) == 2
        deleted = case.service.get_history(session, world.merged)[0]
        deal = session.scalars(select(Opportunity).where(Opportunity.name == "Theirs, won")).one()
        moved = opportunity_service.get_history(session, deal.id)[0]
        assert {"Acme", "Acme Ltd"} <= case.names(session, at=NOW)
        assert [case.count_deals(session, world.merged, at) for at in (NOW, MERGED)] == [2, 0]
    for entry in (deleted, moved):
        assert (entry.note, entry.at, entry.actor_name) == (
            "Merged “Acme Ltd” into “Acme”",
            MERGED,
            "Rita Rep",
        )
    assert [change.field for change in deleted.changes] == ["deleted_at"]
    assert [(change.field, change.before_name, change.after_name) for change in moved.changes] == [
        (case.pointer, "Acme Ltd", "Acme")
    ]


FILLABLE = {
    Company: {
        "website": ("https://acme.io", "https://acme.com"),
        "domain": ("acme.io", "acme.com"),
        "industry": ("Tools", "Hardware"),
        "country": ("France", "Chile"),
        "description": ("Old", "New"),
    },
    Contact: {
        "email": ("ada@acme.io", "ada@acme.com"),
        "phone": ("123", "456"),
        "job_title": ("Countess", "Engineer"),
    },
}
"""Fields with a value each for the first and the second."""


@pytest.mark.parametrize("empty", [None, ""])
def test_what_the_first_has_empty_is_taken_from_the_second(session, make, case, empty):
    fields, owner = FILLABLE[case.model], make.user().id
    links = {"company_id": make.company("Elsewhere").id} if case.model is Contact else {}
    known = {**{field: second for field, (_, second) in fields.items()}, **links, "owner_id": owner}
    kept = case.made(make, "Acme", **dict.fromkeys(fields, empty))
    merged = case.made(make, "Acme Ltd", **known)

    preview = case.service.preview_merge(session, kept, merged)
    record = case.merge(session, kept, merged)

    assert {field: getattr(record, field) for field in known} == known == preview.fills
    assert record.name == "Acme"


def test_what_the_first_has_stays(session, make, case):
    fields, owners = FILLABLE[case.model], [make.user("Rita").id, make.user("Otto").id]
    links = [{}, {}]
    if case.model is Contact:
        links = [{"company_id": make.company(name).id} for name in ("Here", "There")]
    first, second = (
        {**{field: values[side] for field, values in fields.items()}, **links[side], "owner_id": owners[side]}
        for side in (0, 1)
    )
    kept, merged = case.made(make, "Acme", **first), case.made(make, "Acme Ltd", **second)

    preview = case.service.preview_merge(session, kept, merged)
    record = case.merge(session, kept, merged)

    assert {field: getattr(record, field) for field in first} == first
    assert preview.fills == {}


def test_what_the_second_has_empty_empties_nothing_and_is_no_fill(session, make, case):
    kept = case.made(make, "Acme", **{field: values[0] for field, values in FILLABLE[case.model].items()})
    merged = case.made(make, "Acme Ltd", **dict.fromkeys(FILLABLE[case.model], ""))
    bare = case.made(make, "Bare")

    assert case.service.preview_merge(session, kept, merged).fills == {}
    assert case.service.preview_merge(session, bare, merged).fills == {}


def test_books_are_kept_apart(session, make, case):
    books = {"request_id": "r-1", "external_source": "crm", "external_id": "7", "created_at": NOW - AN_HOUR}
    kept, merged = case.made(make, "Acme"), case.made(make, "Acme Ltd", **books)

    record = case.merge(session, kept, merged)
    session.flush()

    assert [getattr(record, field) for field in books] == [None, None, None, NOW]


def test_each_field_that_people_fill_is_tried(case):
    update = {Company: CompanyUpdate, Contact: ContactUpdate}[case.model]

    tried = {*FILLABLE[case.model], "name", "owner_id", "company_id", "other_emails", "other_phones"}
    assert set(update.model_fields) <= tried


def test_a_preview_says_what_is_given_up(session, make, case):
    fields, owners = FILLABLE[case.model], [make.user("Rita").id, make.user("Otto").id]
    first, second = (
        {**{field: values[side] for field, values in fields.items()}, "owner_id": owners[side]}
        for side in (0, 1)
    )
    if case.model is Contact:
        for links in (first, second):
            links["company_id"] = make.company().id
    kept, merged = case.made(make, "Acme", **first), case.made(make, "Acme Ltd", **second)

    losses = case.service.preview_merge(session, kept, merged).losses

    stay = ("email", "phone")
    assert losses == {"name": "Acme Ltd", **{key: second[key] for key in second if key not in stay}}


def test_what_is_the_same_in_another_case_is_no_loss(session, make, case):
    texts = {field: first for field, (first, _) in FILLABLE[case.model].items()}
    kept = case.made(make, "Acme", **texts)
    merged = case.made(make, "ACME", **{field: f" {text.upper()}" for field, text in texts.items()})

    preview = case.service.preview_merge(session, kept, merged)

    assert (preview.losses, preview.fills, preview.adds) == ({}, {}, {})


def test_each_address_and_number_of_both_leads_to_the_kept_contact(session, make):
    kept = make.contact(
        "Ann", email="ann@old.example", phone="+1 415 555 0101", other_emails=("ann@home.example",)
    )
    merged = make.contact(
        "Anne",
        email="anne@new.example",
        phone="+1 (415) 555-0202",
        other_emails=("ANN@old.example", "Ann@Home.example", "anne@club.example"),
        other_phones=("+14155550101", "no digits"),
    )

    preview = contact_service.preview_merge(session, kept.id, merged.id)
    merge_contacts(session, kept.id, merged.id)

    adds = {
        "other_emails": ("anne@new.example", "anne@club.example"),
        "other_phones": ("+1 (415) 555-0202", "no digits"),
    }
    assert (preview.adds, preview.fills, preview.losses) == (adds, {}, {"name": "Anne"})
    assert (kept.email, kept.phone) == ("ann@old.example", "+1 415 555 0101")
    assert kept.other_emails == ("ann@home.example", *adds["other_emails"])
    assert kept.other_phones == adds["other_phones"]


def test_what_is_filled_in_is_not_among_the_others_as_well(session, make):
    kept = make.contact("Ann", other_emails=("ann@home.example", "anne@new.example"))
    merged = make.contact("Anne", email="Anne@New.example", other_phones=("1", "2"))

    preview = contact_service.preview_merge(session, kept.id, merged.id)
    merge_contacts(session, kept.id, merged.id)

    assert (preview.fills, preview.adds) == ({"email": "Anne@New.example"}, {"other_phones": ("1", "2")})
    assert (kept.email, kept.other_emails) == ("Anne@New.example", ("ann@home.example",))
    assert (kept.phone, kept.other_phones) == (None, ("1", "2"))


def test_a_phone_that_breaks_lines_is_kept_on_one(session, make):
    kept, merged = make.contact("Ann", phone="1"), make.contact("Anne", phone="2\n3")

    merge_contacts(session, kept.id, merged.id)
    session.flush()

    assert kept.other_phones == ("2 3",)


def test_no_contact_gets_more_of_them_than_it_can_have(session, make):
    kept, merged = (
        make.contact(name, other_phones=tuple(map(str, numbers))).id
        for name, numbers in (("Ann", range(MOST_OTHERS)), ("Bob", [MOST_OTHERS]))
    )

    for verb in (contact_service.preview_merge, merge_contacts):
        with pytest.raises(TooManyOthers, match="“Bob” can't be merged into “Ann”: together they have"):
            verb(session, kept, merged)


SOME_FIELDS = {
    Company: {"website": ["a.example", "A.example", "b.example"], "industry": ["Tools", "tools ", "Wood"]},
    Contact: {
        "email": ["a@a.example", "A@a.example", "b@a.example"],
        "phone": ["1 2", "12", "3", "x"],
        "job_title": ["Boss", "boss", "Buyer"],
        "other_emails": [("a@a.example",), ("c@a.example", "B@a.example")],
        "other_phones": [("1-2", "4"), ("3",), ("x", "5")],
    },
}


@pytest.mark.parametrize("seed", range(either(60, 500)))
def test_nothing_else_is_lost_than_the_preview_says(session, make, case, seed):
    chance = random.Random(seed)
    several = SOME_FIELDS[case.model]
    owners = [None, make.user("Rita").id, make.user("Otto").id]

    def made() -> Record:
        answers = {
            field: chance.choice([() if field.startswith("other") else None, *values])
            for field, values in several.items()
        }
        name, owner = chance.choice(["Acme", "acme", "Bolt"]), chance.choice(owners)
        return session.get_one(case.model, case.made(make, name, owner_id=owner, **answers))

    kept, merged = made(), made()
    fields = ["name", "owner_id", *several]
    before = [{field: getattr(record, field) for field in fields} for record in (kept, merged)]

    preview = case.service.preview_merge(session, kept.id, merged.id)
    case.merge(session, kept.id, merged.id)

    for was, given_up in ((before[0], {}), (before[1], preview.losses)):
        for field, value in was.items():
            if field not in given_up:
                assert known(field, value) <= everything_of(kept, field), (field, before)
            else:
                assert not known(field, value) & everything_of(kept, field), (field, before)


def known(field: str, value: Any) -> set[Any]:
    """What a field says, whatever its case and blanks."""
    if "phone" in field:
        value = [re.sub("[ -]", "", each) for each in ((value,) if isinstance(value, str) else value or ())]
    several = value if isinstance(value, list | tuple) else (value,)
    return {each.strip().lower() if isinstance(each, str) else each for each in several} - {None}


def everything_of(record: Record, field: str) -> set[Any]:
    """What the record says in that field or, where it may have several of a kind, in any of the two."""
    kind = next((kind for kind in ("email", "phone") if kind in field), None)
    fields = [field] if kind is None else [kind, f"other_{kind}s"]
    return set().union(*(known(each, getattr(record, each)) for each in fields))


def test_a_preview_counts_what_moves_and_writes_nothing(world, case):
    with world.database.read(actor=world.people.rita, at=MERGED) as session:
        preview = case.service.preview_merge(session, world.kept, world.merged)
        assert preview.moves == counted(session, case, world.merged)
    assert preview.fills == {}

    before = every_row(world.database)
    with world.database.write(at=MERGED) as session:
        case.service.preview_merge(session, world.kept, world.merged)
    assert every_row(world.database) == before


def both_refuse(world: World, case: Case, kind: type[CrmError], words: str, actor: int | None = None) -> None:
    """The merge and its preview."""
    before = every_row(world.database)
    for verb in (case.merge, case.service.preview_merge):
        with world.database.write(actor=actor, at=MERGED) as session, pytest.raises(kind, match=words):
            verb(session, world.kept, world.merged)
    assert every_row(world.database) == before


def test_nothing_is_merged_with_itself(world, case):
    with_itself = replace(world, merged=world.kept)

    both_refuse(with_itself, case, MergeWithItself, f"“Acme” can't be merged with itself. .* {case.kind}")


def test_only_what_is_there_is_merged(world, case):
    for side in ("kept", "merged"):
        both_refuse(replace(world, **{side: 99}), case, RecordNotFound, f"There is no {case.kind} 99")
        with one_of(world, case, side) as record:
            record.deleted_at = NOW
        both_refuse(world, case, RecordNotFound, "it may have been deleted")
        with one_of(world, case, side) as record:
            record.deleted_at = None


def test_who_may_not_change_one_of_the_two_merges_nothing(world, case):
    words = "belongs to Otto Other. Otto Other or an admin can change it"
    for side in ("kept", "merged"):
        with one_of(world, case, side) as record:
            record.owner_id = world.people.otto
        both_refuse(world, case, BelongsToSomebodyElse, words, world.people.rita)
        with one_of(world, case, side) as record:
            record.owner_id = world.people.rita


def test_who_may_not_change_what_moves_merges_nothing(world, case):
    words = "“Acme Ltd” can't be merged into “Acme”: of what would move, 1 deal belongs to others. An admin"
    for name in ("Theirs, open", "Theirs, won", "Theirs, deleted"):
        give(world, Opportunity, name, world.people.otto)
        both_refuse(world, case, MovesWhatBelongsToOthers, words, world.people.rita)
        both_refuse(world, case, MovesWhatBelongsToOthers, words, world.people.mia)
        give(world, Opportunity, name, world.people.rita)


def test_a_refusal_counts_everything_of_others(database):
    case = CASES[0]
    with database.write(at=NOW) as session:
        make = Make(session)
        people = make.people()
        kept, merged = (case.made(make, name, owner_id=people.rita) for name in ("Acme", "Acme Ltd"))
        attach(make, case, "Theirs", merged, people.otto)
    world = World(database, people, kept, merged, other=0)

    words = "3 deals and 2 contacts belong to others"
    both_refuse(world, case, MovesWhatBelongsToOthers, words, people.rita)


def test_what_does_not_move_may_belong_to_anybody(world, case):
    for name in ("Ours, open", "Other, open"):
        give(world, Opportunity, name, world.people.otto)

    merge(world, case, world.people.rita)

    assert check.findings(world.database) == []


def test_a_manager_merges_what_is_their_teams_and_an_admin_everything(world, case):
    give(world, Opportunity, "Theirs, open", world.people.nora)
    both_refuse(world, case, MovesWhatBelongsToOthers, "1 deal belongs to others", world.people.rita)
    with world.database.read(actor=world.people.mia) as session:
        case.service.preview_merge(session, world.kept, world.merged)

    give(world, Opportunity, "Theirs, won", world.people.otto)
    with world.database.write(at=NOW + timedelta(minutes=2)) as session:
        admin = Make(session).user("Ann Admin", role=Role.ADMIN).id
    merge(world, case, admin)

    with world.database.read(at=MERGED) as session:
        assert sum(counted(session, case, world.merged).values()) == 0


def test_what_belongs_to_another_team_is_not_found(world, case):
    for side in ("kept", "merged"):
        with one_of(world, case, side) as record:
            record.owner_id = world.people.otto
        for visibility in (Visibility.TEAM, Visibility.OWN):
            narrow(world, visibility)
            words = f"There is no {case.kind} {getattr(world, side)}"
            both_refuse(world, case, RecordNotFound, words, world.people.rita)
        with one_of(world, case, side) as record:
            record.owner_id = world.people.rita


def test_what_the_actor_may_not_even_see_does_not_move_either(world, case):
    give(world, Opportunity, "Theirs, open", world.people.otto)
    for visibility in (Visibility.TEAM, Visibility.OWN):
        narrow(world, visibility)
        both_refuse(world, case, MovesWhatBelongsToOthers, "1 deal belongs to others", world.people.rita)


@contextmanager
def one_of(world: World, case: Case, side: str) -> Iterator[Record]:
    """One of the two that are merged, to be changed."""
    with world.database.write(at=LATER) as session:
        yield session.get_one(case.model, getattr(world, side))


def narrow(world: World, visibility: Visibility) -> None:
    with world.database.write(at=LATER) as session:
        session.get_one(Settings, 1).visibility = visibility


def give(world: World, model: type[Record], name: str, owner: int) -> None:
    with world.database.write(at=LATER) as session:
        session.scalars(select(model).where(model.name == name)).one().owner_id = owner


def test_who_saw_an_older_one_of_the_two_merges_nothing(world, case):
    for minutes, name in ((1, "Akme"), (2, "Ackme")):
        at = NOW + timedelta(minutes=minutes)
        with world.database.write(actor=world.people.mia, at=at) as session:
            for key in (world.kept, world.merged):
                session.get_one(case.model, key).name = name

    words = r"“Ackme” was changed meanwhile by Mia Manager \(name\)"
    seen = {"expected_version": 3, "merged_expected_version": 3}
    for argument in seen:
        with refusal(world.database, ChangedMeanwhile, words, actor=world.people.rita) as session:
            case.merge(session, world.kept, world.merged, **{argument: 2})

    with world.database.write(actor=world.people.rita, at=MERGED) as session:
        case.merge(session, world.kept, world.merged, **seen)


def test_each_record_that_moves_gets_one_version_and_no_other_does(world, case):
    merge(world, case)

    with world.database.read(at=MERGED) as session:
        changed = select(Opportunity.name).where(Opportunity.version != 1)
        assert set(session.scalars(changed)) == {"Theirs, open", "Theirs, won", "Theirs, deleted"}
        assert session.scalar(select(func.max(Opportunity.version))) == 2


def test_what_was_deleted_comes_back_to_the_first(world, case):
    merge(world, case)

    with world.database.write(at=MERGED + AN_HOUR) as session:
        deal = session.scalars(select(Opportunity).where(Opportunity.name == "Theirs, deleted")).one()
        opportunity_service.restore_opportunity(session, deal.id)
        assert getattr(deal, case.pointer) == world.kept
    assert check.findings(world.database) == []


def test_the_second_can_come_back_with_its_notes_but_what_moved_stays(world, case):
    merge(world, case)

    with world.database.write(at=MERGED + AN_HOUR) as session:
        restored = getattr(case.service, f"restore_{case.kind}")(session, world.merged)
        assert (restored.name, restored.deleted_at, restored.merged_into_id) == ("Acme Ltd", None, None)
        assert notes_of(session, case, world.merged) == ["Theirs, a note"]
        assert notes_of(session, case, world.kept) == ["Ours, a note"]
        assert sum(counted(session, case, world.merged).values()) == 1
    assert check.findings(world.database) == []


def test_three_become_one(world, case):
    with world.database.write(at=MERGED) as session:
        case.merge(session, world.merged, world.other)
        case.merge(session, world.kept, world.merged)
        assert counted(session, case, world.kept)["opportunities"] == 9
        assert counted(session, case, world.kept)["notes"] == 3
    assert check.findings(world.database) == []


def standing(session: Session, case: Case, record_id: int) -> int:
    return getattr(case.service, f"get_standing_{case.kind}")(session, record_id).id


def test_the_last_one_stands_for_all_that_were_merged(world, case):
    with world.database.write(at=MERGED) as session:
        case.merge(session, world.merged, world.other)
        case.merge(session, world.kept, world.merged)

    with world.database.read(at=MERGED) as session:
        for record in (world.kept, world.merged, world.other):
            assert standing(session, case, record) == world.kept
        with pytest.raises(RecordNotFound, match=f"There is no {case.kind} {world.other}"):
            getattr(case.service, f"get_{case.kind}")(session, world.other)


def test_nothing_stands_for_what_was_only_deleted_or_merged_into_what_was(world, case):
    with one_of(world, case, "other") as record:
        record.deleted_at = LATER
    merge(world, case)
    with world.database.write(at=MERGED) as session:
        assert standing(session, case, world.merged) == world.kept
        session.get_one(case.model, world.kept).deleted_at = MERGED

    with world.database.read(at=MERGED) as session:
        for record_id in (world.other, world.merged, world.kept, 999):
            with pytest.raises(RecordNotFound, match=f"There is no {case.kind} {record_id}"):
                standing(session, case, record_id)


@pytest.mark.parametrize("hidden", ["kept", "merged"])
def test_who_may_not_read_both_is_not_led_from_one_to_the_other(world, case, hidden):
    narrow(world, Visibility.OWN)
    merge(world, case)
    with world.database.read(actor=world.people.rita, at=MERGED) as session:
        assert standing(session, case, world.merged) == world.kept
    with world.database.write(at=MERGED) as session:
        session.get_one(case.model, getattr(world, hidden)).owner_id = world.people.otto

    with (
        world.database.read(actor=world.people.rita, at=MERGED) as session,
        pytest.raises(RecordNotFound, match=f"There is no {case.kind} {world.merged}"),
    ):
        standing(session, case, world.merged)
