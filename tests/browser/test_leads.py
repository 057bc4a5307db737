"""Leads in a real browser: from who they may be already to the deal that they become."""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm_core import demo
from crm_core.database import Database
from crm_core.models import Lead, LeadStatus, Opportunity
from tests.browser.conftest import EVERY_LOOK, Look
from tests.builders import Make
from tests.serving import served

HOSTILE = (
    "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))",
    "![x](http://example.com/x.png)",
    "<script>alert(3)</script>",
    "`code` $x^2$ :material/home: http://example.com",
    "x" * 200,
)


@pytest.fixture
def database(migrated_file: Path, tmp_path: Path) -> Database:
    """An empty workspace of the test's own."""
    shutil.copy(migrated_file, tmp_path / "crm.db")
    return Database(f"sqlite:///{tmp_path / 'crm.db'}")


@pytest.fixture
def address(database: Database) -> Iterator[str]:
    with served(database.url.render_as_string()) as address:
        yield address


def leads(database: Database) -> list[Lead]:
    with database.read() as session:
        found = list(session.scalars(select(Lead).where(Lead.deleted_at.is_(None)).order_by(Lead.id)))
        session.expunge_all()
    return found


def shown(page: Page, name: str):
    """The row of the lead with that name."""
    return page.locator("tbody tr").filter(has=page.get_by_role("button", name=name, exact=True))


def drawer(page: Page):
    return page.locator('[role="dialog"]:not([data-testid="stPopoverBody"])')


def fill(page: Page, **fields: str) -> None:
    for label, text in fields.items():
        drawer(page).get_by_label(label.replace("_", "-"), exact=True).fill(text)


def test_from_a_name_to_a_deal(look, address, database):
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
    expect(shown(page, "Ada L.").locator("td").nth(1)).to_have_text("Sun")
    assert leads(database)[1].phone == "555 0100"

    for status in ("Contacted", "Qualified"):
        drawer(page).get_by_role("radio", name=status, exact=True).click()
        expect(shown(page, "Ada L.")).to_contain_text(status)
    drawer(page).get_by_role("button", name="Convert").click()
    expect(page.get_by_text("Contact: Ada Lovelace")).to_be_visible()
    seen.screenshot("leads-convert")
    page.get_by_role("button", name="Convert to a deal").click()
    page.wait_for_url("**opportunity=1")
    expect(drawer(page)).to_contain_text("Sun")
    expect(drawer(page)).to_contain_text("Qualification")
    seen.settle()

    page.keyboard.press("Escape")
    seen.settle()
    shown(page, "Ada L.").click()
    seen.settle()
    expect(drawer(page)).to_contain_text("Converted")
    expect(drawer(page).get_by_role("radio")).to_have_count(0)
    drawer(page).get_by_role("button", name="Sun").click()
    page.wait_for_url("**opportunity=1")
    with database.read() as session:
        assert session.get_one(Opportunity, 1).lead_id == 2
    assert (seen.complaints, seen.foreign) == ([], [])


@pytest.mark.parametrize("clicks", [2, 3])
def test_many_clicks_make_one_lead(look, address, database, clicks):
    seen = look(address)
    for turn in range(3):
        seen.open("leads?lead=new")
        fill(seen.page, Name=f"Ada {turn}")
        seen.page.get_by_role("button", name="Create lead").click(click_count=clicks, delay=5)
        seen.page.wait_for_url(re.compile(r"lead=\d+"))
        seen.settle()

    assert [lead.name for lead in leads(database)] == ["Ada 0", "Ada 1", "Ada 2"]


def test_many_clicks_convert_once(look, address, database):
    with database.write() as session:
        Make(session).lead("Ada", company_name="Sun", status=LeadStatus.QUALIFIED)
    seen = look(address)
    seen.open("leads?lead=1")

    drawer(seen.page).get_by_role("button", name="Convert").click()
    seen.page.get_by_role("button", name="Convert to a deal").click(click_count=3, delay=5)
    seen.page.wait_for_url("**opportunity=1")
    seen.settle()

    with database.read() as session:
        assert len(list(session.scalars(select(Opportunity)))) == 1
    seen.page.keyboard.press("Escape")
    seen.settle()
    seen.page.get_by_role("button", name="Undo").click()
    expect(shown(seen.page, "Ada")).to_contain_text("Qualified")


def test_a_cell_is_edited_and_many_are_changed_and_taken_back(look, address, database):
    with database.write() as session:
        make = Make(session)
        for number in range(60):
            make.lead(f"Lead {number:02}", created_at=datetime(2026, 1, 1 + number // 3, tzinfo=UTC))
    seen = look(address)
    page = seen.page
    seen.open("leads?leads_sort=Name%2C+A+to+Z")
    page.get_by_text("Edit in the table").click()
    seen.settle()

    shown(page, "Lead 03").get_by_role("button", name="Status: New. Edit").click()
    page.get_by_label("Status of Lead 03").select_option("contacted")
    page.keyboard.press("Enter")
    expect(shown(page, "Lead 03")).to_contain_text("Contacted")
    shown(page, "Lead 04").get_by_role("button", name="Estimated value: –. Edit").click()
    page.get_by_label("Estimated value of Lead 04").fill("1,500")
    page.keyboard.press("Enter")
    expect(shown(page, "Lead 04")).to_contain_text("$1,500")

    for name in ("Lead 01", "Lead 02"):
        shown(page, name).get_by_role("checkbox").check()
    page.get_by_role("button", name="Set status").click()
    expect(page.get_by_test_id("stPopoverBody")).to_be_in_viewport()
    page.get_by_test_id("stPopoverBody").get_by_text("Unqualified", exact=True).click()
    page.get_by_role("button", name="Set for 2 leads").click()
    expect(shown(page, "Lead 02")).to_contain_text("Unqualified")
    page.get_by_role("button", name="Undo").click()
    expect(shown(page, "Lead 02")).to_contain_text("New")

    shown(page, "Lead 05").get_by_role("checkbox").check()
    page.get_by_text("All 60 leads that match").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete 60 leads").click()
    expect(page.get_by_text("No leads yet")).to_be_visible()
    assert leads(database) == []
    page.get_by_role("button", name="Undo").click()
    expect(shown(page, "Lead 00")).to_be_visible()
    assert len(leads(database)) == 60
    assert seen.complaints == []


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
    seen.open("leads")
    for name in HOSTILE:
        assert name in page.locator("tbody").inner_text()

    for lead in leads(database):
        seen.open(f"leads?lead={lead.id}")
        assert (
            drawer(page).get_by_role("heading").first.inner_text().replace("\u2060", "")[:70]
            == lead.name[:70]
        )
        drawer(page).get_by_role("radio", name="Qualified", exact=True).click()
        drawer(page).get_by_role("button", name="Convert").wait_for()
        seen.settle()
        drawer(page).get_by_role("button", name="Convert").click()
        page.get_by_role("button", name="Convert to a deal").wait_for()
        told = page.get_by_test_id("stPopoverBody").inner_text().replace("\u2060", "")
        assert f"Contact: {lead.name[:70]}" in told
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        seen.settle()
        last = page.get_by_text("is qualified").inner_text().replace("\u2060", "")
        assert f"“{lead.name[:50]}" in last
    seen.screenshot("hostile-leads")

    seen.open("leads?lead=new")
    fill(page, E_mail="x@x.example")
    expect(drawer(page).get_by_text("You may know")).to_be_visible()
    seen.settle()
    told = drawer(page).inner_text().replace("\u2060", "")
    for name in HOSTILE[:4]:
        assert name[:40] in told
    assert page.get_by_test_id("stException").count() == 0
    assert (seen.complaints, seen.foreign) == ([], [])


@pytest.fixture(scope="module")
def busy(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a workspace full of demo data."""
    file = tmp_path_factory.mktemp("leads") / "crm.db"
    shutil.copy(migrated_file, file)
    database = Database(f"sqlite:///{file}")
    demo.fill(database, opportunities=60, seed=1, at=datetime.now(UTC))
    with served(database.url.render_as_string()) as address:
        yield address


@EVERY_LOOK
def test_list_drawer_and_form_draw_without_complaint(look, busy, size, scheme):
    seen: Look = look(busy, size=size, scheme=scheme)
    for name, path in {"leads": "leads", "lead": "leads?lead=1", "new-lead": "leads?lead=new"}.items():
        seen.open(path)
        seen.screenshot(f"{name}-{size[0]}-{scheme}")
        assert seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert seen.page.get_by_test_id("stException").count() == 0
    assert (seen.complaints, seen.foreign) == ([], [])


def test_filters_live_in_the_address_and_a_view_brings_them_back(look, busy):
    seen = look(busy)
    page = seen.page
    seen.open("leads")
    page.get_by_label("Status").click()
    page.get_by_role("option", name="Unqualified").click()
    page.keyboard.press("Escape")
    seen.settle()
    assert "leads_status=Unqualified" in page.url
    counted = page.get_by_text(re.compile(r"^\d+ leads?$")).first.inner_text()

    page.get_by_role("button", name="Views").click()
    page.get_by_label("Save what is shown as").fill("Lost ones")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_text("View “Lost ones” saved")).to_be_visible()

    again = look(busy)
    again.open("leads")
    again.page.get_by_role("button", name="Views").click()
    again.page.get_by_role("button", name="Lost ones").click()
    again.page.wait_for_url("**leads_status=Unqualified**")
    again.settle()
    assert again.page.get_by_text(re.compile(r"^\d+ leads?$")).first.inner_text() == counted
