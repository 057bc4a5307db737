"""Leads in a real browser: from who they may be already to the deal that they become."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm_core.database import Database
from crm_core.models import Lead, LeadStatus, Opportunity
from tests import forms
from tests.browser.conftest import Look
from tests.browser.parts import close_drawer, drawer, popover, row
from tests.builders import Make

HOSTILE = (
    "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))",
    "![x](http://example.com/x.png)",
    "<script>alert(3)</script>",
    "`code` $x^2$ :material/home: http://example.com",
    "x" * 200,
)

COUNTED = re.compile(r"^\d+ leads?$")


def leads(database: Database) -> list[Lead]:
    with database.read() as session:
        found = list(session.scalars(select(Lead).where(Lead.deleted_at.is_(None)).order_by(Lead.id)))
        session.expunge_all()
    return found


def fill(page: Page, **fields: str) -> None:
    for label, text in fields.items():
        drawer(page).get_by_label(label.replace("_", "-"), exact=True).fill(text)


def test_from_a_name_to_a_deal(look, address, database):
    """Three clicks convert the lead once, and that can be taken back."""
    with database.write() as session:
        make = Make(session)
        make.contact("Ada Lovelace", email="ada@sun.example", company_id=make.company("Sun & Sons").id)
        make.lead("Bob Byte", company_name="Moon")
    seen = look(address)
    page = seen.page
    seen.open("leads")

    page.get_by_role("button", name="New lead").click()
    fill(page, Name="Ada L.", E_mail="ada@sun.example")
    expect(drawer(page).get_by_text("You may know this person already")).to_be_visible()
    expect(drawer(page).get_by_role("button", name="Ada Lovelace · Sun & Sons")).to_contain_text(
        "same e-mail address"
    )
    seen.screenshot("leads-duplicate")
    drawer(page).get_by_role("button", name="Create lead").click()
    page.wait_for_url("**lead=2")
    seen.settle()
    assert [lead.name for lead in leads(database)] == ["Bob Byte", "Ada L."]

    fill(page, Company="Sun", Phone="555 0100")
    drawer(page).get_by_role("button", name="Save").click()
    expect(row(page, "Ada L.").locator("td").nth(1)).to_have_text("Sun")
    assert leads(database)[1].phone == "555 0100"

    for status in ("Contacted", "Qualified"):
        drawer(page).get_by_role("radio", name=status, exact=True).click()
        expect(row(page, "Ada L.")).to_contain_text(status)
    drawer(page).get_by_role("button", name="Convert").click()
    expect(page.get_by_text("Contact: Ada Lovelace")).to_be_visible()
    seen.screenshot("leads-convert")
    page.get_by_role("button", name="Convert to a deal").click(click_count=3, delay=5)
    page.wait_for_url("**opportunity=1")
    expect(drawer(page)).to_contain_text("Sun")
    expect(drawer(page)).to_contain_text("Qualification")
    seen.settle()

    page.keyboard.press("Escape")
    seen.settle()
    row(page, "Ada L.").click()
    seen.settle()
    expect(drawer(page)).to_contain_text("Converted")
    expect(drawer(page).get_by_role("radio")).to_have_count(0)
    drawer(page).get_by_role("button", name="Sun").click()
    page.wait_for_url("**opportunity=1")
    with database.read() as session:
        assert [deal.lead_id for deal in session.scalars(select(Opportunity))] == [2]

    expect(drawer(page)).to_contain_text("Qualification")
    seen.settle()
    close_drawer(page)
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Ada L.")).to_contain_text("Qualified")
    assert (seen.complaints, seen.foreign) == ([], [])


def test_many_clicks_make_one_lead(look, address, database):
    seen = look(address)
    seen.open("leads?lead=new")
    many = [(clicks, turn) for clicks in (2, 3) for turn in range(forms.either(1, 3))]
    for clicks, turn in many:
        fill(seen.page, Name=f"Ada {clicks} {turn}")
        seen.page.get_by_role("button", name="Create lead").click(click_count=clicks, delay=5)
        seen.page.wait_for_url(re.compile(r"lead=\d+"))
        seen.settle()
        close_drawer(seen.page)
        seen.press("New lead")
        drawer(seen.page).get_by_role("button", name="Create lead").wait_for()

    assert [lead.name for lead in leads(database)] == [f"Ada {clicks} {turn}" for clicks, turn in many]


def test_leads_are_changed_in_the_list_and_found_by_a_saved_view(look, address, database):
    with database.write() as session:
        make = Make(session)
        for number in range(60):
            status = LeadStatus.NEW if number < 40 else LeadStatus.UNQUALIFIED
            make.lead(
                f"Lead {number:02}", status=status, created_at=datetime(2026, 1, 1 + number // 3, tzinfo=UTC)
            )
    seen = look(address)
    seen.open("leads?leads_sort=name")
    seen.page.get_by_text("Edit in the table").click()
    seen.settle()

    a_cell_is_edited(seen.page)
    some_are_changed_and_taken_back(seen.page)
    all_are_deleted_and_taken_back(seen.page, database)
    a_filter_lives_in_the_address_and_a_view_brings_it_back(seen, look(address))
    assert seen.complaints == []


def a_cell_is_edited(page: Page) -> None:
    row(page, "Lead 03").get_by_role("button", name="Status: New. Edit").click()
    page.get_by_label("Status of Lead 03").select_option("contacted")
    page.keyboard.press("Enter")
    expect(row(page, "Lead 03")).to_contain_text("Contacted")
    row(page, "Lead 04").get_by_role("button", name="Estimated value: –. Edit").click()
    page.get_by_label("Estimated value of Lead 04").fill("1,500")
    page.keyboard.press("Enter")
    expect(row(page, "Lead 04")).to_contain_text("$1,500")


def some_are_changed_and_taken_back(page: Page) -> None:
    for name in ("Lead 01", "Lead 02"):
        row(page, name).get_by_role("checkbox").check()
    page.get_by_role("button", name="Set status").click()
    expect(popover(page)).to_be_in_viewport()
    popover(page).get_by_text("Unqualified", exact=True).click()
    page.get_by_role("button", name="Set for 2 leads").click()
    expect(row(page, "Lead 02")).to_contain_text("Unqualified")
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Lead 02")).to_contain_text("New")


def all_are_deleted_and_taken_back(page: Page, database: Database) -> None:
    row(page, "Lead 05").get_by_role("checkbox").check()
    page.get_by_text("All 60 leads that match").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete 60 leads").click()
    expect(page.get_by_text("No leads yet")).to_be_visible()
    assert leads(database) == []
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Lead 00")).to_be_visible()
    assert len(leads(database)) == 60


def a_filter_lives_in_the_address_and_a_view_brings_it_back(seen: Look, again: Look) -> None:
    page = seen.page
    page.get_by_role("combobox", name="Status").click()
    page.get_by_role("option", name="Unqualified").click()
    page.keyboard.press("Escape")
    seen.settle()
    assert "leads_status=unqualified" in page.url
    expect(page.get_by_text(COUNTED).first).to_have_text("20 leads")

    page.get_by_role("button", name="Views").click()
    page.get_by_label("Save what is shown as").fill("Lost ones")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_text("View “Lost ones” saved")).to_be_visible()

    again.open("leads")
    expect(again.page.get_by_text(COUNTED).first).to_have_text("60 leads")
    again.page.get_by_role("button", name="Views").click()
    again.page.get_by_role("button", name="Lost ones").click()
    again.page.wait_for_url("**leads_status=unqualified**")
    again.settle()
    expect(again.page.get_by_text(COUNTED).first).to_have_text("20 leads")


def test_hostile_names_are_only_text(look, address, database):
    with database.write() as session:
        make = Make(session)
        for name in HOSTILE:
            make.lead(
                name, company_name=name, email="x@x.example", source=name[:100], owner_id=make.user(name).id
            )
    seen = look(address)
    page = seen.page
    page.on("dialog", lambda dialog: pytest.fail(f"A name ran as a script: {dialog.message}"))
    seen.open("leads?lead=1")
    for name in HOSTILE:
        assert name in page.locator("tbody").inner_text()

    for lead in leads(database):
        assert drawer(page).get_by_role("heading").first.inner_text()[:70] == lead.name[:70]
        drawer(page).get_by_role("radio", name="Qualified", exact=True).click()
        drawer(page).get_by_role("button", name="Convert").wait_for()
        seen.settle()
        drawer(page).get_by_role("button", name="Convert").click()
        page.get_by_role("button", name="Convert to a deal").wait_for()
        assert f"Contact: {lead.name[:70]}" in popover(page).inner_text()
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        seen.settle()
        assert f"“{lead.name[:50]}" in page.get_by_text("is qualified").inner_text()
        if lead.id < len(HOSTILE):
            row(page, HOSTILE[lead.id]).click()
            page.wait_for_url(f"**lead={lead.id + 1}")
            seen.settle()
    seen.screenshot("hostile-leads")

    seen.press("New lead")
    fill(page, E_mail="x@x.example")
    expect(drawer(page).get_by_text("You may know")).to_be_visible()
    seen.settle()
    shown = drawer(page).inner_text()
    for name in HOSTILE[:4]:
        assert name[:40] in shown
    assert page.get_by_test_id("stException").count() == 0
    assert (seen.complaints, seen.foreign) == ([], [])
