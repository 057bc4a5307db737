"""What was noted and changed on a lead is read on its deal, on the deal's contact, and on its company."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import pytest

from crm_core.database import Database
from crm_core.models import LOCAL_USER_ID, LeadStatus, Settings, Visibility
from crm_core.schemas.conversion import ConversionChoice
from crm_core.schemas.lead import LeadUpdate
from crm_core.schemas.note import NoteCreate
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import company_service, contact_service, lead_service, opportunity_service
from crm_core.services.note_service import add_note, get_notes
from crm_core.services.opportunity_service import convert_lead_to_opportunity
from crm_core.services.records import RecordNotFound
from tests.builders import Make
from tests.conftest import NOW
from tests.crm_core.services.actions import done, undone

pytestmark = pytest.mark.both_databases

T = TypeVar("T")

AN_HOUR = timedelta(hours=1)
HISTORIES = {
    "opportunity_id": opportunity_service.get_whole_history,
    "contact_id": contact_service.get_whole_history,
    "company_id": company_service.get_whole_history,
}


@dataclass(frozen=True)
class Sale:
    """The ids of a converted lead, with a note, and of what became of it; and the transaction that did it."""

    lead: int
    keys: dict[str, int]
    conversion: int


@pytest.fixture
def sale(database: Database) -> Sale:
    lead = new_lead(database, "Zed", "wants a quote")
    converted = []
    action = done(database, lambda session: converted.append(convert_lead_to_opportunity(session, lead)))
    (conversion,) = converted
    steps = ("opportunity", "contact", "company")
    return Sale(lead, {f"{step}_id": getattr(conversion, step).id for step in steps}, action)


def new_lead(database: Database, name: str, *notes: str) -> int:
    with database.write() as session:
        make = Make(session)
        lead = make.lead(name, company_name="Notes Co", email=f"{name}@notes.example").id
        for text in notes:
            make.note(text, lead_id=lead, created_at=NOW)
    with database.write(actor=LOCAL_USER_ID) as session:
        lead_service.update_lead(session, lead, LeadUpdate(status=LeadStatus.QUALIFIED))
    return lead


def on_each(keys: Iterable[str], told: T) -> dict[str, T]:
    """The same for each of the records."""
    return dict.fromkeys(keys, told)


def read(database: Database, keys: dict[str, int], actor: int | None = None) -> dict[str, list[str]]:
    """The notes on each of the records."""
    with database.read(actor=actor) as session:
        return {name: [note.text for note in get_notes(session, **{name: key})] for name, key in keys.items()}


def leads_in(database: Database, keys: dict[str, int], actor: int | None = None) -> dict[str, set[str]]:
    """The leads in the history of each of the records."""
    with database.read(actor=actor) as session:
        return {
            name: {each.name for each in HISTORIES[name](session, key) if each.kind == "lead"}
            for name, key in keys.items()
        }


def test_its_notes_are_read_on_each_with_where_they_come_from(database, sale):
    for name, key in sale.keys.items():
        with database.write(actor=LOCAL_USER_ID) as session:
            add_note(session, NoteCreate(text=f"on {name}", **{name: key}))

        with database.read() as session:
            own, leads = get_notes(session, **{name: key})

        assert (own.text, getattr(own, name), own.lead_id) == (f"on {name}", key, None)
        assert (leads.text, leads.lead_id, leads.record_name) == ("wants a quote", sale.lead, "Zed")
        assert {getattr(leads, other) for other in sale.keys} == {None}
    assert read(database, {"lead_id": sale.lead}) == {"lead_id": ["wants a quote"]}


def test_notes_of_both_come_newest_first_page_by_page(database, sale):
    deal = sale.keys["opportunity_id"]
    with database.write() as session:
        for hour, subject in enumerate(["lead_id", "opportunity_id"] * 3, start=1):
            make = Make(session)
            key = sale.lead if subject == "lead_id" else deal
            make.note(f"{hour}", created_at=NOW + hour * AN_HOUR, **{subject: key})

    with database.read() as session:
        pages = [get_notes(session, opportunity_id=deal, limit=2, offset=at) for at in range(0, 8, 2)]

    texts = [[note.text for note in page] for page in pages]
    assert texts == [["6", "5"], ["4", "3"], ["2", "1"], ["wants a quote"]]


def test_a_note_on_the_lead_from_after_its_conversion_is_read_too(database, sale):
    with database.write(actor=LOCAL_USER_ID) as session:
        add_note(session, NoteCreate(text="later", lead_id=sale.lead))

    assert read(database, sale.keys) == on_each(sale.keys, ["later", "wants a quote"])


def test_its_history_is_told_with_that_of_each(database, sale):
    for name, key in sale.keys.items():
        with database.read() as session:
            found = HISTORIES[name](session, key)
            pages = [HISTORIES[name](session, key, limit=1, offset=at) for at in range(len(found) + 1)]

        told = [each for each in found if each.kind == "lead"]
        assert [(each.name, each.record_id, each.entry.version) for each in told] == [
            ("Zed", sale.lead, version) for version in (3, 2, 1)
        ]
        assert found == sorted(found, key=lambda each: each.entry.at, reverse=True)
        assert pages == [*([each] for each in found), []]


def test_each_entry_is_that_of_the_leads_own_history(database, sale):
    with database.read() as session:
        own = lead_service.get_history(session, sale.lead)
        found = opportunity_service.get_whole_history(session, sale.keys["opportunity_id"])
        deals = opportunity_service.get_history(session, sale.keys["opportunity_id"])

    assert [each.entry for each in found if each.kind == "lead"] == own
    assert [each.entry for each in found if each.kind == "opportunity"] == deals


def test_several_leads_of_one_deal_are_read_on_it(database, sale):
    second = new_lead(database, "Yan", "so do I")
    choice = ConversionChoice(opportunity_id=sale.keys["opportunity_id"])
    with database.write() as session:
        convert_lead_to_opportunity(session, second, choice)

    notes = {name: sorted(texts) for name, texts in read(database, sale.keys).items()}
    assert notes == on_each(sale.keys, ["so do I", "wants a quote"])
    assert leads_in(database, sale.keys) == on_each(sale.keys, {"Zed", "Yan"})


def test_they_follow_the_deal(database, sale):
    with database.write() as session:
        make = Make(session)
        moved = {"company_id": make.company("Other").id, "contact_id": make.contact("Bob").id}
        changes = OpportunityUpdate(**moved)
        opportunity_service.update_opportunity(session, sale.keys["opportunity_id"], changes)

    assert read(database, moved) == on_each(moved, ["wants a quote"])
    left = {name: sale.keys[name] for name in moved}
    assert read(database, left) == on_each(moved, [])
    assert leads_in(database, left) == on_each(moved, set())


def test_they_follow_a_merge_and_its_undo(database, sale):
    with database.write() as session:
        make = Make(session)
        kept = {"company_id": make.company("Kept").id, "contact_id": make.contact("Kept").id}
    merges = {"company_id": company_service.merge_companies, "contact_id": contact_service.merge_contacts}
    for name, merge in merges.items():
        merged = done(database, lambda session, m=merge, n=name: m(session, kept[n], sale.keys[n]))
        assert read(database, {name: kept[name]}) == {name: ["wants a quote"]}
        assert leads_in(database, {name: kept[name]}) == {name: {"Zed"}}

        undone(database, merged)
        assert read(database, {name: kept[name]}) == {name: []}
        assert read(database, {name: sale.keys[name]}) == {name: ["wants a quote"]}


def test_an_undone_conversion_takes_them_back(database):
    lead = new_lead(database, "Zed", "wants a quote")
    with database.write() as session:
        make = Make(session)
        company, contact = make.company().id, make.contact().id
        deal = make.opportunity(company_id=company, contact_id=contact).id
    keys = {"opportunity_id": deal, "contact_id": contact, "company_id": company}
    choice = ConversionChoice(opportunity_id=deal)
    converted = done(database, lambda session: convert_lead_to_opportunity(session, lead, choice))
    assert read(database, keys) == on_each(keys, ["wants a quote"])

    undone(database, converted)

    assert read(database, keys) == on_each(keys, [])
    assert leads_in(database, keys) == on_each(keys, set())


def test_the_notes_of_a_deleted_lead_are_gone_but_not_its_history(database, sale):
    with database.write() as session:
        lead_service.delete_lead(session, sale.lead)

    assert read(database, sale.keys) == on_each(sale.keys, [])
    assert leads_in(database, sale.keys) == on_each(sale.keys, {"Zed"})


def test_the_notes_of_a_deleted_deals_lead_are_gone_with_it(database, sale):
    with database.write() as session:
        opportunity_service.delete_opportunity(session, sale.keys["opportunity_id"])

    left = {name: key for name, key in sale.keys.items() if name != "opportunity_id"}
    assert read(database, left) == on_each(left, [])
    with pytest.raises(RecordNotFound):
        read(database, sale.keys)


def test_only_leads_that_the_actor_may_read_are_told(database, sale):
    with database.write() as session:
        people = Make(session).people()
        session.get_one(Settings, 1).visibility = Visibility.OWN
        lead_service.assign_leads(session, [sale.lead], owner_id=people.otto)

    assert read(database, sale.keys, actor=people.rita) == on_each(sale.keys, [])
    assert leads_in(database, sale.keys, actor=people.rita) == on_each(sale.keys, set())
    assert read(database, sale.keys, actor=people.otto) == on_each(sale.keys, ["wants a quote"])
    assert leads_in(database, sale.keys, actor=people.otto) == on_each(sale.keys, {"Zed"})
