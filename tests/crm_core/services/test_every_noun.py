"""What can be done with every kind of record, what is refused, and in which words."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from crm_core import check
from crm_core.database import Database
from crm_core.errors import InvalidInput
from crm_core.models import Settings, Source, User, Visibility
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.services.records import (
    ChangedMeanwhile,
    NothingWasChanged,
    OwnerIsInactive,
    RecordNotFound,
    RequestIdIsTaken,
    RequestOfSomebodyElse,
)
from tests.builders import Make, People, stored
from tests.conftest import NOW
from tests.crm_core.services.nouns import Noun, every_noun

AN_HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)
THEN = NOW - 7 * A_DAY

either_visibility = pytest.mark.parametrize("visibility", [Visibility.TEAM, Visibility.OWN])


@every_noun
def test_a_new_record_is_of_its_first_version_and_of_this_instant(session, noun):
    record = noun.create(session)

    assert (record.name, record.owner_id, record.version, record.created_at) == ("Acme", None, 1, NOW)
    assert {field: getattr(record, field) for field in noun.begins_as} == noun.begins_as


@every_noun
def test_a_request_sent_twice_creates_one_record(session, noun):
    first = noun.create(session, request_id="r-1")

    assert noun.create(session, request_id="r-1") is first
    assert noun.create(session, request_id="r-2").id == 2
    with pytest.raises(RequestIdIsTaken, match=f"{noun.name} “Acme”, which was created otherwise"):
        noun.create(session, request_id="r-1", name="Bolt")


@every_noun
def test_a_request_sent_twice_creates_one_record_even_if_it_was_changed_and_deleted_since(database, noun):
    with database.write(at=NOW) as session:
        first = noun.create(session, request_id="r-1").id
    with database.write() as session:
        noun.update(session, first, name="Bolt")
        noun.verb("delete")(session, first)

    with database.write() as session:
        assert noun.create(session, request_id="r-1").id == first


@every_noun
def test_a_record_belongs_only_to_what_is_there(session, make, noun):
    gone = {
        "company_id": (make.company(deleted_at=NOW).id, RecordNotFound, "There is no company 1; it may"),
        "contact_id": (make.contact(deleted_at=NOW).id, RecordNotFound, "There is no contact 1; it may"),
        "owner_id": (
            make.user("Gus Gone", is_active=False).id,
            OwnerIsInactive,
            r"Gus Gone no longer works here\. Choose another owner",
        ),
    }
    record = noun.create(session)
    before = stored(session)

    for field in noun.pointers:
        never = (99, RecordNotFound, "There is no .* 99; it may have been deleted")
        for key, refusal, words in (never, gone[field]):
            with pytest.raises(refusal, match=words):
                noun.create(session, name="Bolt", **{field: key})
            with pytest.raises(refusal, match=words):
                noun.update(session, record.id, name="Bolt", **{field: key})
            with pytest.raises(NothingWasChanged, match=words):
                noun.update_many(session, [record.id], name="Bolt", **{field: key})
            if field == "owner_id":
                with pytest.raises(refusal, match=words):
                    noun.verb_for_many("assign")(session, [record.id], owner_id=key)
            assert stored(session) == before, (field, key)


@every_noun
def test_what_belongs_to_somebody_who_left_can_be_changed(session, make, noun):
    ina = make.user("Ina", is_active=False).id
    record = noun.make(session, owner_id=ina)

    noun.update(session, record.id, name="Bolt", owner_id=ina)

    assert (record.name, record.owner_id) == ("Bolt", ina)


ANSWERS = {
    "company_name": "Navy",
    "country": "France",
    "description": "Long",
    "domain": "acme.example",
    "email": "ada@acme.example",
    "estimated_value": Decimal("12.50"),
    "expected_close_date": date(2026, 6, 1),
    "expected_value": Decimal("12.50"),
    "industry": "Tools",
    "job_title": "Countess",
    "next_step": "Call",
    "next_step_date": date(2026, 5, 1),
    "other_emails": ("ada@home.example",),
    "other_phones": ("456", "789"),
    "phone": "123",
    "source": "Fair",
    "website": "https://acme.example",
}
"""Something for each field that may be empty and names nothing else."""


@every_noun
def test_what_is_not_sent_stays_and_null_empties(session, make, noun):
    there = {"company_id": make.company().id, "contact_id": make.contact().id, "owner_id": make.user().id}
    optional = set(noun.update_schema.model_fields) - {"name", "currency", *noun.begins_as}
    answers = {field: (ANSWERS | there)[field] for field in optional}

    for number, field in enumerate(sorted(optional)):
        record = noun.create(session, **answers)
        assert {each: getattr(record, each) for each in answers} == answers

        noun.update(session, record.id, name=f"New {number}", **{field: None})

        emptied = () if isinstance(answers[field], tuple) else None
        assert {each: getattr(record, each) for each in answers} == answers | {field: emptied}
        assert record.name == f"New {number}"


@every_noun
def test_many_are_changed_together_or_not_at_all(session, noun):
    records = [noun.make(session, "Acme", **{noun.text: "1"}), noun.make(session, "Bolt")]
    ids, changes = [record.id for record in records], {"name": "New", noun.text: "2"}

    with pytest.raises(NothingWasChanged, match="1 of 3 can't be") as refused:
        noun.update_many(session, [*ids, 99], **changes)
    assert list(refused.value.refusals) == [99]
    assert [(each.name, getattr(each, noun.text)) for each in records] == [("Acme", "1"), ("Bolt", None)]

    assert noun.update_many(session, ids, **changes) == records
    assert [(each.name, getattr(each, noun.text)) for each in records] == [("New", "2")] * 2


@every_noun
def test_many_are_given_to_one_owner_or_to_nobody(session, make, noun):
    owner, assign = make.user().id, noun.verb_for_many("assign")
    ids = [noun.make(session, name).id for name in ("Acme", "Bolt")]

    assert [each.owner_id for each in assign(session, ids, owner_id=owner)] == [owner, owner]
    assert [each.owner_id for each in assign(session, ids, owner_id=None)] == [None, None]
    with pytest.raises(NothingWasChanged, match=f"There is no {noun.name} 99"):
        assign(session, [*ids, 99], owner_id=owner)
    assert [noun.verb("get")(session, key).owner_id for key in ids] == [None, None]


@every_noun
def test_a_deleted_record_is_gone_until_it_is_restored(session, noun):
    record = noun.make(session)

    noun.verb("delete")(session, record.id)
    with pytest.raises(RecordNotFound, match=f"There is no {noun.name} 1; it may have been deleted"):
        noun.verb("get")(session, record.id)
    with pytest.raises(RecordNotFound):
        noun.update(session, record.id, name="Bolt")
    assert (noun.service.get_rows(session), noun.total(session)) == ([], 0)
    assert noun.verb_for_many("count")(session) == 0

    noun.verb("restore")(session, record.id)
    assert noun.verb("get")(session, record.id) is record
    assert noun.verb_for_many("count")(session) == noun.total(session) == 1


@every_noun
def test_a_page_has_a_sensible_size(session, noun):
    record = noun.make(session)

    for limit, offset in ((0, 0), (-1, 0), (201, 0), (10, -1)):
        size = {"limit": limit, "offset": offset}
        for ask in (noun.verb_for_many("get"), noun.service.get_rows):
            with pytest.raises(InvalidInput, match="A page has between 1 and 200 rows"):
                ask(session, **size)
        with pytest.raises(InvalidInput, match="A page has between 1 and 200 rows"):
            noun.service.get_history(session, record.id, **size)


@every_noun
def test_a_list_shows_the_names_of_what_a_record_belongs_to(session, make, noun):
    names = {
        "company_id": ("Acme", make.company("Acme").id),
        "contact_id": ("Ada Lovelace", make.contact("Ada Lovelace").id),
        "owner_id": ("Rita Rep", make.user("Rita Rep").id),
    }
    record = noun.make(session, "Mine", **{field: names[field][1] for field in noun.pointers})

    (row,) = (each for each in noun.service.get_rows(session) if each.name == "Mine")

    assert row.id == record.id
    for field in noun.pointers:
        assert getattr(row, field.replace("_id", "_name")) == names[field][0]


@dataclass(frozen=True)
class Two:
    """Rita's record and Otto's, and who they are."""

    database: Database
    noun: Noun
    people: People
    mine: int
    theirs: int

    def versions(self) -> dict[int, int]:
        with self.database.read() as session:
            return dict(session.execute(select(self.noun.model.id, self.noun.model.version)).all())

    def narrow(self, visibility: Visibility) -> None:
        with self.database.write(at=THEN + AN_HOUR) as session:
            session.get_one(Settings, 1).visibility = visibility


@pytest.fixture
def two(database: Database, noun: Noun) -> Two:
    with database.write(at=THEN) as session:
        people = Make(session).people()
        mine = noun.make(session, "Acme", owner_id=people.rita, request_id="r-1").id
        theirs = noun.make(session, "Bolt", owner_id=people.otto, request_id="r-2").id
    return Two(database, noun, people, mine, theirs)


@either_visibility
@every_noun
def test_what_belongs_to_another_team_is_not_found(database, noun, two, visibility):
    two.narrow(visibility)
    with database.write(at=THEN + 2 * AN_HOUR) as session:
        make = Make(session)
        hidden = {
            "company_id": make.company("Hidden", owner_id=two.people.otto).id,
            "contact_id": make.contact("Hidden", owner_id=two.people.otto).id,
        }
    before = two.versions()

    with database.write(actor=two.people.rita, at=NOW) as session:
        for verb in (*map(noun.verb, ("get", "delete", "restore")), noun.service.get_history):
            with pytest.raises(RecordNotFound, match=f"There is no {noun.name} {two.theirs}"):
                verb(session, two.theirs)
        with pytest.raises(RecordNotFound):
            noun.update(session, two.theirs, name="Mine")
        with pytest.raises(NothingWasChanged, match=f"{two.theirs}: There is no {noun.name}") as refused:
            noun.update_many(session, [two.mine, two.theirs], name="Mine")
        assert "Bolt" not in str(refused.value)
        with pytest.raises(NothingWasChanged):
            noun.verb_for_many("assign")(session, [two.theirs], owner_id=two.people.rita)
        with pytest.raises(RequestOfSomebodyElse, match="Send another one"):
            noun.create(session, request_id="r-2")
        for field in set(noun.pointers) & hidden.keys():
            kind, key = field.removesuffix("_id"), hidden[field]
            with pytest.raises(RecordNotFound, match=f"There is no {kind} {key}"):
                noun.update(session, two.mine, **{field: key})
        assert [row.id for row in noun.service.get_rows(session)] == [two.mine]
        assert noun.total(session) == noun.verb_for_many("count")(session) == 1

    assert two.versions() == before


@every_noun
def test_what_belongs_to_somebody_else_is_only_read(database, noun, two):
    with database.write(actor=two.people.rita, at=NOW) as session:
        for verb in map(noun.verb, ("delete", "restore")):
            with pytest.raises(BelongsToSomebodyElse, match="“Bolt” belongs to Otto Other"):
                verb(session, two.theirs)
        with pytest.raises(BelongsToSomebodyElse):
            noun.update(session, two.theirs, name="Mine")
        with pytest.raises(NothingWasChanged, match="Otto Other or an admin can change it"):
            noun.verb_for_many("assign")(session, [two.mine, two.theirs], owner_id=two.people.rita)
        assert noun.verb("get")(session, two.theirs).name == "Bolt"
        assert noun.verb_for_many("count")(session) == 2

    assert two.versions() == {two.mine: 1, two.theirs: 1}


@every_noun
def test_who_saw_an_older_one_changes_nothing_and_learns_who_did(database, noun, two):
    with database.write(actor=two.people.rita, at=NOW - A_DAY) as session:
        noun.update(session, two.mine, name="Akme")
    with database.write(actor=two.people.mia, at=NOW - AN_HOUR) as session:
        noun.update(session, two.mine, **{noun.text: "123"})

    with database.write(actor=two.people.rita, at=NOW) as session:
        words = rf"“Akme” was changed meanwhile by Mia Manager \({noun.text.replace('_', ' ')}\)"
        with pytest.raises(ChangedMeanwhile, match=words) as refused:
            noun.update(session, two.mine, name="Mine", expected_version=2)
        assert refused.value.version == 3
        for verb in map(noun.verb, ("delete", "restore")):
            with pytest.raises(ChangedMeanwhile, match=words):
                verb(session, two.mine, expected_version=2)
        with pytest.raises(NothingWasChanged, match=words):
            noun.update_many(session, [two.mine], seen={two.mine: 2}, name="Mine")
        with pytest.raises(NothingWasChanged, match=words):
            noun.verb_for_many("assign")(session, [two.mine], owner_id=None, expected_versions={two.mine: 2})
    assert two.versions() == {two.mine: 3, two.theirs: 1}

    with database.write(actor=two.people.rita, at=NOW + AN_HOUR) as session:
        noun.update(session, two.mine, name="Mine", expected_version=3)
    assert two.versions() == {two.mine: 4, two.theirs: 1}


@every_noun
def test_the_history_says_what_who_and_when_even_of_a_deleted_one(database, noun):
    with database.write(at=THEN) as session:
        people = Make(session).people()
        key = noun.make(session, "Before", owner_id=people.rita).id
    with database.write(at=NOW, actor=people.rita, source=Source.UI) as session:
        changes = {"name": "After", "owner_id": None, noun.text: "123"}
        noun.update(session, key, expected_version=1, **changes)
    with database.write(at=NOW + AN_HOUR, actor=people.mia) as session:
        session.get_one(User, people.mia).name = "Mia Married"
        noun.verb("delete")(session, key, expected_version=2)
    with database.read() as session:
        assert len(noun.service.get_history(session, key)) == 3
    with database.write(at=NOW + 2 * AN_HOUR, actor=people.mia) as session:
        noun.verb("restore")(session, key, expected_version=3)

    with database.read() as session:
        restored, deleted, changed, created = noun.service.get_history(session, key)
        assert noun.service.get_history(session, key, limit=1, offset=2) == [changed]

    assert changes_in(created) == {
        "name": (None, "Before"),
        "owner_id": (None, people.rita),
        **{field: (None, value) for field, value in noun.begins_as.items()},
    }
    assert changes_in(changed) == {
        "name": ("Before", "After"),
        "owner_id": (people.rita, None),
        noun.text: (None, "123"),
    }
    (owner,) = (change for change in changed.changes if change.field == "owner_id")
    assert (owner.label, owner.before_name, owner.after_name) == ("owner", "Rita Rep", None)
    assert (changed.actor_name, changed.source, changed.at) == ("Rita Rep", Source.UI, NOW)
    assert changes_in(deleted) == {"deleted_at": (None, NOW + AN_HOUR)}
    assert changes_in(restored) == {"deleted_at": (NOW + AN_HOUR, None)}
    assert restored.actor_name == "Mia Married"
    assert check.findings(database) == []


def changes_in(entry):
    return {change.field: (change.before, change.after) for change in entry.changes}
