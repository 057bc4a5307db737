"""While somebody types a lead: who it may be already."""

import json

import pytest
from sqlalchemy import select, text

from crm_core.models import Company, LeadStatus, Settings, Visibility
from crm_core.schemas.conversion import MatchRule
from crm_core.services import company_service, contact_service
from crm_core.services.duplicates import MOST_OTHERS, Duplicate
from crm_core.services.lead_service import find_duplicates
from crm_core.services.records import RecordNotFound
from tests.builders import Make
from tests.conftest import NOW


def ids(found):
    return [(duplicate.kind, duplicate.id) for duplicate in found]


@pytest.fixture
def known(make):
    """The ids of a lead and a contact that know everything."""
    lead = make.lead("Zoë Özil", email="Zoe@Example.com", phone="+41 (79) 123-45-67", company_name="Größe AG")
    acme = make.company("Acme").id
    contact = make.contact("Ada", email="Ada@Acme.example", phone="0791112233", company_id=acme)
    make.lead("Somebody Else", email="else@example.com", phone="+41 79 999 99 99", company_name="Acme")
    make.contact("Ada", email="ada@other.example")
    return {"lead": lead.id, "contact": contact.id}


@pytest.mark.both_databases
def test_somebody_alike_is_found_by_one_rule(session, known):
    for typed, which, rule in (
        ({"email": "zoe@example.COM"}, "lead", MatchRule.EMAIL),
        ({"email": " ADA@acme.example "}, "contact", MatchRule.EMAIL),
        ({"phone": "0041791234567"}, "lead", MatchRule.PHONE),
        ({"phone": "+41 79 123 45 67 x3"}, "lead", MatchRule.PHONE),
        ({"name": "zoe ozil", "company_name": "GROSSE  AG"}, "lead", MatchRule.NAME_AND_COMPANY),
        ({"phone": "079/111.22.33"}, "contact", MatchRule.PHONE),
        ({"name": "ZOË ÖZIL", "company_name": "größe ag"}, "lead", MatchRule.NAME_AND_COMPANY),
        ({"name": " ada ", "company_name": "ACME"}, "contact", MatchRule.NAME_AND_COMPANY),
    ):
        found = find_duplicates(session, **typed)
        assert [(each.kind, each.id, each.rule) for each in found] == [(which, known[which], rule)], typed


def test_each_is_told_with_its_company(session, known):
    found = find_duplicates(session, email="zoe@example.com", phone="0791112233")

    assert found == [
        Duplicate("lead", known["lead"], "Zoë Özil", "Größe AG", MatchRule.EMAIL),
        Duplicate("contact", known["contact"], "Ada", "Acme", MatchRule.PHONE),
    ]


def test_half_of_it_and_nonsense_find_nobody(session, known):
    for typed in (
        {},
        {"name": ""},
        {"name": "Ada"},
        {"company_name": "Acme"},
        {"name": "Ada", "company_name": "Acm"},
        {"name": " ", "company_name": " "},
        {"email": "zoe@"},
        {"email": "zoe@example.c"},
        {"email": "%@example.com"},
        {"phone": "4567"},
        {"phone": "791234567"},
        {"phone": "1 791-234-567"},
        {"phone": "%%%%%%%%%%"},
        {"phone": "call me"},
        {"name": "\x00", "email": "\ud800@example.com", "phone": "\x00" * 20},
        {"name": "x" * 300, "company_name": "x" * 100_000, "email": "x" * 300, "phone": "5" * 100_000},
    ):
        assert find_duplicates(session, **typed) == [], typed


def test_naughty_strings_do_no_harm(session, known, shared_data):
    for naughty in json.loads((shared_data / "naughty_strings" / "blns.json").read_text()):
        typed = dict.fromkeys(("name", "email", "phone", "company_name"), naughty)
        assert find_duplicates(session, **typed) == []


def test_the_surest_come_first_and_each_once(session, make):
    both = {"phone": "0791234567", "email": "ada@example.com", "company_name": "Acme"}
    by_name = make.lead("Ada", company_name="acme")
    by_phone = make.lead("Bea", phone="079 123 45 67")
    everything = make.lead("Ada", **both)
    contact = make.contact("Cleo", email="ADA@example.com")

    found = find_duplicates(session, name="Ada", **both)

    assert [(each.kind, each.id, each.rule) for each in found] == [
        ("lead", everything.id, MatchRule.EMAIL),
        ("contact", contact.id, MatchRule.EMAIL),
        ("lead", by_phone.id, MatchRule.PHONE),
        ("lead", by_name.id, MatchRule.NAME_AND_COMPANY),
    ]
    assert find_duplicates(session, name="Ada", **both, limit=2) == found[:2]
    assert find_duplicates(session, name="Ada", **both, limit=0) == []


def test_the_lead_itself_is_no_duplicate(session, make):
    lead, other = (make.lead("Ada", email="ada@example.com") for _ in range(2))

    assert ids(find_duplicates(session, email="ada@example.com", but=lead.id)) == [("lead", other.id)]


def test_a_contact_is_one_although_it_has_the_leads_id(session, make):
    lead, contact = make.lead(email="ada@example.com"), make.contact(email="ada@example.com")

    assert contact.id == lead.id
    assert ids(find_duplicates(session, email="ada@example.com", but=lead.id)) == [("contact", contact.id)]


def test_converted_leads_count_and_deleted_records_do_not(session, make):
    ada = {"email": "ada@example.com"}
    make.lead(**ada, deleted_at=NOW)
    make.contact(**ada, deleted_at=NOW)
    deal = make.opportunity().id
    converted = make.lead(**ada, status=LeadStatus.CONVERTED, converted_at=NOW, opportunity_id=deal)

    assert ids(find_duplicates(session, **ada)) == [("lead", converted.id)]


def test_nobody_hears_of_what_they_may_not_read(database):
    with database.write() as session:
        make = Make(session)
        people = make.people()
        session.get_one(Settings, 1).visibility = Visibility.OWN
        make.lead(email="ada@example.com", owner_id=people.otto)
        make.contact(email="ada@example.com", owner_id=people.otto)

    for actor, count in ((people.rita, 0), (people.otto, 2)):
        with database.read(actor=actor) as session:
            assert len(find_duplicates(session, email="ada@example.com")) == count


@pytest.mark.both_databases
@pytest.mark.parametrize("table", ["leads", "contacts"])
@pytest.mark.parametrize("column", ["folded_email", "folded_name", "phone_digits"])
def test_an_index_finds_them(database, table, column):
    is_server = database.kind == "postgresql"
    asked = f"SELECT id FROM {table} WHERE deleted_at IS NULL AND {column} = 'ada'"
    with database.read() as session:
        if is_server:
            session.execute(text("SELECT set_config('enable_seqscan', 'off', true)"))
        plan = session.execute(text(f"EXPLAIN {'' if is_server else 'QUERY PLAN '}{asked}")).all()

    assert f"ix_{table}_{column}" in str(plan)


@pytest.mark.both_databases
def test_other_emails_and_phones_of_a_contact_count_like_the_first_ones(session, known):
    for others in (
        {"other_emails": ("nobody@example.com", " ZOE@example.com"), "other_phones": ("079/111.22.33",)},
        {"email": "nobody@example.com", "other_emails": ["zoe@example.com"], "phone": "0791112233"},
        {"email": "zoe@example.com", "other_phones": ["12", "nonsense \x00", "0791112233", "0791112233"]},
    ):
        found = contact_service.find_duplicates(session, **others)
        assert [(each.kind, each.id, each.rule) for each in found] == [
            ("lead", known["lead"], MatchRule.EMAIL),
            ("contact", known["contact"], MatchRule.PHONE),
        ]


def test_very_many_others_are_not_all_compared(session, known):
    others = [f"nobody{number}@example.com" for number in range(MOST_OTHERS)]
    for count, found in ((MOST_OTHERS - 1, [("lead", known["lead"])]), (MOST_OTHERS, [])):
        typed = [*others[:count], "zoe@example.com"]
        assert ids(contact_service.find_duplicates(session, other_emails=typed)) == found


def test_a_contact_gets_the_same_hints(session, known):
    acme = session.scalars(select(Company.id)).one()
    for typed, which, rule in (
        ({"email": "zoe@example.COM"}, "lead", MatchRule.EMAIL),
        ({"phone": "0791112233"}, "contact", MatchRule.PHONE),
        ({"name": "ADA", "company_id": acme}, "contact", MatchRule.NAME_AND_COMPANY),
    ):
        found = contact_service.find_duplicates(session, **typed)
        assert [(each.kind, each.id, each.rule) for each in found] == [(which, known[which], rule)], typed

    themselves = {"email": "ada@acme.example", "but": known["contact"]}
    assert contact_service.find_duplicates(session, **themselves) == []
    with pytest.raises(RecordNotFound):
        contact_service.find_duplicates(session, name="Ada", company_id=99)


def test_a_company_is_hinted_by_its_domain_and_its_name(session, make):
    acme = make.company("Größe & Söhne", domain="acme.example").id
    namesake = make.company("Grosse  &  Sohne").id
    by_domain = Duplicate("company", acme, "Größe & Söhne", None, MatchRule.DOMAIN)

    def found(**typed):
        return company_service.find_duplicates(session, **typed)

    for typed in ("ACME.example", "www.acme.example", "https://www.acme.example/about"):
        assert found(domain=typed) == found(website=typed) == [by_domain], typed
    assert ids(found(name="GRÖSSE & SÖHNE")) == [("company", acme), ("company", namesake)]
    assert ids(found(name="größe & söhne", domain="acme.example", but=acme)) == [("company", namesake)]
    for half in ({}, {"name": "Größe"}, {"website": "https://"}, {"website": "acme"}, {"domain": "example"}):
        assert found(**half) == [], half


def test_nobody_hears_of_companies_that_they_may_not_read(database):
    with database.write() as session:
        make = Make(session)
        people = make.people()
        session.get_one(Settings, 1).visibility = Visibility.OWN
        make.company("Acme", owner_id=people.otto)

    for actor, count in ((people.rita, 0), (people.otto, 1)):
        with database.read(actor=actor) as session:
            assert len(company_service.find_duplicates(session, name="acme")) == count
