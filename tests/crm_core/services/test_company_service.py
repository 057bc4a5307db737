"""What only companies have: a domain, and contacts and deals that hold them.

What is the same for every kind of record is in test_every_noun.py.
"""

import pytest

from crm_core.models import Settings, Visibility
from crm_core.schemas.company import CompanyCreate, CompanyUpdate
from crm_core.schemas.contact import ContactUpdate
from crm_core.services.company_service import CompanyIsInUse, create_company, delete_company, update_company
from crm_core.services.contact_service import delete_contact, update_contact
from crm_core.services.opportunity_service import delete_opportunity
from tests.builders import Make
from tests.conftest import NOW
from tests.crm_core.services.refusals import refusal


def test_a_new_companys_domain_follows_from_its_website_unless_it_is_given(session):
    follows = create_company(session, CompanyCreate(name="Acme", website="https://www.acme.io/about"))
    given = create_company(session, CompanyCreate(name="Acme", website="acme.io", domain="acme.com"))

    assert (follows.domain, given.domain) == ("acme.io", "acme.com")


def test_a_new_website_gives_a_domain_only_where_there_is_none(session, make):
    for known, changes, domain in (
        (None, {"website": "https://www.acme.io/about"}, "acme.io"),
        ("acme.com", {"website": "https://acme.io"}, "acme.com"),
        (None, {"website": "https://acme.io", "domain": "acme.org"}, "acme.org"),
        (None, {"website": "https://acme.io", "domain": None}, None),
        ("acme.com", {"website": "https://acme.io", "domain": None}, None),
        ("acme.com", {"website": None}, "acme.com"),
        (None, {"website": None}, None),
    ):
        company = make.company(website="https://acme.example", domain=known)
        update_company(session, company.id, CompanyUpdate(**changes))
        assert (company.website, company.domain) == (changes["website"], domain), (known, changes)


def test_a_company_with_deals_or_contacts_is_not_deleted(session, make):
    company, other = make.company("Acme"), make.company("Bolt")
    deals = [make.opportunity(company_id=company.id), make.won(5, company_id=company.id)]
    contact = make.contact(company_id=company.id)
    make.opportunity(company_id=other.id)

    with pytest.raises(CompanyIsInUse, match=r"“Acme” still has 2 deals and 1 contact\. Merge it into"):
        delete_company(session, company.id)
    delete_opportunity(session, deals[0].id)
    with pytest.raises(CompanyIsInUse, match=r"“Acme” still has 1 deal and 1 contact\."):
        delete_company(session, company.id)
    delete_opportunity(session, deals[1].id)
    with pytest.raises(CompanyIsInUse, match=r"“Acme” still has 1 contact\."):
        delete_company(session, company.id)
    assert company.deleted_at is None

    update_contact(session, contact.id, ContactUpdate(company_id=other.id))
    delete_company(session, company.id)
    assert company.deleted_at == NOW


def test_what_was_deleted_before_its_company_does_not_keep_it(session, make):
    company = make.company()
    contact = make.contact(company_id=company.id)

    delete_contact(session, contact.id)

    assert delete_company(session, company.id).deleted_at == NOW


def test_deals_that_the_actor_may_not_see_keep_the_company_too(database):
    with database.write() as session:
        make = Make(session)
        people = make.people()
        key = make.company(owner_id=people.rita).id
        make.opportunity(company_id=key, owner_id=people.otto)

    for visibility in (Visibility.TEAM, Visibility.OWN):
        with database.write() as session:
            session.get_one(Settings, 1).visibility = visibility
        with refusal(database, CompanyIsInUse, "1 deal", actor=people.rita) as session:
            delete_company(session, key)
