"""The story of a company is that of its contacts and deals, too."""

import pytest
from sqlalchemy import event

from crm_core.errors import InvalidInput
from crm_core.models import OpportunityStage, Settings, Source, Visibility
from crm_core.schemas.company import CompanyUpdate
from crm_core.schemas.contact import ContactUpdate
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import company_service, contact_service, opportunity_service
from crm_core.services.company_service import get_whole_history
from crm_core.services.records import RecordNotFound
from tests.builders import Make

S = OpportunityStage


@pytest.fixture
def told(database):
    """The ids of a company, its contact and its deal, about all of which something was changed since."""
    with database.write() as session:
        make = Make(session)
        people = make.people()
        acme, other = make.company("Acme", owner_id=people.rita).id, make.company("Other").id
        make.contact("Nobody's", company_id=other)
    with database.write(actor=people.rita) as session:
        make = Make(session)
        ada = make.contact("Ada", company_id=acme, owner_id=people.rita).id
        deal = make.opportunity(name="Roof", company_id=acme, contact_id=ada, owner_id=people.rita).id
    with database.write(actor=people.mia, source=Source.UI, note="By phone") as session:
        opportunity_service.move_opportunity(session, deal, to=S.PROPOSAL)
        contact_service.update_contact(session, ada, ContactUpdate(name="Ada Lovelace"))
    with database.write() as session:
        company_service.update_company(session, acme, CompanyUpdate(country="UK"))
    return {"acme": acme, "ada": ada, "deal": deal, "rita": people.rita, "otto": people.otto}


def summary(entries):
    return [(each.kind, each.name, each.entry.version) for each in entries]


EVERYTHING = [
    ("company", "Acme", 2),
    ("contact", "Ada Lovelace", 2),
    ("opportunity", "Roof", 2),
    ("contact", "Ada Lovelace", 1),
    ("opportunity", "Roof", 1),
    ("company", "Acme", 1),
]


def test_everything_is_told_newest_first(database, told):
    with database.read() as session:
        found = get_whole_history(session, told["acme"])

    assert summary(found) == EVERYTHING
    assert [each.record_id for each in found[:3]] == [told["acme"], told["ada"], told["deal"]]


def test_each_entry_is_that_of_its_records_own_history(database, told):
    with database.read() as session:
        found = get_whole_history(session, told["acme"])
        own = {
            "company": company_service.get_history(session, told["acme"]),
            "contact": contact_service.get_history(session, told["ada"]),
            "opportunity": opportunity_service.get_history(session, told["deal"]),
        }

    for kind, entries in own.items():
        assert [each.entry for each in found if each.kind == kind] == entries


def test_pages_add_up_to_everything(database, told):
    with database.read() as session:
        for size in (1, 2, 4, 6):
            pages = [
                summary(get_whole_history(session, told["acme"], limit=size, offset=offset))
                for offset in range(0, 8, size)
            ]
            assert [entry for page in pages for entry in page] == EVERYTHING, size


def test_only_what_the_actor_may_read_is_told(database, told):
    with database.write() as session:
        session.get_one(Settings, 1).visibility = Visibility.OWN
        opportunity_service.assign_opportunities(session, [told["deal"]], owner_id=told["otto"])

    with database.read(actor=told["rita"]) as session:
        assert {each.kind for each in get_whole_history(session, told["acme"])} == {"company", "contact"}
    with database.read(actor=told["otto"]) as session, pytest.raises(RecordNotFound):
        get_whole_history(session, told["acme"])


def test_what_was_deleted_is_told_and_what_moved_away_is_not(database, told):
    with database.write() as session:
        other = Make(session).company("Elsewhere").id
        opportunity_service.update_opportunity(session, told["deal"], OpportunityUpdate(company_id=other))
        opportunity_service.delete_opportunity(session, told["deal"])
        contact_service.delete_contact(session, told["ada"])
        company_service.delete_company(session, told["acme"])

    with database.read() as session:
        found = get_whole_history(session, told["acme"])
    assert {each.kind for each in found} == {"company", "contact"}
    assert [change.field for change in found[0].entry.changes] == ["deleted_at"]


def test_more_records_take_no_more_statements(database, told):
    def statements() -> int:
        executed: list[str] = []
        listener = "before_cursor_execute", lambda *what: executed.append(what[2])
        with database.read(actor=told["rita"]) as session:
            event.listen(database.engine, *listener)
            get_whole_history(session, told["acme"])
            event.remove(database.engine, *listener)
        return len(executed)

    few = statements()
    with database.write() as session:
        make = Make(session)
        for _ in range(20):
            make.contact(company_id=told["acme"])
            make.opportunity(company_id=told["acme"], contact_id=told["ada"])

    assert statements() == few


@pytest.mark.parametrize("page", [{"limit": 0}, {"limit": 201}, {"offset": -1}, {"offset": 2**31}])
def test_a_page_has_a_size(session, make, page):
    with pytest.raises(InvalidInput):
        get_whole_history(session, make.company().id, **page)


@pytest.mark.parametrize("company_id", [-1, 0, 99, 2**31, 2**63])
def test_no_company_has_such_an_id(session, company_id):
    with pytest.raises(RecordNotFound):
        get_whole_history(session, company_id)
