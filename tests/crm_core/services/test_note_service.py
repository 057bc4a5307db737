"""What people write down about a record, and who may read it."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from crm_core import check
from crm_core.database import Database
from crm_core.errors import InvalidInput, NotSignedIn
from crm_core.models import Note, Settings, Transaction, Visibility
from crm_core.schemas.note import NoteCreate
from crm_core.services.contact_service import delete_contact
from crm_core.services.note_service import ON, NoteNeedsOneRecord, add_note, get_notes
from crm_core.services.records import RecordNotFound, RequestOfSomebodyElse
from tests.builders import Make, People
from tests.conftest import NOW

AN_HOUR = timedelta(hours=1)
KINDS = {"lead_id": "lead", "opportunity_id": "opportunity", "company_id": "company", "contact_id": "contact"}


@pytest.mark.parametrize("field", KINDS)
def test_a_note_is_written_on_a_record_of_any_kind(session, make, field):
    record, other = (getattr(make, KINDS[field])(name=name) for name in ("This one", "Another"))
    make.note("Not meant.", **{field: other.id})

    written = add_note(session, NoteCreate(text="Called her.", **{field: record.id}))

    (note,) = get_notes(session, **{field: record.id})
    assert (note.id, note.text, note.created_at) == (written.id, "Called her.", NOW)
    assert {name: getattr(note, name) for name in KINDS} == {**dict.fromkeys(KINDS), field: record.id}


def test_every_kind_of_record_that_a_note_can_be_on_is_tried():
    keys = {key.parent.name for key in Note.__table__.foreign_keys}

    assert set(KINDS) == set(ON) == keys - {"author_id"}


def test_a_note_is_on_exactly_one_record(session, make):
    company, contact = make.company(), make.contact()

    for keys in ({}, {"company_id": company.id, "contact_id": contact.id}):
        with pytest.raises(NoteNeedsOneRecord, match="on one lead, deal, company or contact"):
            add_note(session, NoteCreate(text="Called her.", **keys))
        with pytest.raises(NoteNeedsOneRecord):
            get_notes(session, **keys)

    assert session.scalar(select(func.count(Note.id))) == 0


def test_a_request_sent_twice_writes_one_note(session, make):
    draft = NoteCreate(text="Called her.", company_id=make.company().id, request_id="r-1")

    assert add_note(session, draft) is add_note(session, draft)
    add_note(session, draft.model_copy(update={"request_id": "r-2"}))
    assert len(get_notes(session, company_id=draft.company_id)) == 2


@pytest.mark.parametrize("record_id", [0, -1, 99, 2**31])
def test_no_note_is_on_what_does_not_exist(session, record_id):
    with pytest.raises(RecordNotFound, match=f"There is no company {record_id}"):
        get_notes(session, company_id=record_id)
    with pytest.raises(RecordNotFound):
        add_note(session, NoteCreate.model_construct(text="Called her.", company_id=record_id))


def test_the_notes_of_a_deleted_record_are_gone_with_it(session, make):
    contact = make.contact()
    add_note(session, NoteCreate(text="Called her.", contact_id=contact.id))
    delete_contact(session, contact.id)

    with pytest.raises(RecordNotFound):
        get_notes(session, contact_id=contact.id)
    with pytest.raises(RecordNotFound):
        add_note(session, NoteCreate(text="Called her again.", contact_id=contact.id))


def test_notes_come_newest_first_page_by_page(session, make):
    company = make.company().id
    hours = [3, 1, 2, 1, 5]
    for number, hour in enumerate(hours):
        make.note(f"Note {number}", company_id=company, created_at=NOW - hour * AN_HOUR)

    pages = [get_notes(session, company_id=company, limit=2, offset=offset) for offset in (0, 2, 4, 6)]

    assert [[note.text for note in page] for page in pages] == [
        ["Note 3", "Note 1"],
        ["Note 2", "Note 0"],
        ["Note 4"],
        [],
    ]


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (201, 0), (10, -1)])
def test_a_page_has_a_sensible_size(session, make, limit, offset):
    company = make.company().id
    with pytest.raises(InvalidInput, match="between 1 and 200"):
        get_notes(session, company_id=company, limit=limit, offset=offset)


@dataclass(frozen=True)
class Two:
    """Rita's deal and Otto's, and who they are."""

    people: People
    mine: int
    theirs: int


@pytest.fixture
def two(database: Database) -> Two:
    with database.write(at=NOW) as session:
        make = Make(session)
        people = make.people()
        mine = make.opportunity(owner_id=people.rita).id
        theirs = make.opportunity(owner_id=people.otto).id
    return Two(people, mine, theirs)


def test_who_may_read_a_deal_may_write_on_it_under_their_name(database, two):
    with database.write(actor=two.people.rita, at=NOW + AN_HOUR) as session:
        add_note(session, NoteCreate(text="Ask me about them.", opportunity_id=two.theirs))
    with database.write(at=NOW + 2 * AN_HOUR) as session:
        add_note(session, NoteCreate(text="Written by nobody.", opportunity_id=two.theirs))

    with database.read(actor=two.people.otto) as session:
        notes = get_notes(session, opportunity_id=two.theirs)
        actors = session.scalars(select(Transaction.actor_id).order_by(Transaction.id))
        assert list(actors) == [None, two.people.rita, None]
    assert [(note.text, note.author_id, note.author_name) for note in notes] == [
        ("Written by nobody.", None, None),
        ("Ask me about them.", two.people.rita, "Rita Rep"),
    ]
    assert [note.created_at for note in notes] == [NOW + 2 * AN_HOUR, NOW + AN_HOUR]
    assert check.findings(database) == []


@pytest.mark.parametrize("visibility", [Visibility.TEAM, Visibility.OWN])
def test_a_note_on_what_one_may_not_read_is_not_found(database, two, visibility):
    draft = NoteCreate(text="Called her.", opportunity_id=two.theirs, request_id="r-1")
    with database.write(at=NOW + AN_HOUR) as session:
        session.get_one(Settings, 1).visibility = visibility
        add_note(session, draft)

    with database.write(actor=two.people.rita) as session:
        with pytest.raises(RecordNotFound):
            get_notes(session, opportunity_id=two.theirs)
        with pytest.raises(RecordNotFound):
            add_note(session, draft.model_copy(update={"request_id": "r-2"}))
        with pytest.raises(RequestOfSomebodyElse):
            add_note(session, draft.model_copy(update={"opportunity_id": two.mine}))
        assert get_notes(session, opportunity_id=two.mine) == []

    with database.read(actor=two.people.otto) as session:
        assert [note.text for note in get_notes(session, opportunity_id=two.theirs)] == ["Called her."]


def test_somebody_we_do_not_know_reads_and_writes_nothing(database, two):
    draft = NoteCreate(text="Called her.", opportunity_id=two.mine, request_id="r-1")
    with database.write() as session:
        add_note(session, draft)

    for again in (draft, draft.model_copy(update={"request_id": None})):
        with database.write(actor=99) as session, pytest.raises(NotSignedIn):
            add_note(session, again)
    with database.read(actor=99) as session, pytest.raises(NotSignedIn):
        get_notes(session, opportunity_id=two.mine)
