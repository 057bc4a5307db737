"""What only contacts have: a company that they come back to, and deals that hold them.

What is the same for every kind of record is in test_every_noun.py.
"""

import pytest

from crm_core.models import Settings, Visibility
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services.company_service import delete_company, restore_company
from crm_core.services.contact_service import ContactIsInUse, delete_contact, restore_contact
from crm_core.services.opportunity_service import delete_opportunity, update_opportunity
from crm_core.services.records import BelongsToDeleted
from tests.builders import Make
from tests.conftest import NOW
from tests.crm_core.services.refusals import refusal


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


def test_deals_that_the_actor_may_not_see_keep_the_contact_too(database):
    with database.write() as session:
        make = Make(session)
        people = make.people()
        key = make.contact(owner_id=people.rita).id
        make.opportunity(contact_id=key, owner_id=people.otto)

    for visibility in (Visibility.TEAM, Visibility.OWN):
        with database.write() as session:
            session.get_one(Settings, 1).visibility = visibility
        with refusal(database, ContactIsInUse, "1 deal", actor=people.rita) as session:
            delete_contact(session, key)
