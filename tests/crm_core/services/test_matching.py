"""Whom a lead is taken to be, and where they work: each rule by itself, and which comes first."""

import pytest
from sqlalchemy import select

from crm_core.models import Company, Contact, LeadStatus, Settings, Visibility
from crm_core.schemas.conversion import ConversionChoice, How, MatchRule
from crm_core.services.contact_service import find_duplicates
from crm_core.services.opportunity_service import convert_lead_to_opportunity, preview_conversion
from tests.builders import Make
from tests.conftest import NOW

THE_SAME_NUMBER = [
    "+1 (415) 555-0123",
    "+14155550123",
    "001 415 555 0123",
    "1-415-555-0123",
    "415.555.0123",
    "(415) 555 0123",
    "tel:4155550123",
    " 415/555/01/23 ",
]
A_NUMBER_AND_NOT_THE_SAME = [
    ("+1 415 555 0123", "+1 415 555 0124"),
    ("+1 415 555 0123", "555 0123"),
    ("12 34 56", "123456"),
    ("ask Ada", "ask Ada"),
    ("+1 415 555 0123", "+41 415 555 0123"),
    (None, None),
    ("", ""),
]


@pytest.fixture
def lead(make):
    """Makes a qualified lead of whom nothing but the name is known, and what the test says."""
    return lambda **answers: make.lead(**{"status": LeadStatus.QUALIFIED, **answers})


def found(session, lead, **choice):
    """By which rule the company and the contact were found; None where they were not."""
    plan = preview_conversion(session, lead.id, ConversionChoice(**choice))
    return (plan.company.id, plan.company.rule), (plan.contact.id, plan.contact.rule)


NOBODY = (None, None)


def test_a_contact_is_known_by_the_email_address_in_any_case(session, make, lead):
    company = make.company("Other")
    contact = make.contact("G. H.", email="Grace.HOPPER@Navy.Example", company_id=company.id)

    assert found(session, lead(email="grace.hopper@NAVY.example")) == (
        (company.id, MatchRule.EMAIL),
        (contact.id, MatchRule.EMAIL),
    )
    assert found(session, lead(email="hopper@navy.example")) == (NOBODY, NOBODY)


def test_a_company_is_known_by_the_domain_of_the_email_address(session, make, lead):
    company = make.company("Navy", domain="navy.example")

    for email in ("grace@navy.example", "grace@NAVY.Example"):
        assert found(session, lead(email=email)) == ((company.id, MatchRule.EMAIL_DOMAIN), NOBODY)
    for email in ("grace@oldnavy.example", "grace@mail.navy.example", "grace@navy.example.com"):
        assert found(session, lead(email=email)) == (NOBODY, NOBODY)


@pytest.mark.parametrize("domain", ["gmail.com", "GoogleMail.com", "gmx.de", "outlook.com", "qq.com"])
def test_a_public_mail_domain_is_no_company(session, make, lead, domain):
    make.company("Somebody's", domain=domain.lower())
    grace = lead(email=f"grace@{domain}", company_name="Navy")

    result = convert_lead_to_opportunity(session, grace.id)

    assert (result.company.how, result.company.name) == (How.CREATED, "Navy")
    assert session.get_one(Company, result.company.id).domain is None


@pytest.mark.both_databases
def test_a_contact_is_known_by_the_phone_number_in_any_notation(session, make, lead):
    company = make.company()
    contact = make.contact("G. H.", phone=THE_SAME_NUMBER[0], company_id=company.id)
    everywhere = {}

    for there in THE_SAME_NUMBER:
        contact.phone = there
        session.flush()
        for here in THE_SAME_NUMBER:
            everywhere[there, here] = found(session, lead(phone=here))

    both = (company.id, MatchRule.PHONE), (contact.id, MatchRule.PHONE)
    assert everywhere == dict.fromkeys(everywhere, both)


def test_another_number_or_none_is_nobodys(session, make, lead):
    contact = make.contact("G. H.", company_id=make.company().id)

    for there, here in A_NUMBER_AND_NOT_THE_SAME:
        contact.phone = there
        assert found(session, lead(phone=here)) == (NOBODY, NOBODY), (there, here)


def test_a_short_number_is_compared_as_a_whole(session, make, lead):
    contact = make.contact("G. H.", phone="555-0123")

    assert found(session, lead(phone="555 01 23")) == (NOBODY, (contact.id, MatchRule.PHONE))


def test_behind_a_switchboard_the_name_decides(session, make, lead):
    company = make.company()
    for name in ("Ada Lovelace", "Grace Hopper", "Grace Hopper"):
        make.contact(name, phone="+1 415 555 0123", company_id=company.id)
    grace = session.scalars(
        select(Contact).where(Contact.name == "Grace Hopper").order_by(Contact.id)
    ).first()
    at_company = company.id, MatchRule.PHONE

    assert found(session, lead(name=" grace HOPPER ", phone="4155550123")) == (
        at_company,
        (grace.id, MatchRule.PHONE),
    )
    assert found(session, lead(name="Alan Turing", phone="4155550123")) == (at_company, NOBODY)

    make.contact("Alan Kay", phone="+1 415 555 0123", company_id=make.company("Tenant").id)
    assert found(session, lead(name="Alan Turing", phone="4155550123")) == (NOBODY, NOBODY)


def test_another_name_and_another_address_are_another_person(session, make, lead):
    """Whose number it is, nobody knows: an office's, a family's, an old one's."""
    session.get_one(Settings, 1).country = "CH"
    acme = make.company("Acme", domain="acme.example").id
    alice = make.contact("Alice Alt", email="alice@acme.example", phone="044 668 18 00", company_id=acme).id

    bob = lead(name="Bob Neu", email="bob@acme.example", phone="+41 44 668 18 00")
    assert found(session, bob) == ((acme, MatchRule.EMAIL_DOMAIN), NOBODY)
    namesake = lead(name="ALICE  ALT", email="alice.alt@gmail.com", phone="0446681800")
    assert found(session, namesake)[1] == (alice, MatchRule.PHONE)
    for short in ("A. Alt", "Alice", "alt, alice", "Alice M. Alt"):
        assert found(session, lead(name=short, phone="0446681800"))[1] == (alice, MatchRule.PHONE), short
    for another in ("Bob Neu", "Bob Alt", "B. Alt", "Alice Neu"):
        assert found(session, lead(name=another, phone="0446681800"))[1] == NOBODY, another


def test_who_names_another_company_works_there(session, make, lead):
    acme = make.company("Acme Industrial AG", domain="acme.example").id
    make.contact("Alice", phone="415 555 0123", company_id=acme)
    other = make.company("Else AG").id
    by_phone = (acme, MatchRule.PHONE)

    for known in (
        {},
        {"company_name": "acme"},
        {"company_name": "Acme Industrial"},
        {"email": "b@gmail.com"},
    ):
        assert found(session, lead(name="Bob", phone="4155550123", **known))[0] == by_phone, known
    for known in ({"company_name": "Beta AG"}, {"email": "bob@else.example"}):
        assert found(session, lead(name="Bob", phone="4155550123", **known))[0] == NOBODY, known
    named = lead(name="Bob", phone="4155550123", company_name="ELSE AG")
    assert found(session, named)[0] == (other, MatchRule.COMPANY_NAME)


def test_several_leads_with_one_number_and_no_address_become_several_contacts(session, make, lead):
    for name in ("Bob Neu", "Carl Alt", "B. Neu"):
        convert_lead_to_opportunity(session, lead(name=name, phone="415 555 0123", company_name="Acme").id)

    assert session.scalars(select(Contact.name).order_by(Contact.id)).all()[:2] == ["Bob Neu", "Carl Alt"]


def test_of_several_with_one_address_the_namesake_is_meant(session, make, lead):
    acme, branch = make.company("Acme").id, make.company("Branch").id
    alice = make.contact("Alice Alt", email="info@acme.example", company_id=acme).id
    bob = make.contact("Bob Neu", other_emails=("INFO@acme.example",), company_id=branch).id

    meant = {"BOB  Neu": (branch, bob), "Alice Alt": (acme, alice), "Carl": (acme, alice)}
    for name, expected in meant.items():
        company, contact = found(session, lead(name=name, email="info@acme.example"))
        assert (company[0], contact[0]) == expected, name


def test_another_extension_is_another_telephone(session, make, lead):
    alice = make.contact("Alice", phone="+1 415 555 0123 ext. 12").id

    assert found(session, lead(name="Alice Alt", phone="415 555 0123 x12"))[1] == (alice, MatchRule.PHONE)
    for phone in ("415 555 0123 x13", "415 555 0123"):
        assert found(session, lead(name="Alice Alt", phone=phone))[1] == NOBODY
        assert found(session, lead(name="alice", phone=phone))[1] == (alice, MatchRule.PHONE)


@pytest.mark.both_databases
def test_a_contact_is_known_by_every_address_and_number(session, make, lead):
    ada = make.contact(
        "Ada",
        email="ada@old.example",
        other_emails=("Ada@New.example", "ada@newer.example"),
        phone="415 555 0101",
        other_phones=("415 555 0202", "415 555 0303 x7"),
    ).id
    make.contact(
        "Bob", other_emails=("ada@new.example.org", "xada@new.example"), other_phones=("1 415 555 02",)
    )

    for email in ("ada@old.example", "ADA@new.example", "ada@newer.example"):
        assert found(session, lead(name="Ada", email=email))[1] == (ada, MatchRule.EMAIL), email
    for phone in ("4155550101", "+1 415 555 0202", "415-555-0303 ext 7"):
        assert found(session, lead(name="Ada L.", phone=phone))[1] == (ada, MatchRule.PHONE), phone
    for known in ({"email": "da@new.example"}, {"email": "ada@new.exampl"}, {"phone": "415 555 020"}):
        assert found(session, lead(**known))[1] == NOBODY, known
    for typed in ({"email": "ada@newer.example"}, {"phone": "415 555 0303"}):
        hinted = find_duplicates(session, **typed)
        assert [each.id for each in hinted if each.kind == "contact"] == [ada], typed


def test_several_leads_with_the_offices_number_become_several_contacts(session, make, lead):
    for name in ("Bob Neu", "Carl Alt", "Dora Jung"):
        person = lead(name=name, email=f"{name[0]}@acme.example", phone="415 555 0123", company_name="Acme")
        convert_lead_to_opportunity(session, person.id)

    names = session.scalars(select(Contact.name).order_by(Contact.id)).all()
    assert names == ["Bob Neu", "Carl Alt", "Dora Jung"]
    assert len(session.scalars(select(Company)).all()) == 1


@pytest.mark.both_databases
def test_a_company_is_known_by_its_name_in_any_case(session, make, lead):
    company = make.company("Müller AG")

    for name in ("Müller AG", "MÜLLER ag", " müller AG ", "MULLER  AG", "Mu\u0308ller\u200b AG"):
        assert found(session, lead(company_name=name)) == ((company.id, MatchRule.COMPANY_NAME), NOBODY)
    assert found(session, lead(company_name="Müller")) == (NOBODY, NOBODY)


def test_blanks_around_a_name_make_no_other(session, make, lead):
    company = make.company(" Acme ")
    contact = make.contact(" Grace Hopper ", company_id=company.id)

    assert found(session, lead(name=" Grace Hopper ", company_name=" Acme ")) == (
        (company.id, MatchRule.COMPANY_NAME),
        (contact.id, MatchRule.NAME_AND_COMPANY),
    )


def test_a_contact_is_known_by_name_at_the_company_only(session, make, lead):
    acme, other = make.company("Acme"), make.company("Other")
    make.contact("Grace Hopper", company_id=other.id)
    make.contact("Grace Hopper")
    assert found(session, lead(company_name="Acme")) == ((acme.id, MatchRule.COMPANY_NAME), NOBODY)

    grace = make.contact("GRACE hopper", company_id=acme.id)
    assert found(session, lead(company_name="Acme")) == (
        (acme.id, MatchRule.COMPANY_NAME),
        (grace.id, MatchRule.NAME_AND_COMPANY),
    )
    assert found(session, lead(), company_id=acme.id)[1] == (grace.id, MatchRule.NAME_AND_COMPANY)


def test_the_rules_come_one_after_the_other(session, make, lead):
    by_name, by_phone = make.company("By name"), make.company("By phone")
    by_domain, by_email = make.company("By domain", domain="acme.example"), make.company("By e-mail")
    named = make.contact("Grace Hopper", company_id=by_name.id)
    called = make.contact("Grace H.", phone="415 555 0123", company_id=by_phone.id)
    mailed = make.contact("Mailed", email="grace@acme.example", company_id=by_email.id)
    known = {"email": "grace@acme.example", "phone": "415 555 0123", "company_name": "By name"}

    assert found(session, lead(**known)) == (
        (by_email.id, MatchRule.EMAIL),
        (mailed.id, MatchRule.EMAIL),
    )
    known["email"] = "hopper@acme.example"
    assert found(session, lead(**known, name="Grace H.")) == (
        (by_domain.id, MatchRule.EMAIL_DOMAIN),
        (called.id, MatchRule.PHONE),
    )
    known["email"] = None
    assert found(session, lead(**known | {"company_name": None})) == (
        (by_phone.id, MatchRule.PHONE),
        (called.id, MatchRule.PHONE),
    )
    known["phone"] = None
    assert found(session, lead(**known)) == (
        (by_name.id, MatchRule.COMPANY_NAME),
        (named.id, MatchRule.NAME_AND_COMPANY),
    )
    known["company_name"] = "Nobody's"
    assert found(session, lead(**known)) == (NOBODY, NOBODY)


def test_a_contact_without_a_company_leaves_the_company_to_the_next_rule(session, make, lead):
    contact = make.contact("G. H.", email="grace@acme.example")
    company = make.company("Acme", domain="acme.example")

    assert found(session, lead(email="grace@acme.example")) == (
        (company.id, MatchRule.EMAIL_DOMAIN),
        (contact.id, MatchRule.EMAIL),
    )


def test_of_several_the_oldest_is_meant(session, make, lead):
    first, _ = make.company("Acme", domain="acme.example"), make.company("ACME", domain="acme.example")
    ada, _ = make.contact("A", email="x@acme.example"), make.contact("B", email="x@acme.example")

    assert found(session, lead(email="y@acme.example"))[0] == (first.id, MatchRule.EMAIL_DOMAIN)
    assert found(session, lead(company_name="acme"))[0] == (first.id, MatchRule.COMPANY_NAME)
    assert found(session, lead(email="x@acme.example"))[1] == (ada.id, MatchRule.EMAIL)


def test_what_was_deleted_is_not_meant(session, make, lead):
    company = make.company("Acme", domain="acme.example")
    at_company = make.contact(
        "Grace Hopper", company_id=company.id, email="g@acme.example", phone="415 555 0123"
    )
    at_company.deleted_at = NOW
    wanted = {"email": "g@acme.example", "phone": "415 555 0123", "company_name": "Acme"}
    assert found(session, lead(**wanted)) == ((company.id, MatchRule.EMAIL_DOMAIN), NOBODY)

    at_company.deleted_at, company.deleted_at = None, NOW
    assert found(session, lead(**wanted)) == (NOBODY, (at_company.id, MatchRule.EMAIL))


@pytest.mark.parametrize("visibility", Visibility)
def test_what_is_none_of_the_users_business_is_not_meant(database, visibility):
    with database.write(at=NOW) as session:
        make = Make(session)
        session.get_one(Settings, 1).visibility = visibility
        north, south = make.team("North").id, make.team("South").id
        rita = make.user("Rita", team_id=north).id
        mate, other = make.user("Mate", team_id=north).id, make.user("Other", team_id=south).id
        company = make.company("Acme", domain="acme.example", owner_id=mate)
        contact = make.contact("Grace Hopper", email="g@acme.example", phone="415 555 0123", owner_id=other)
        known = {"status": LeadStatus.QUALIFIED, "owner_id": rita}
        by_email = make.lead(email="g@acme.example", **known)
        by_phone = make.lead(phone="415 555 0123", **known)
        by_name = make.lead(company_name="Acme", **known)

    with database.read(actor=rita) as session:
        answers = [found(session, lead) for lead in (by_email, by_phone, by_name)]

    reads_company, reads_contact = visibility is not Visibility.OWN, visibility is Visibility.ALL
    assert answers == [
        (
            (company.id, MatchRule.EMAIL_DOMAIN) if reads_company else NOBODY,
            (contact.id, MatchRule.EMAIL) if reads_contact else NOBODY,
        ),
        (NOBODY, (contact.id, MatchRule.PHONE) if reads_contact else NOBODY),
        ((company.id, MatchRule.COMPANY_NAME) if reads_company else NOBODY, NOBODY),
    ]
