"""What was done can be taken back by whoever did it: all of it or nothing, and as a change of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from crm_core import check, history
from crm_core.database import Database, instant
from crm_core.models import (
    LOCAL_USER_ID,
    Lead,
    LeadStatus,
    OpportunityStage,
    Outcome,
    Settings,
    Source,
    User,
    Visibility,
)
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.schemas.company import CompanyCreate
from crm_core.schemas.contact import ContactCreate, ContactUpdate
from crm_core.schemas.lead import LeadCreate, LeadUpdate
from crm_core.schemas.note import NoteCreate
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import (
    company_service,
    contact_service,
    lead_service,
    note_service,
    opportunity_service,
    settings_service,
)
from crm_core.services.company_service import CompanyIsInUse
from crm_core.services.contact_service import ContactIsInUse
from crm_core.services.records import MOST_AT_ONCE, BelongsToDeleted, OwnerIsInactive, RecordNotFound
from crm_core.services.undo_service import (
    ActionNotFound,
    ActionOfSomebodyElse,
    ChangedSince,
    ImportStays,
    MergeStays,
    NothingToUndo,
    TooMuchToUndo,
    current_transaction,
    undo,
)
from tests.builders import Make, reason_id
from tests.conftest import NOW
from tests.crm_core.services.actions import all_rows, done, rows, undone
from tests.crm_core.services.refusals import refusal

S = OpportunityStage


@pytest.fixture
def sold(database):
    """Ids of a company with a contact, a deal of both, and a qualified lead."""
    with database.write(at=NOW) as session:
        make = Make(session)
        acme = make.company().id
        ada = make.contact(company_id=acme).id
        deal = make.opportunity(
            stage=S.PROPOSAL, company_id=acme, contact_id=ada, expected_value=Decimal("12.50"), owner_id=1
        ).id
        lead = make.lead(status=LeadStatus.QUALIFIED, company_name="Wind park", email="g@wind.example").id
        return {"company": acme, "contact": ada, "deal": deal, "lead": lead}


def lose(session: Session, sold: dict[str, int]) -> None:
    price = reason_id(session, "Price")
    opportunity_service.close_opportunity(
        session, sold["deal"], outcome=Outcome.LOST, reason_id=price, note="Too dear"
    )


def touch_all(session: Session, sold: dict[str, int]) -> None:
    opportunity_service.update_opportunity(
        session, sold["deal"], OpportunityUpdate(company_id=None, name="Other", expected_value=None)
    )
    contact_service.update_contact(session, sold["contact"], ContactUpdate(company_id=None))
    company_service.delete_company(session, sold["company"])
    lead_service.delete_lead(session, sold["lead"])
    lead_service.create_lead(session, LeadCreate(name="New"))


ACTIONS: dict[str, tuple[int, Callable[[Session, dict[str, int]], object]]] = {
    "update": (
        1,
        lambda s, sold: opportunity_service.update_opportunity(s, sold["deal"], OpportunityUpdate(name="X")),
    ),
    "move": (1, lambda s, sold: opportunity_service.move_opportunity(s, sold["deal"], to=S.DISCOVERY)),
    "win": (
        1,
        lambda s, sold: opportunity_service.close_opportunity(s, sold["deal"], outcome=Outcome.WON),
    ),
    "lose": (1, lose),
    "delete": (1, lambda s, sold: opportunity_service.delete_opportunity(s, sold["deal"])),
    "convert": (4, lambda s, sold: opportunity_service.convert_lead_to_opportunity(s, sold["lead"])),
    "create": (1, lambda s, _: opportunity_service.create_opportunity(s, OpportunityCreate(name="New"))),
    "everything": (5, touch_all),
}


def test_it_is_as_if_it_had_never_been_done_and_can_be_done_again(database, sold, subtests):
    for name, (count, action) in ACTIONS.items():
        with subtests.test(name):
            before = all_rows(database)
            first = done(database, lambda session, action=action: action(session, sold))
            after = all_rows(database)
            with database.write(actor=LOCAL_USER_ID) as session:
                assert undo(session, first) == count
                second = current_transaction(session)
            back = all_rows(database)
            again = undone(database, second)

            assert {key: row for key, row in back.items() if key in before} == before
            assert all(row["deleted_at"] for key, row in back.items() if key not in before)
            assert all_rows(database) == after
            undone(database, again)  # as it was for the next action
    assert check.findings(database) == []


def test_a_deal_that_was_lost_is_open_again(database, sold):
    lost = done(database, lambda session: lose(session, sold))
    undone(database, lost)

    with database.read() as session:
        deal = opportunity_service.get_opportunity(session, sold["deal"])
    assert (deal.stage, deal.probability, deal.closed_at, deal.close_reason_id, deal.version) == (
        S.PROPOSAL,
        50,
        None,
        None,
        3,
    )


def test_the_past_stays_and_the_history_tells_both(database, sold):
    lost = done(database, lambda session: lose(session, sold))
    with database.read() as session:
        then, known = instant(session), rows(session)
    undone(database, lost)

    with database.read() as session:
        assert rows(session, then) == known
        told = opportunity_service.get_history(session, sold["deal"])
    assert [entry.version for entry in told] == [3, 2, 1]
    assert (told[0].note, told[0].actor_id, told[0].source) == (
        "Undid an earlier change",
        LOCAL_USER_ID,
        Source.UI,
    )
    assert {change.field: change.after for change in told[0].changes}["stage"] is S.PROPOSAL


def test_the_callers_note_stays(database, sold):
    lost = done(database, lambda session: lose(session, sold))
    with database.write(actor=LOCAL_USER_ID, note="By mistake") as session:
        undo(session, lost)

    with database.read() as session:
        assert opportunity_service.get_history(session, sold["deal"])[0].note == "By mistake"


def test_a_converted_lead_converts_again(database, sold):
    converted = done(
        database, lambda session: opportunity_service.convert_lead_to_opportunity(session, sold["lead"])
    )
    undone(database, converted)

    with database.write(actor=LOCAL_USER_ID) as session:
        again = opportunity_service.convert_lead_to_opportunity(session, sold["lead"])
        assert opportunity_service.get_opportunity(session, again.opportunity.id).lead_id == sold["lead"]
    assert check.findings(database) == []


def test_later_changes_are_not_lost(database, sold):
    everything = done(database, lambda session: touch_all(session, sold))
    with database.write() as session:
        otto = Make(session).user("Otto").id
    with database.write(actor=otto) as session:
        contact_service.update_contact(session, sold["contact"], ContactUpdate(job_title="Boss"))
        company_service.restore_company(session, sold["company"])

    told = (
        "Nothing was undone, because of later changes:"
        " “Acme” by Otto .deleted at.; “Ada Lovelace” by Otto .job title."
    )
    with refusal(database, ChangedSince, told, actor=LOCAL_USER_ID) as session:
        undo(session, everything)


def test_of_many_that_were_changed_some_are_named(database):
    with database.write() as session:
        make = Make(session)
        deals = [make.opportunity(name=f"Deal {number}").id for number in range(5)]
    changes = OpportunityUpdate(source="Fair")
    first = done(database, lambda s: opportunity_service.update_opportunities(s, deals, changes))
    done(database, lambda s: opportunity_service.delete_opportunities(s, deals))

    with refusal(database, ChangedSince, "“Deal 2” by .*; and 2 more.", actor=LOCAL_USER_ID) as session:
        undo(session, first)


def test_what_is_pending_counts_as_a_later_change(database, sold):
    lost = done(database, lambda session: lose(session, sold))

    with database.write(actor=LOCAL_USER_ID) as session:
        opportunity_service.update_opportunity(session, sold["deal"], OpportunityUpdate(name="Other"))
        with pytest.raises(ChangedSince, match="“Other”"):
            undo(session, lost)


def test_undone_once_is_undone(database, sold):
    lost = done(database, lambda session: lose(session, sold))
    undone(database, lost)

    with refusal(database, ChangedSince, "“Solar roof” by Local user", actor=LOCAL_USER_ID) as session:
        undo(session, lost)


@pytest.fixture
def people(database):
    with database.write() as session:
        return Make(session).people()


def test_only_ones_own_actions_are_undone(database, sold, people):
    changes = ContactUpdate(job_title="Boss")
    rita_did = done(
        database,
        lambda session: contact_service.update_contact(session, sold["contact"], changes),
        actor=people.rita,
    )

    for actor in (people.mia, LOCAL_USER_ID, None):
        with refusal(database, ActionOfSomebodyElse, "Only whoever made this change", actor=actor) as session:
            undo(session, rita_did)
    undone(database, rita_did, actor=people.rita)


def test_no_action_has_such_an_id(database):
    for transaction in (-1, 0, 999, 2**31, 2**63):
        with refusal(database, ActionNotFound, "no such change", actor=LOCAL_USER_ID) as session:
            undo(session, transaction)


def test_what_was_given_away_is_no_longer_ones_own(database, people):
    with database.write() as session:
        deal = Make(session).opportunity(owner_id=people.rita).id
    given = done(
        database,
        lambda session: opportunity_service.assign_opportunities(session, [deal], owner_id=people.otto),
        actor=people.rita,
    )

    with refusal(database, BelongsToSomebodyElse, "belongs to Otto Other", actor=people.rita) as session:
        undo(session, given)
    with database.write() as session:
        session.get_one(Settings, 1).visibility = Visibility.OWN
    with refusal(database, RecordNotFound, "There is no opportunity", actor=people.rita) as session:
        undo(session, given)


def test_nothing_goes_back_to_somebody_who_left(database, people):
    with database.write() as session:
        deal = Make(session).opportunity(owner_id=people.rita).id
    given = done(database, lambda s: opportunity_service.assign_opportunities(s, [deal], owner_id=None))
    with database.write() as session:
        session.get_one(User, people.rita).is_active = False

    with refusal(database, OwnerIsInactive, "Rita Rep no longer works here", actor=LOCAL_USER_ID) as session:
        undo(session, given)


def test_what_was_deleted_comes_back_only_to_what_is_there(database, sold):
    deleted = done(database, lambda s: opportunity_service.delete_opportunity(s, sold["deal"]))
    with database.write() as session:
        contact_service.delete_contact(session, sold["contact"])

    with refusal(database, BelongsToDeleted, "the contact “Ada", actor=LOCAL_USER_ID) as session:
        undo(session, deleted)


def test_nothing_goes_back_to_a_company_that_was_deleted(database, sold):
    def leave(session: Session) -> None:
        contact_service.update_contact(session, sold["contact"], ContactUpdate(company_id=None))
        opportunity_service.update_opportunity(session, sold["deal"], OpportunityUpdate(company_id=None))

    left = done(database, leave)
    with database.write() as session:
        company_service.delete_company(session, sold["company"])

    with refusal(database, BelongsToDeleted, "the company “Acme”", actor=LOCAL_USER_ID) as session:
        undo(session, left)


def test_what_others_came_to_need_stays(database):
    companies, contacts = [], []
    company = done(
        database,
        lambda s: companies.append(company_service.create_company(s, CompanyCreate(name="Acme")).id),
    )
    contact = done(
        database,
        lambda s: contacts.append(contact_service.create_contact(s, ContactCreate(name="Ada")).id),
    )
    with database.write() as session:
        make = Make(session)
        make.opportunity(company_id=companies[0], contact_id=contacts[0])
        make.opportunity(company_id=companies[0], deleted_at=NOW)
        make.contact("Bea", company_id=companies[0])

    with refusal(
        database, CompanyIsInUse, "“Acme” still has 1 deal and 1 contact", actor=LOCAL_USER_ID
    ) as session:
        undo(session, company)
    with refusal(database, ContactIsInUse, "“Ada” is still on 1 deal", actor=LOCAL_USER_ID) as session:
        undo(session, contact)


def test_what_came_together_goes_together(database):
    def create(session: Session) -> None:
        company = company_service.create_company(session, CompanyCreate(name="Acme"))
        contact = contact_service.create_contact(session, ContactCreate(name="Ada", company_id=company.id))
        draft = OpportunityCreate(name="Roof", company_id=company.id, contact_id=contact.id)
        opportunity_service.create_opportunity(session, draft)

    undone(database, done(database, create))

    assert all(row["deleted_at"] for row in all_rows(database).values())


def test_a_merge_of_an_earlier_version_stays(database):
    """It moved the notes, and the merged record did not say where to."""
    with database.write() as session:
        two = Make(session).company("Two").id
    with database.write(actor=LOCAL_USER_ID) as session:
        company_service.delete_company(session, two)
        history.transaction_of(session).is_merge = True
        merged = current_transaction(session)

    with refusal(database, MergeStays, "an earlier version can't be undone", actor=LOCAL_USER_ID) as session:
        undo(session, merged)


def test_an_import_stays(database):
    with database.write(actor=LOCAL_USER_ID, source=Source.IMPORT) as session:
        Make(session).opportunity()
        imported = current_transaction(session)

    with refusal(database, ImportStays, "An import can't be undone", actor=LOCAL_USER_ID) as session:
        undo(session, imported)


def test_settings_and_notes_are_not_undone(database, sold):
    with database.write(actor=LOCAL_USER_ID) as session:
        settings_service.update_settings(session, SettingsUpdate(currency="EUR"))
        note_service.add_note(session, NoteCreate(text="Called", opportunity_id=sold["deal"]))
        assert current_transaction(session) is None
        settings = history.transaction_of(session).id

    with refusal(database, NothingToUndo, "changed no record", actor=LOCAL_USER_ID) as session:
        undo(session, settings)


def test_what_was_created_and_deleted_at_once_left_nothing_to_undo(database):
    def come_and_go(session: Session) -> None:
        lead = lead_service.create_lead(session, LeadCreate(name="New"))
        lead_service.delete_lead(session, lead.id)

    nothing = done(database, come_and_go)

    with refusal(database, NothingToUndo, "changed no record", actor=LOCAL_USER_ID) as session:
        undo(session, nothing)


def test_a_transaction_that_changed_nothing_has_no_id(database, sold):
    with database.write(actor=LOCAL_USER_ID) as session:
        opportunity_service.update_opportunity(session, sold["deal"], OpportunityUpdate(name="Solar roof"))
        assert current_transaction(session) is None
    with database.read(actor=LOCAL_USER_ID) as session:
        assert current_transaction(session) is None


def test_the_running_transaction_is_known_before_it_is_kept(database, sold):
    lost = done(database, lambda session: lose(session, sold))

    with database.read() as session:
        assert history.newest(session)[0] == lost


@contextmanager
def counted_statements(database: Database) -> Iterator[list[str]]:
    executed: list[str] = []

    def note(_connection, _cursor, statement, *_others) -> None:
        executed.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield executed
    event.remove(database.engine, "before_cursor_execute", note)


def test_many_are_undone_in_few_statements(database):
    number = 1_200
    with database.write() as session:
        session.add_all(Lead(name=f"Lead {each}") for each in range(number))
        session.flush()
        leads = list(session.scalars(select(Lead.id)))
    before = all_rows(database)
    many = done(database, lambda s: lead_service.update_leads(s, leads, LeadUpdate(source="Fair")))

    with counted_statements(database) as executed, database.write(actor=LOCAL_USER_ID) as session:
        assert undo(session, many) == number

    assert all_rows(database) == before
    assert len(executed) < 60


def test_no_more_are_undone_than_are_changed_at_once(database):
    with database.write(at=NOW, actor=LOCAL_USER_ID) as session:
        lead = {"name": "Lead", "status": LeadStatus.NEW, "created_at": NOW}
        leads = ([(NOW, lead | {"id": key})] for key in range(1, MOST_AT_ONCE + 2))
        history.insert_with_past(session, Lead, leads)
        many = history.transaction_of(session).id

    with database.write(actor=LOCAL_USER_ID) as session, pytest.raises(TooMuchToUndo, match="10,001 records"):
        undo(session, many)
