"""A merge is taken back like any other change, notes included, whatever happened since."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy.orm import Session

from crm_core import check
from crm_core.analytics.board import board
from crm_core.database import Database
from crm_core.models import LOCAL_USER_ID, Company, Contact, Mergeable, OpportunityStage, Settings, Visibility
from crm_core.schemas.company import CompanyUpdate
from crm_core.schemas.contact import ContactUpdate
from crm_core.schemas.note import NoteCreate
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import company_service, contact_service, note_service, opportunity_service
from crm_core.services.company_service import CompanyIsInUse
from crm_core.services.contact_service import ContactIsInUse
from crm_core.services.note_service import add_note
from crm_core.services.records import BelongsToDeleted, RecordNotFound, RequestOfSomebodyElse
from crm_core.services.undo_service import ChangedSince, current_transaction, undo
from tests.builders import Make
from tests.conftest import NOW
from tests.crm_core.services.actions import all_rows, done, undone
from tests.crm_core.services.refusals import refusal

pytestmark = pytest.mark.both_databases


@dataclass(frozen=True)
class Case:
    """One of the two kinds that can be merged."""

    model: type[Mergeable]
    kind: str
    service: ModuleType
    merge: Callable[..., Mergeable]
    change: Callable[..., Any]
    in_use: type[Exception]

    @property
    def pointer(self) -> str:
        return f"{self.kind}_id"

    def merging(self, kept: int, merged: int) -> Callable[[Session], object]:
        return lambda session: self.merge(session, kept, merged)

    def verb(self, name: str, record_id: int, *more: Any) -> Callable[[Session], object]:
        return lambda session: getattr(self.service, f"{name}_{self.kind}")(session, record_id, *more)

    def notes(self, database: Database, record_id: int) -> list[str]:
        with database.read() as session:
            found = note_service.get_notes(session, **{self.pointer: record_id})
        return [note.text for note in found]

    def note(self, database: Database, record_id: int, text: str) -> None:
        with database.write(actor=LOCAL_USER_ID) as session:
            add_note(session, NoteCreate(text=text, **{self.pointer: record_id}))


CASES = [
    Case(Company, "company", company_service, company_service.merge_companies, CompanyUpdate, CompanyIsInUse),
    Case(Contact, "contact", contact_service, contact_service.merge_contacts, ContactUpdate, ContactIsInUse),
]


@pytest.fixture(params=CASES, ids=lambda case: case.kind)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def three(database, case) -> list[int]:
    """The ids of A, B and C, each with a deal, open, won or deleted, and a note; B knows what A does not."""
    with database.write(at=NOW) as session:
        make = Make(session)
        known = {"country": "Peru"} if case.model is Company else {"email": "b@b.example", "phone": "1"}
        ids = [getattr(make, case.kind)(name, **(known if name == "B" else {})).id for name in "ABC"]
        make.opportunity(name="of A", stage=OpportunityStage.PROPOSAL, **{case.pointer: ids[0]})
        make.won(5, name="of B", **{case.pointer: ids[1]})
        make.opportunity(name="deleted, of B", deleted_at=NOW, **{case.pointer: ids[1]})
        make.opportunity(name="of C", **{case.pointer: ids[2]})
        for name, record_id in zip("ABC", ids, strict=True):
            make.note(f"on {name}", **{case.pointer: record_id})
    return ids


def test_everything_goes_back_and_is_done_again(database, case, three):
    a, b, _ = three
    before = all_rows(database)

    merged = done(database, case.merging(a, b))
    after = all_rows(database)
    assert case.notes(database, a) == ["on B", "on A"]

    back = undone(database, merged)
    assert all_rows(database) == before
    assert (case.notes(database, a), case.notes(database, b)) == (["on A"], ["on B"])

    again = undone(database, back)
    assert all_rows(database) == after
    assert case.notes(database, a) == ["on B", "on A"]

    undone(database, again)
    assert all_rows(database) == before
    assert check.findings(database) == []


def test_a_chain_is_read_from_its_end_and_its_last_merge_is_taken_back(database, case, three):
    a, b, c = three
    first = done(database, case.merging(b, a))
    between = all_rows(database)
    second = done(database, case.merging(c, b))
    assert case.notes(database, c) == ["on C", "on B", "on A"]

    with refusal(database, ChangedSince, "Nothing was undone", actor=LOCAL_USER_ID) as session:
        undo(session, first)
    undone(database, second)
    assert all_rows(database) == between
    assert (case.notes(database, b), case.notes(database, c)) == (["on B", "on A"], ["on C"])
    assert check.findings(database) == []


def test_notes_from_after_the_merge_stay_where_they_were_written(database, case, three):
    a, b, _ = three
    merged = done(database, case.merging(a, b))
    case.note(database, a, "after the merge")
    back = undone(database, merged)
    case.note(database, b, "after the undo")
    assert case.notes(database, a) == ["after the merge", "on A"]
    assert case.notes(database, b) == ["after the undo", "on B"]

    undone(database, back)

    assert case.notes(database, a) == ["after the undo", "after the merge", "on B", "on A"]


def test_a_later_change_of_what_was_merged_prevents_it(database, case, three):
    a, b, _ = three
    merged = done(database, case.merging(a, b))
    done(database, case.verb("restore", b))

    with refusal(database, ChangedSince, "“B” by Local user", actor=LOCAL_USER_ID) as session:
        undo(session, merged)


def test_a_later_change_of_what_was_filled_in_prevents_it(database, case, three):
    a, b, _ = three
    merged = done(database, case.merging(a, b))
    done(database, case.verb("update", a, case.change(name="New")))

    with refusal(database, ChangedSince, r"“New” by Local user \(name\)", actor=LOCAL_USER_ID) as session:
        undo(session, merged)


def test_it_is_not_done_again_over_what_came_meanwhile(database, case, three):
    a, b, _ = three
    back = undone(database, done(database, case.merging(a, b)))
    with database.write() as session:
        Make(session).opportunity(**{case.pointer: b})

    with refusal(database, case.in_use, "“B” (still has|is still on) 1 deal", actor=LOCAL_USER_ID) as session:
        undo(session, back)


@pytest.fixture
def bare(database, case) -> tuple[int, int]:
    """The ids of two with nothing but their notes: a merge changes only the one that goes."""
    with database.write(at=NOW) as session:
        make = Make(session)
        ids = [getattr(make, case.kind)(name).id for name in "AB"]
        for name, record_id in zip("AB", ids, strict=True):
            make.note(f"on {name}", **{case.pointer: record_id})
    return ids[0], ids[1]


def test_nothing_is_merged_again_into_what_is_gone(database, case, bare):
    a, b = bare
    for gone in (case.merging(b, a), case.verb("delete", a)):
        back = undone(database, done(database, case.merging(a, b)))
        away = done(database, gone)

        words = f"“B” belongs to the {case.kind} “A”, which was deleted"
        with refusal(database, BelongsToDeleted, words, actor=LOCAL_USER_ID) as session:
            undo(session, back)

        undone(database, away)
    assert check.findings(database) == []


def test_one_that_came_back_by_itself_is_merged_again_by_an_undo(database, case, bare):
    a, b = bare
    done(database, case.merging(a, b))
    restored = done(database, case.verb("restore", b))
    assert (case.notes(database, a), case.notes(database, b)) == (["on A"], ["on B"])

    undone(database, restored)

    assert case.notes(database, a) == ["on B", "on A"]
    assert check.findings(database) == []


def test_notes_go_and_come_back_with_the_one_that_stands_for_them(database, case, bare):
    a, b = bare
    merged = done(database, case.merging(a, b))
    gone = done(database, case.verb("delete", a))
    with pytest.raises(RecordNotFound):
        case.notes(database, a)
    assert check.findings(database) == []

    undone(database, gone)
    assert case.notes(database, a) == ["on B", "on A"]

    done(database, case.verb("delete", a))
    undone(database, merged)
    assert case.notes(database, b) == ["on B"]


def test_figures_are_as_though_it_had_not_been(database, case, three):
    a, b, _ = three

    def cards() -> list[Any]:
        with database.read(at=NOW + timedelta(days=62)) as session:
            columns = board(session, shown=dict.fromkeys((*OpportunityStage, "closed"), 9))
            return [
                (card.deal.id, card.deal.stage_entered_at, card.days_in_stage, card.pushes, card.is_stale)
                for column in columns
                for card in column.cards
            ]

    before = cards()
    with database.write(at=NOW + timedelta(days=60), actor=LOCAL_USER_ID) as session:
        case.merge(session, b, a)
        merged = current_transaction(session)
    assert cards() != before  # moving is a touch
    with database.write(at=NOW + timedelta(days=61), actor=LOCAL_USER_ID) as session:
        undo(session, merged)

    assert cards() == before


def test_who_reads_the_kept_one_reads_and_knows_the_notes_of_the_merged_one(database, case):
    with database.write(at=NOW) as session:
        make = Make(session)
        people = make.people()
        session.get_one(Settings, 1).visibility = Visibility.OWN
        kept, merged = (
            getattr(make, case.kind)(name, owner_id=owner).id
            for name, owner in (("A", people.rita), ("B", people.otto))
        )
        draft = NoteCreate(text="on B", request_id="r-1", **{case.pointer: merged})
        add_note(session, draft)
    with database.write(actor=people.rita) as session, pytest.raises(RequestOfSomebodyElse):
        add_note(session, draft)

    with database.write() as session:
        case.merge(session, kept, merged)

    with database.write(actor=people.rita) as session:
        (note,) = note_service.get_notes(session, **{case.pointer: kept})
        assert (note.text, note.record_name, getattr(note, case.pointer)) == ("on B", "B", merged)
        assert add_note(session, draft).id == note.id
    with database.write(actor=people.otto) as session:
        with pytest.raises(RecordNotFound):
            note_service.get_notes(session, **{case.pointer: kept})
        with pytest.raises(RequestOfSomebodyElse):
            add_note(session, draft)


def test_the_past_of_the_merged_one_is_told_with_that_of_the_kept_one(database, case, three):
    a, b, _ = three
    done(database, case.verb("update", b, case.change(name="B2")))
    done(database, case.merging(a, b))

    with database.read() as session:
        found = case.service.get_whole_history(session, a)
        pages = [case.service.get_whole_history(session, a, limit=1, offset=n) for n in range(len(found))]

    own = [(each.name, each.entry.version) for each in found if each.kind == case.kind]
    assert own == [("B2", 3), ("A", 2), ("B2", 2), ("B2", 1), ("A", 1)]
    assert [page for (page,) in pages] == found


def test_a_deal_that_moved_again_prevents_it(database, case, three):
    a, b, c = three
    merged = done(database, case.merging(a, b))
    with database.read() as session:
        (deal,) = (
            row.id for row in opportunity_service.get_opportunities(session).rows if row.name == "of B"
        )
    changes = OpportunityUpdate(**{case.pointer: c})
    done(database, lambda session: opportunity_service.update_opportunity(session, deal, changes))

    with refusal(database, ChangedSince, rf"“of B” by Local user \({case.kind}\)", actor=1) as session:
        undo(session, merged)
