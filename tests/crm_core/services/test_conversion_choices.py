"""What the user picks for a lead that becomes a deal, and what is made anew."""

from decimal import Decimal

import pytest

from crm_core.errors import NotFound
from crm_core.models import (
    CLOSED_STAGES,
    Company,
    Contact,
    LeadStatus,
    Opportunity,
    OpportunityStage,
    Settings,
    Visibility,
)
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.schemas.conversion import ConversionChoice, ConversionStep, How
from crm_core.services.opportunity_service import (
    OpportunityIsClosed,
    convert_lead_to_opportunity,
    get_opportunity,
    preview_conversion,
)
from tests.builders import Make, stored
from tests.conftest import NOW
from tests.crm_core.importing.conftest import every_row
from tests.crm_core.services.refusals import refusal

QUALIFIED = LeadStatus.QUALIFIED
S = OpportunityStage


@pytest.fixture
def lead(make):
    """Makes a qualified lead of whom nothing but the name is known, and what the test says."""
    return lambda **answers: make.lead(**{"status": QUALIFIED, **answers})


def test_a_company_that_was_picked_is_taken(session, make, lead):
    make.company("Acme", domain="acme.example")
    picked = make.company("Picked")
    grace = lead(email="g@acme.example", company_name="Acme")

    result = convert_lead_to_opportunity(session, grace.id, ConversionChoice(company_id=picked.id))

    assert result.company == ConversionStep(id=picked.id, name="Picked", how=How.PICKED)
    assert session.get_one(Contact, result.contact.id).company_id == picked.id
    assert get_opportunity(session, result.opportunity.id).company_id == picked.id


def test_a_contact_that_was_picked_is_taken_with_the_company(session, make, lead):
    make.contact("Grace Hopper", email="g@acme.example")
    company = make.company("Picked")
    picked = make.contact("Ada Lovelace", company_id=company.id)

    result = convert_lead_to_opportunity(
        session, lead(email="g@acme.example").id, ConversionChoice(contact_id=picked.id)
    )

    assert result.contact == ConversionStep(id=picked.id, name="Ada Lovelace", how=How.PICKED)
    assert result.company == ConversionStep(id=company.id, name="Picked", how=How.PICKED)


def test_a_deal_that_was_picked_keeps_what_it_has_and_gets_what_it_lacks(session, make, lead):
    full = make.opportunity(
        name="Full",
        stage=S.NEGOTIATION,
        expected_value=Decimal(7),
        company_id=make.company("Acme").id,
        contact_id=make.contact("Ada").id,
        owner_id=make.user().id,
        lead_id=lead().id,
    )
    bare = make.opportunity(name="Bare")
    before = stored(session, Opportunity, Company, Contact)
    known = {"company_name": "Navy", "email": "g@navy.example", "estimated_value": Decimal(10)}

    result = convert_lead_to_opportunity(session, lead(**known).id, ConversionChoice(opportunity_id=full.id))
    assert stored(session, Opportunity, Company, Contact) == before
    assert result.opportunity == ConversionStep(id=full.id, name="Full", how=How.PICKED)
    assert (result.company.id, result.company.how) == (full.company_id, How.PICKED)
    assert (result.contact.id, result.contact.how) == (full.contact_id, How.PICKED)

    grace = lead(**known)
    result = convert_lead_to_opportunity(session, grace.id, ConversionChoice(opportunity_id=bare.id))
    assert (bare.company_id, bare.contact_id, bare.lead_id) == (
        result.company.id,
        result.contact.id,
        grace.id,
    )
    assert (bare.name, bare.stage, bare.expected_value) == ("Bare", S.QUALIFICATION, None)
    assert grace.opportunity_id == bare.id


def test_a_closed_deal_is_not_picked(session, make, lead):
    grace = lead(company_name="Navy")
    for stage in CLOSED_STAGES:
        choice = ConversionChoice(opportunity_id=make.opportunity(name="Solar roof", stage=stage).id)
        before = stored(session)

        for verb in (preview_conversion, convert_lead_to_opportunity):
            with pytest.raises(OpportunityIsClosed, match=f"“Solar roof” is already {stage.label}"):
                verb(session, grace.id, choice)

        assert stored(session) == before


def test_what_is_not_there_is_not_picked(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        lead_id = make.lead(status=QUALIFIED, company_name="Navy").id
        gone = {
            "company_id": make.company(deleted_at=NOW).id,
            "contact_id": make.contact(deleted_at=NOW).id,
            "opportunity_id": make.opportunity(deleted_at=NOW).id,
            "owner_id": 999,
        }
    words = "There is no .* it may have been deleted"

    for field, deleted in gone.items():
        before = every_row(database)
        for key in (deleted, 998, 2**31 - 1):
            with database.write() as session, pytest.raises(NotFound, match=words):
                convert_lead_to_opportunity(session, lead_id, ConversionChoice(**{field: key}))
        assert every_row(database) == before, field


def test_a_deal_of_somebody_else_is_not_picked(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        rita, sam = make.user("Rita").id, make.user("Sam").id
        deal = make.opportunity(owner_id=sam).id
        lead_id = make.lead(status=QUALIFIED, owner_id=rita, company_name="Navy").id
        theirs = make.lead(status=QUALIFIED, owner_id=sam).id

    with refusal(database, BelongsToSomebodyElse, "belongs to Sam", actor=rita) as session:
        convert_lead_to_opportunity(session, lead_id, ConversionChoice(opportunity_id=deal))
    with refusal(database, BelongsToSomebodyElse, "belongs to Sam", actor=rita) as session:
        convert_lead_to_opportunity(session, theirs)


def test_a_deal_can_be_picked_though_its_company_is_not_the_users_to_read(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        session.get_one(Settings, 1).visibility = Visibility.OWN
        rita, sam = make.user("Rita").id, make.user("Sam").id
        company, contact = make.company(owner_id=sam).id, make.contact(owner_id=sam).id
        deal = make.opportunity(owner_id=rita, company_id=company, contact_id=contact).id
        lead = make.lead(status=QUALIFIED, owner_id=rita, company_name="Navy").id

    with database.write(actor=rita) as session:
        result = convert_lead_to_opportunity(session, lead, ConversionChoice(opportunity_id=deal))

    assert (result.opportunity.id, result.company.how) == (deal, How.PICKED)
    with database.read() as session:
        found = get_opportunity(session, deal)
        assert (found.company_id, found.contact_id, found.lead_id) == (company, contact, lead)


def test_a_contact_can_be_picked_though_the_company_is_not_the_users_to_read(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        session.get_one(Settings, 1).visibility = Visibility.OWN
        rita, sam = make.user("Rita").id, make.user("Sam").id
        contact = make.contact(owner_id=rita, company_id=make.company(owner_id=sam).id).id
        lead = make.lead(status=QUALIFIED, owner_id=rita, company_name="Navy").id
    choice = ConversionChoice(contact_id=contact)

    with database.write(actor=rita) as session:
        preview = preview_conversion(session, lead, choice)
        result = convert_lead_to_opportunity(session, lead, choice)
        deal = get_opportunity(session, result.opportunity.id)

        assert (result.company.how, result.contact) == (preview.company.how, preview.contact)
        assert (deal.company_id, deal.contact_id) == (result.company.id, contact)


def test_a_new_company_and_a_new_contact_are_made_where_the_user_wants_them(session, make, lead):
    old = make.company("Navy", domain="navy.example")
    known = make.contact("Grace Hopper", email="g@navy.example", company_id=old.id)
    wanted = {"email": "g@navy.example", "company_name": "Navy"}

    result = convert_lead_to_opportunity(session, lead(**wanted).id, ConversionChoice(new_company=True))
    assert (result.company.how, result.contact.id) == (How.CREATED, known.id)
    assert result.company.id != old.id

    result = convert_lead_to_opportunity(session, lead(**wanted).id, ConversionChoice(new_contact=True))
    assert (result.company.id, result.contact.how) == (old.id, How.CREATED)
    assert result.contact.id != known.id

    both = ConversionChoice(new_company=True, new_contact=True)
    result = convert_lead_to_opportunity(session, lead(**wanted).id, both)
    assert (result.company.how, result.contact.how) == (How.CREATED, How.CREATED)
    assert session.get_one(Contact, result.contact.id).company_id == result.company.id


def test_a_new_company_is_made_even_for_a_contact_that_has_one(session, make, lead):
    old = make.company("Old")
    contact = make.contact(company_id=old.id)
    choice = ConversionChoice(new_company=True, contact_id=contact.id)

    result = convert_lead_to_opportunity(session, lead(company_name="Navy").id, choice)

    assert (result.company.how, result.company.name) == (How.CREATED, "Navy")
    assert get_opportunity(session, result.opportunity.id).company_id == result.company.id
