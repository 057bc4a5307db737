"""Contacts: their list, and the drawer of one with the company, the deals, and the twin."""

from decimal import Decimal

import pytest

from crm_core.models import Contact, Opportunity
from crm_core.schemas.contact import ContactUpdate
from crm_core.services import contact_service
from tests.pages import tables
from tests.pages.test_companies import HOSTILE, field, of, press, said
from ui import words

CONTACTS = "pages/sales/contacts.py"


def tab(page, label, contact_id):
    page.session_state[f"contact {contact_id} tab"] = label
    page.run()


def test_says_what_to_do_when_there_is_nothing(open_page):
    page = open_page(CONTACTS)

    assert "No contacts yet" in said(page)
    assert tables.data(page) is None


def test_shows_what_one_knows_of_each(open_page, given):
    with given() as make:
        make.contact(
            "Ada",
            company_id=make.company("Sun").id,
            job_title="Countess",
            email="ada@sun.example",
            phone="+44 1",
            owner_id=make.user("Rita").id,
        )
        make.contact("Bare")

    shown = {row.pop("Name"): list(row.values())[:5] for row in tables.rows(open_page(CONTACTS))}

    assert shown == {"Ada": ["Sun", "Countess", "ada@sun.example", "+44 1", "Rita"], "Bare": ["–"] * 5}


def test_filters_from_the_address(open_page, given):
    with given() as make:
        sun = make.company("Sun").id
        rita = make.user("Rita").id
        make.contact("Ada", company_id=sun, email="ada@sun.example")
        make.contact("Bob", owner_id=rita)

    assert tables.names(open_page(CONTACTS, contacts_search="SUN.example")) == ["Ada"]
    assert tables.names(open_page(CONTACTS, contacts_company=[str(sun)])) == ["Ada"]
    assert tables.names(open_page(CONTACTS, contacts_owner=[str(rita)])) == ["Bob"]
    assert "**1 contact**" in said(open_page(CONTACTS, contacts_owner=[str(rita)]))


def test_phone_numbers_can_not_be_sorted_by(open_page, given):
    with given() as make:
        make.contact()

    columns = {column["id"]: column for column in tables.data(open_page(CONTACTS))["columns"]}

    assert "sortable" not in columns["phone"]
    assert columns["email"]["sortable"]


def test_creates_one_in_a_company(open_page, given, database):
    with given() as make:
        sun = make.company("Sun").id
    page = open_page(CONTACTS, contact="new")

    field(page, "Name").set_value("Ada")
    field(page, "E-mail").set_value("ada@sun.example")
    field(page, "Company").select(sun)
    press(page, "Create contact")

    (made,) = of(database, Contact)
    assert (made.name, made.email, made.company_id) == ("Ada", "ada@sun.example", sun)
    assert page.query_params["contact"] == str(made.id)


def test_a_wrong_address_is_said_below_its_field(open_page, given, database):
    with given() as make:
        ada = make.contact("Ada").id
    page = open_page(CONTACTS, contact=str(ada))

    field(page, "E-mail").set_value("nowhere")
    field(page, "Job title").set_value("Countess")
    press(page, "Save")

    assert ":material/error:" in said(page)
    assert field(page, "Job title").value == "Countess"
    assert of(database, Contact)[0].job_title is None


def test_a_conflict_names_companies_by_their_names(open_page, given, database):
    with given() as make:
        ada = make.contact("Ada").id
        sun, moon = make.company("Sun").id, make.company("Moon").id
    page = open_page(CONTACTS, contact=str(ada))
    field(page, "Company").select(sun).run()
    with database.write() as session:
        contact_service.update_contact(session, ada, ContactUpdate(company_id=moon))

    press(page, "Save")

    assert list(page.table[0].value.iloc[0]) == ["Company", "Sun", "Moon"]
    press(page, "Keep theirs")
    assert field(page, "Company").value == moon


def test_shows_the_company_and_the_deals(open_page, given):
    with given() as make:
        sun = make.company("Sun").id
        ada = make.contact("Ada", company_id=sun).id
        make.opportunity(name="Roof", contact_id=ada, expected_value=Decimal(1200))
        make.won(300, name="Old roof", contact_id=ada)
        make.opportunity(name="Whatever")

    page = open_page(CONTACTS, contact=str(ada))
    tab(page, "Deals", ada)

    labels = [button.label for button in page.button]
    assert {"Sun", "Roof", "Old roof"} <= set(labels)
    assert "Whatever" not in labels
    assert "**2 deals** · worth **$1,500**" in said(page).replace("\\", "")
    page.button(key=f"related company {sun}").click().run()
    assert "Overview" in [each.label for each in page.tabs]


def test_a_new_deal_begins_with_the_contact_and_the_company(open_page, given, database):
    with given() as make:
        sun = make.company("Sun").id
        ada = make.contact("Ada", company_id=sun).id
    page = open_page(CONTACTS, contact=str(ada))
    tab(page, "Deals", ada)

    press(page, "New deal")
    field(page, "Name").set_value("Roof")
    press(page, "Create deal")

    (made,) = of(database, Opportunity)
    assert (made.company_id, made.contact_id) == (sun, ada)


def test_what_was_begun_for_another_is_not_lost_when_a_new_deal_begins_elsewhere(open_page, given):
    with given() as make:
        ada, bob = make.contact("Ada").id, make.contact("Bob").id
    page = open_page(CONTACTS, contact=str(ada))
    tab(page, "Deals", ada)
    press(page, "New deal")
    field(page, "Name").set_value("Roof").run()

    for contact_id in (ada, bob):
        page.query_params.pop("opportunity", None)
        page.query_params["contact"] = str(contact_id)
        page.run()
        tab(page, "Deals", contact_id)
        press(page, "New deal")
        assert field(page, "Name").value == "Roof"
        assert field(page, "Contact").value == contact_id


def test_a_company_that_only_a_search_offers_is_there_again_with_what_was_typed(open_page, given):
    with given() as make:
        last = [make.company(f"Company {number:02}").id for number in range(60)][-1]
    page = open_page(CONTACTS, contact="new")
    (search,) = [each for each in page.text_input if (each.key or "").endswith(" find company")]
    search.set_value("Company 59").run()
    field(page, "Company").select(last).run()
    field(page, "Name").set_value("Ada").run()

    press(page, "New contact")

    assert (field(page, "Name").value, field(page, "Company").value) == ("Ada", last)


def test_one_that_is_on_a_deal_is_not_deleted_and_says_why(open_page, given, database):
    with given() as make:
        ada = make.contact("Ada").id
        make.opportunity(contact_id=ada)
    page = open_page(CONTACTS, contact=str(ada))

    press(page, "Delete this contact")

    assert "is still on 1 deal" in page.toast[0].value.replace("\\", "")
    assert len(of(database, Contact)) == 1


def test_deletes_after_asking_and_takes_it_back(open_page, given, database):
    with given() as make:
        ada = make.contact("Ada").id
        make.contact("Bob")
    page = open_page(CONTACTS, contact=str(ada))

    press(page, "Delete this contact")
    assert tables.names(page) == ["Bob"]

    press(page, "Undo")
    assert tables.names(page) == ["Ada", "Bob"]


@pytest.mark.parametrize("stays", [0, 1])
def test_makes_one_of_two(open_page, given, database, stays):
    with given() as make:
        twins = [
            make.contact("Ada L", email="ada@sun.example").id,
            make.contact("Ada Lovelace", phone="+44 1").id,
        ]
        make.opportunity(contact_id=twins[1 - stays])
    page = open_page(CONTACTS, contact=str(twins[0]))
    page.selectbox(key=f"merge contact {twins[0]} other").select(twins[1]).run()
    page.radio[0].set_value(twins[stays]).run()
    assert "**Moves**: 1 deal" in said(page)
    assert ("**Filled in**: Phone" if stays == 0 else "**Filled in**: E-mail") in said(page).replace("\\", "")

    press(page, f"Merge into “{['Ada L', 'Ada Lovelace'][stays]}”")

    (left,) = of(database, Contact)
    assert (left.id, left.email, left.phone) == (twins[stays], "ada@sun.example", "+44 1")
    assert of(database, Opportunity)[0].contact_id == twins[stays]
    assert page.query_params["contact"] == str(twins[stays])


def test_a_link_to_a_merged_contact_opens_the_one_that_stands_for_it(open_page, given, database):
    name = "Ada [Lovelace](x)"
    with given() as make:
        ada, twin, gone = make.contact(name).id, make.contact("Ada L").id, make.contact("Ada").id
    with database.write() as session:
        contact_service.merge_contacts(session, twin, gone)
        contact_service.merge_contacts(session, ada, twin)

    page = open_page(CONTACTS, contact=str(gone))
    assert "contact behind this link was merged into this one" in told_by(page)
    field(page, "Job title").set_value("Countess")
    press(page, "Save")
    assert of(database, Contact)[0].job_title == "Countess"
    assert "contact behind this link was merged into this one" in told_by(page)
    assert "behind this link" not in told_by(open_page(CONTACTS, contact=str(ada)))

    with database.write() as session:
        contact_service.delete_contact(session, ada)
    assert f"There is no contact {gone}" in told_by(open_page(CONTACTS, contact=str(gone)))


def told_by(page):
    """What the page says, without what keeps it from being taken for Markdown."""
    everything = " ".join([said(page), *(each.value for each in page.error)])
    return everything.replace("\\", "").replace(words.NOTHING, "")


def test_a_merge_adds_what_both_have_and_says_so(open_page, given, database):
    with given() as make:
        kept = make.contact("Ada L", email="ada@sun.example", phone="+44 1").id
        other = make.contact("Ada Lovelace", email="ada@moon.example", phone="+44 2", job_title="Countess").id
    page = open_page(CONTACTS, contact=str(kept))
    page.selectbox(key=f"merge contact {kept} other").select(other).run()

    told = told_by(page)
    assert "**Added**: Other e-mails: ada@moon.example · Other phones: +44 2" in told
    assert "**Filled in**: Job title: Countess" in told
    press(page, "Merge into “Ada L”")

    assert field(page, "Other e-mails").value == "ada@moon.example"
    assert field(page, "Other phones").value == "+44 2"
    (left,) = of(database, Contact)
    assert (left.other_emails, left.other_phones) == (("ada@moon.example",), ("+44 2",))


def test_other_addresses_are_added_and_removed(open_page, given, database):
    with given() as make:
        ada = make.contact("Ada", email="ada@sun.example", other_emails=("old@sun.example",)).id
    page = open_page(CONTACTS, contact=str(ada))

    field(page, "Other e-mails").set_value(" a@sun.example \n\nb@sun.example")
    field(page, "Other phones").set_value("+44 1")
    press(page, "Save")
    (saved,) = of(database, Contact)
    assert (saved.other_emails, saved.other_phones) == (("a@sun.example", "b@sun.example"), ("+44 1",))
    page.session_state[f"contact {ada} tab"] = "Timeline"
    page.run()
    told = told_by(page)
    assert "Other e-mails: old@sun.example :material/arrow_forward: a@sun.example, b@sun.example" in told
    assert "Other phones: +44 1" in told


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("nowhere", "This is not an e-mail address"),
        ("a@sun.example, b@sun.example", "Write each e-mail on a line of its own"),
        ("a@sun.example\nA@sun.example", "“A@sun.example” is there twice"),
        ("ADA@sun.example", "is the one to use first"),
    ],
)
def test_wrong_other_addresses_are_said(open_page, given, database, typed, told):
    with given() as make:
        ada = make.contact("Ada", email="ada@sun.example").id
    page = open_page(CONTACTS, contact=str(ada))

    field(page, "Other e-mails").set_value(typed)
    press(page, "Save")

    assert told in told_by(page)
    assert of(database, Contact)[0].other_emails == ()
    assert field(page, "Other e-mails").value == typed


def test_hostile_names_are_shown_as_typed(open_page, given):
    with given() as make:
        hostile = make.contact(HOSTILE, company_id=make.company(HOSTILE).id, job_title=HOSTILE)
        twin = make.contact(HOSTILE)

    page = open_page(CONTACTS, contact=str(hostile.id))
    page.text_input(key=f"merge contact {hostile.id} search").set_value("img").run()
    page.selectbox(key=f"merge contact {hostile.id} other").select(twin.id).run()

    assert tables.names(page) == [HOSTILE, HOSTILE]
    shown = [said(page), *(button.label for button in page.button)]
    assert all("**x**" not in text for text in shown)
