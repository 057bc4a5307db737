"""Who or what a new record may be already, as its form says while it is typed."""

import pytest

from crm_core.models import LOCAL_USER_ID, Company, Contact, Lead, LeadStatus
from crm_core.services import company_service
from tests.pages.test_companies import COMPANIES, HOSTILE, field, of, press, said
from tests.pages.test_contacts import CONTACTS
from tests.pages.test_leads import LEADS, plain, type_in

PERSON, COMPANY = "You may know this person already:", "This company may be here already:"
KINDS = {"lead": (LEADS, PERSON), "contact": (CONTACTS, PERSON), "company": (COMPANIES, COMPANY)}


def known(page) -> list[str]:
    """Each that the new record may be, as the form says."""
    return [plain(each.label) for each in page.button if (each.key or "").startswith("duplicate")]


def open_hint(page, kind: str, record_id: int):
    page.button(key=f"duplicate {kind} {record_id}").click().run()
    assert not page.exception
    assert page.query_params[kind] == str(record_id)


def test_a_new_lead_shows_who_it_may_be_and_is_made_all_the_same(open_page, given, database):
    with given() as make:
        make.lead("Ada L.", email="ada@sun.example", company_name="Sun")
        make.contact("Bob Byte", phone="+1 555 010 0200")
        make.lead("Ada Lovelace", company_name="Moon")
        make.lead("Somebody Else", email="else@sun.example")
    page = open_page(LEADS, lead="new")
    assert PERSON not in said(page)

    type_in(page, "E-mail", "ADA@sun.example")
    assert known(page) == ["Ada L. · Sun lead · same e-mail address"]
    type_in(page, "Phone", "(555) 010-0200")
    type_in(page, "Name", "ada lovelace")
    type_in(page, "Company", "moon")
    assert known(page) == [
        "Ada L. · Sun lead · same e-mail address",
        "Bob Byte contact · same phone number",
        "Ada Lovelace · Moon lead · same name and company",
    ]

    press(page, "Create lead")

    made = of(database, Lead)[-1]
    assert (made.name, made.email, made.status) == ("ada lovelace", "ADA@sun.example", LeadStatus.NEW)
    assert (made.owner_id, page.query_params["lead"]) == (LOCAL_USER_ID, str(made.id))


def test_a_new_contact_shows_who_it_may_be_and_is_made_all_the_same(open_page, given, database):
    with given() as make:
        sun = make.company("Sun").id
        make.contact("Zoë", company_id=sun)
        make.contact("Bob Byte", phone="+1 555 010 0200")
        make.lead("Ada L.", email="ada@sun.example", company_name="Moon")
    page = open_page(CONTACTS, contact="new")
    assert PERSON not in said(page)

    type_in(page, "E-mail", "ADA@sun.example")
    type_in(page, "Phone", "(555) 010-0200")
    type_in(page, "Name", "zoe")
    assert known(page) == ["Ada L. · Moon lead · same e-mail address", "Bob Byte contact · same phone number"]
    field(page, "Company").select(sun).run()
    assert known(page)[2:] == ["Zoë · Sun contact · same name and company"]
    assert PERSON in said(page)

    press(page, "Create contact")

    made = of(database, Contact)[-1]
    assert (made.name, made.company_id, page.query_params["contact"]) == ("zoe", sun, str(made.id))


def test_the_other_emails_and_phones_of_a_new_contact_count_as_well(open_page, given):
    with given() as make:
        make.contact("Bob Byte", phone="+1 555 010 0200")
        make.lead("Ada L.", email="ada@sun.example")
    page = open_page(CONTACTS, contact="new")

    type_in(page, "Other e-mails", "a@moon.example\n\n ADA@sun.example")
    assert known(page) == ["Ada L. lead · same e-mail address"]
    type_in(page, "Other phones", "(555) 010-0200")
    assert known(page)[1:] == ["Bob Byte contact · same phone number"]


def test_a_new_company_shows_which_it_may_be_and_is_made_all_the_same(open_page, given, database):
    with given() as make:
        make.company("Größe AG", domain="groesse.example")
        make.company("Grosse  AG")
        make.contact("Grosse AG")
    page = open_page(COMPANIES, company="new")
    by_domain = "Größe AG company · same domain"

    type_in(page, "Website", "groesse")
    assert (known(page), COMPANY in said(page)) == ([], False)
    type_in(page, "Website", "https://www.groesse.example/about")
    assert (known(page), COMPANY in said(page)) == ([by_domain], True)
    type_in(page, "Domain", "elsewhere.example")
    assert known(page) == []
    type_in(page, "Domain", "www.Groesse.example")
    type_in(page, "Name", "grosse ag")
    assert known(page) == [by_domain, "Grosse AG company · same company name"]

    press(page, "Create company")

    made = of(database, Company)[-1]
    assert (made.name, made.domain) == ("grosse ag", "groesse.example")
    assert page.query_params["company"] == str(made.id)


def test_a_click_on_a_person_opens_them_and_what_was_typed_waits(open_page, given):
    with given() as make:
        sun = make.company("Sun").id
        make.lead("Ada L.", email="ada@sun.example")
        make.contact("Bob", phone="555 010 0200")
    for kind, path in (("lead", LEADS), ("contact", CONTACTS)):
        page = open_page(path, **{kind: "new"})
        typed = {"Name": "Ada Lovelace", "E-mail": "ada@sun.example", "Phone": "(555) 010-0200"}
        for label, text in typed.items():
            type_in(page, label, text)
        if kind == "contact":
            field(page, "Company").select(sun).run()
            typed["Company"] = sun

        open_hint(page, "contact", 1)
        press(page, f"New {kind}")
        assert {label: field(page, label).value for label in typed} == typed
        assert len(known(page)) == 2

        open_hint(page, "lead", 1)
        press(page, f"New {kind}")
        assert {label: field(page, label).value for label in typed} == typed


def test_a_click_on_a_company_opens_it_and_what_was_typed_waits(open_page, given):
    with given() as make:
        sun = make.company("Sun").id
    page = open_page(COMPANIES, company="new")
    type_in(page, "Name", "SUN")
    type_in(page, "Industry", "Energy")

    open_hint(page, "company", sun)
    assert "Overview" in [each.label for each in page.tabs]
    press(page, "New company")

    assert (field(page, "Name").value, field(page, "Industry").value) == ("SUN", "Energy")
    assert known(page) == ["Sun company · same company name"]


def test_a_company_that_is_gone_meanwhile_leaves_the_form_as_it_is(open_page, given, database):
    with given() as make:
        sun = make.company("Sun").id
    page = open_page(CONTACTS, contact="new")
    field(page, "Company").select(sun).run()
    with database.write() as session:
        company_service.delete_company(session, sun)

    type_in(page, "Name", "Ada")
    assert not page.exception
    press(page, "Create contact")

    assert any("company" in each.value for each in page.error)
    assert (field(page, "Name").value, of(database, Contact)) == ("Ada", [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_that_is_there_is_not_compared_while_it_is_changed(open_page, given, kind):
    path, heading = KINDS[kind]
    with given() as make:
        for _ in range(2):
            getattr(make, kind)("Ada", **{} if kind == "company" else {"email": "ada@sun.example"})
    page = open_page(path, **{kind: "1"})
    if kind == "company":
        page.session_state["company 1 tab"] = "Details"
        page.run()

    type_in(page, "Name", "ADA")

    assert (known(page), heading in said(page)) == ([], False)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_are_shown_as_typed(open_page, given, kind):
    path, _ = KINDS[kind]
    with given() as make:
        getattr(make, kind)(HOSTILE, **{} if kind == "company" else {"email": "x@x.example"})
    page = open_page(path, **{kind: "new"})

    type_in(page, *("Name", HOSTILE) if kind == "company" else ("E-mail", "x@x.example"))

    (label,) = [each.label for each in page.button if (each.key or "").startswith("duplicate")]
    assert "**x**" not in label
    assert plain(label).startswith(HOSTILE[:20])
