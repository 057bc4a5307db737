"""The list of deals and the drawer in a real browser: from the first deal to its deletion, alone or two."""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import delete, func, select

from crm_core import clock
from crm_core.database import Database
from crm_core.models import (
    OPEN_STAGES,
    Opportunity,
    OpportunityStage,
    Preference,
    SavedView,
    Source,
    Transaction,
)
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import opportunity_service, settings_service
from tests.browser.conftest import EVERY_LOOK, Look
from tests.browser.parts import (
    click_thrice,
    drawer,
    exported,
    fits,
    hard_to_read,
    names,
    plain,
    popover,
    row,
    table,
    unnamed_controls,
)
from tests.builders import Make
from tests.serving import served

TRIES = 20
HOSTILE = (
    "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))",
    "x" * 200,
    "שלום عالم deal",
    "🚀 Rocket 👩‍👩‍👧 launch",
)


@pytest.fixture(scope="module")
def database(migrated_file, tmp_path_factory) -> Iterator[Database]:
    file = tmp_path_factory.mktemp("opportunities") / "crm.db"
    shutil.copy(migrated_file, file)
    database = Database(f"sqlite:///{file}")
    yield database
    database.close()


@pytest.fixture(scope="module")
def address(database) -> Iterator[str]:
    with served(database.url.render_as_string()) as address:
        yield address


@pytest.fixture(autouse=True)
def empty(database) -> None:
    """What other tests left is gone."""
    with database.write(at=datetime.now(UTC)) as session:
        for old in opportunity_service.find_opportunity_ids(session, opportunity_service.EVERYTHING):
            opportunity_service.delete_opportunity(session, old)
        for kept in (SavedView, Preference):
            session.execute(delete(kept))


@pytest.fixture
def deals(database) -> dict[str, int]:
    """Eight deals by name, two in each open stage, the second worth more."""
    with database.write() as session:
        make = Make(session)
        company = make.company("Sun & Sons")
        owner = make.user("Rita Rep")
        made = [
            make.opportunity(
                name=f"{stage.label} {number}",
                stage=stage,
                expected_value=Decimal(1000 * number),
                expected_close_date=clock.now().date() + timedelta(days=30 + number),
                company_id=company.id if number == 1 else None,
                owner_id=owner.id,
            )
            for stage in OPEN_STAGES
            for number in (1, 2)
        ]
        return {each.name: each.id for each in made}


def living(database: Database) -> list[Opportunity]:
    with database.read() as session:
        found = list(session.scalars(select(Opportunity).where(Opportunity.deleted_at.is_(None))))
        session.expunge_all()
    return found


def deal(database: Database, deal_id: int) -> Opportunity:
    with database.read() as session:
        found = session.get_one(Opportunity, deal_id)
        session.expunge_all()
    return found


def changes(database: Database) -> int:
    """How often somebody has saved anything on a screen."""
    with database.read() as session:
        chosen = select(func.count()).select_from(Transaction).where(Transaction.source == Source.UI)
        return session.scalar(chosen)


def fill(page: Page, **fields: str) -> None:
    for label, text in fields.items():
        drawer(page).get_by_label(label.replace("_", " "), exact=True).fill(text)


def press(page: Page, name: str) -> None:
    """What opens a popover in the drawer's head."""
    drawer(page).get_by_test_id("stPopover").get_by_role("button", name=name, exact=True).click()
    expect(popover(page)).to_be_visible()


def open_drawer(seen: Look, deal_id: int) -> None:
    seen.open(f"opportunities?opportunity={deal_id}")
    drawer(seen.page).get_by_label("Name", exact=True).wait_for()


def save(seen: Look) -> None:
    drawer(seen.page).get_by_role("button", name="Save").click()


# ------------------------------------------------------------------------------------------- the whole path


def test_cells_of_one_deal_are_saved_though_the_first_is_not_answered_yet(look, address, database, deals):
    seen = look(address)
    seen.open("opportunities")
    seen.page.get_by_text("Edit in the table").click()
    seen.settle()
    with database.write(actor=1):  # which keeps the first of them from being saved
        for cell, typed in (("Next step: –. Edit", "Call her"), ("Value: $1,000. Edit", "1500")):
            row(seen.page, "Proposal 1").get_by_role("button", name=cell).click()
            seen.page.keyboard.type(typed)
            seen.page.keyboard.press("Enter")

    expect(row(seen.page, "Proposal 1")).to_contain_text("$1,500")
    expect(row(seen.page, "Proposal 1").locator(".sent")).to_have_count(0)
    saved = deal(database, deals["Proposal 1"])
    assert (saved.next_step, saved.expected_value) == ("Call her", Decimal(1500))
    assert seen.complaints == []


def test_from_the_first_deal_to_its_deletion(look, address, database, tmp_path):
    seen = look(address)
    page = seen.page
    seen.open("opportunities")
    expect(page.get_by_text("No opportunities yet")).to_be_visible()

    page.get_by_role("button", name="New deal").click()
    fill(page, Name="Solar roof", Next_step="Call")
    drawer(page).get_by_label("Value (USD)").fill("12,000")
    drawer(page).get_by_role("button", name="Create deal").click()
    page.wait_for_url(re.compile(r"opportunity=\d+"))
    expect(row(page, "Solar roof")).to_contain_text("$12,000")
    (made,) = living(database)
    assert (made.expected_value, made.next_step, made.stage) == (12_000, "Call", "qualification")

    drawer(page).get_by_label("Value (USD)").fill("15,500.50")
    save(seen)
    expect(row(page, "Solar roof")).to_contain_text("$15,500.50")
    assert deal(database, made.id).expected_value == Decimal("15500.50")
    page.keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)

    with database.write() as session:
        make = Make(session)
        for number in range(12):
            stage = (OpportunityStage.QUALIFICATION, OpportunityStage.PROPOSAL)[number % 2]
            value = None if number == 4 else 1000 * number
            make.opportunity(name=f"Solar park {number}", stage=stage, expected_value=value)
    page.get_by_label("Stage").click()
    page.get_by_role("option", name="Qualification").click()
    page.keyboard.press("Escape")
    page.get_by_placeholder("Deal, company or contact").fill("solar")
    wanted = sorted(
        (each for each in living(database) if each.stage == "qualification" and "solar" in each.name.lower()),
        key=lambda each: (each.expected_value is None, -(each.expected_value or 0)),
    )
    shown = [each.name for each in wanted]
    assert shown[0] == "Solar roof"
    expect(table(page).locator("tbody th")).to_have_text(shown)

    page.get_by_role("button", name="Views").click()
    page.get_by_label("Save what is shown as").fill("New sun")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_text("View “New sun” saved")).to_be_visible()
    page.keyboard.press("Escape")
    again = look(address)
    again.page.goto(page.url)
    expect(table(again.page).locator("tbody th")).to_have_text(shown)
    again.open("opportunities")
    again.page.get_by_role("button", name="Views").click()
    again.page.get_by_role("button", name="New sun").click()
    expect(table(again.page).locator("tbody th")).to_have_text(shown)

    before = changes(database)
    for name in ("Solar park 2", "Solar park 8"):
        row(page, name).get_by_role("checkbox").check()
    page.get_by_role("button", name="Move", exact=True).click()
    popover(page).get_by_text("Discovery", exact=True).click()
    popover(page).get_by_role("button", name="Move 2 deals").click()
    rest = [name for name in shown if name not in ("Solar park 2", "Solar park 8")]
    expect(table(page).locator("tbody th")).to_have_text(rest)
    assert {each.name for each in living(database) if each.stage == "discovery"} == {
        "Solar park 2",
        "Solar park 8",
    }
    page.get_by_role("button", name="Undo").click()
    expect(table(page).locator("tbody th")).to_have_text(shown)
    assert changes(database) == before + 2
    assert not [each for each in living(database) if each.stage == "discovery"]

    told = [
        [each.name, float(each.expected_value) if each.expected_value is not None else None]
        for each in wanted
    ]
    assert exported(page, "Excel", tmp_path) == told
    assert exported(page, "CSV", tmp_path) == told

    row(page, "Solar roof").get_by_role("button").click()
    press(page, "Delete")
    expect(popover(page)).to_contain_text("leaves every list and figure")
    assert deal(database, made.id).deleted_at is None
    popover(page).get_by_role("button", name="Delete this deal").click()
    expect(table(page).locator("tbody th")).to_have_text(shown[1:])
    expect(drawer(page)).to_have_count(0)
    assert deal(database, made.id).deleted_at is not None
    assert (seen.complaints, seen.foreign) == ([], [])


# ------------------------------------------------------------------------------------------ the right record


def test_a_row_opens_its_own_deal_whatever_happened_meanwhile(look, address, database, deals):
    seen = look(address)
    page = seen.page
    seen.open("opportunities?deals_sort=Name%2C+A+to+Z")
    page.get_by_placeholder("Deal, company or contact").fill("2")
    expect(table(page).locator("tbody th")).to_have_text(
        ["Discovery 2", "Negotiation 2", "Proposal 2", "Qualification 2"]
    )
    with database.write(actor=1) as session:  # before all of them in the order, and one goes away
        Make(session).opportunity(name="AAA 2")
        opportunity_service.delete_opportunity(session, deals["Discovery 2"])

    row(page, "Proposal 2").click()

    expect(page).to_have_url(re.compile(f"opportunity={deals['Proposal 2']}"))
    expect(drawer(page).get_by_label("Name", exact=True)).to_have_value("Proposal 2")
    page.keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)
    expect(table(page).locator("tbody th")).to_have_text(
        ["AAA 2", "Negotiation 2", "Proposal 2", "Qualification 2"]
    )
    page.get_by_placeholder("Deal, company or contact").fill("")
    row(page, "Qualification 1").get_by_role("button").click()
    expect(drawer(page).get_by_label("Name", exact=True)).to_have_value("Qualification 1")
    assert f"opportunity={deals['Qualification 1']}" in page.url


def test_a_row_that_is_gone_says_so(look, address, database, deals):
    seen = look(address)
    seen.open("opportunities")
    with database.write(actor=1) as session:
        opportunity_service.delete_opportunity(session, deals["Proposal 1"])

    row(seen.page, "Proposal 1").click()

    expect(drawer(seen.page)).to_contain_text("is no")
    drawer(seen.page).get_by_role("button", name="Close").last.click()
    expect(row(seen.page, "Proposal 1")).to_have_count(0)


# --------------------------------------------------------------------------------------------- two at once


@pytest.mark.parametrize("solution", ["Save mine", "Keep theirs"])
def test_two_who_change_one_field_see_both_values(look, address, database, deals, solution):
    mine, theirs = look(address), look(address)
    for seen in (mine, theirs):
        open_drawer(seen, deals["Proposal 1"])
    fill(theirs.page, Next_step="Theirs")
    save(theirs)
    expect(row(theirs.page, "Proposal 1")).to_contain_text("Theirs")

    fill(mine.page, Next_step="Mine")
    save(mine)

    expect(drawer(mine.page).get_by_role("button", name=solution)).to_be_visible()
    expect(drawer(mine.page).get_by_label("Next step", exact=True)).to_have_value("Mine")
    both = drawer(mine.page).get_by_role("row").filter(has_text="Next step")
    expect(both).to_contain_text("Mine")
    expect(both).to_contain_text("Theirs")
    mine.screenshot("opportunity-conflict")
    assert deal(database, deals["Proposal 1"]).next_step == "Theirs"
    drawer(mine.page).get_by_role("button", name=solution).click()
    kept = solution.split()[1].capitalize()
    expect(drawer(mine.page).get_by_role("button", name=solution)).to_have_count(0)
    expect(drawer(mine.page).get_by_label("Next step", exact=True)).to_have_value(kept)
    assert deal(database, deals["Proposal 1"]).next_step == kept
    assert mine.complaints == []


def test_two_who_change_different_fields_both_succeed(look, address, database, deals):
    mine, theirs = look(address), look(address)
    for seen in (mine, theirs):
        open_drawer(seen, deals["Proposal 1"])

    fill(theirs.page, Next_step="Theirs")
    fill(mine.page, Source="Mine")
    save(theirs)
    expect(row(theirs.page, "Proposal 1")).to_contain_text("Theirs")
    save(mine)
    expect(row(mine.page, "Proposal 1")).to_contain_text("Theirs")
    mine.settle()

    expect(drawer(mine.page).get_by_role("button", name="Save mine")).to_have_count(0)
    expect(drawer(mine.page).get_by_label("Source")).to_have_value("Mine")
    expect(drawer(mine.page).get_by_label("Next step", exact=True)).to_have_value("Theirs")
    now = deal(database, deals["Proposal 1"])
    assert (now.next_step, now.source) == ("Theirs", "Mine")


def test_closing_what_somebody_changed_meanwhile_says_so(look, address, database, deals):
    seen = look(address)
    open_drawer(seen, deals["Proposal 1"])
    press(seen.page, "Close deal")
    popover(seen.page).get_by_label("Note").fill("Signed on paper")
    with database.write(actor=1) as session:
        changed = OpportunityUpdate(next_step="Wait")
        opportunity_service.update_opportunity(session, deals["Proposal 1"], changed)

    popover(seen.page).get_by_role("button", name="Close as won").click()

    expect(popover(seen.page)).to_contain_text("changed")
    expect(popover(seen.page).get_by_label("Note")).to_have_value("Signed on paper")
    popover(seen.page).get_by_role("button", name="Close as won").click()
    expect(row(seen.page, "Proposal 1")).to_contain_text("Closed won")
    assert deal(database, deals["Proposal 1"]).close_note == "Signed on paper"


# -------------------------------------------------------------------------------------------- many clicks


def test_a_triple_click_creates_one_deal(look, address, database):
    seen = look(address)
    page = seen.page
    seen.open("opportunities?opportunity=new")
    before = changes(database)

    for number in range(TRIES):
        fill(page, Name=f"Deal {number}")
        click_thrice(drawer(page).get_by_role("button", name="Create deal"))
        expect(row(page, f"Deal {number}")).to_have_count(1)
        expect(drawer(page).get_by_role("heading", name=f"Deal {number}")).to_be_visible()
        seen.settle()
        page.keyboard.press("Escape")
        expect(drawer(page)).to_have_count(0)
        seen.settle()
        page.get_by_role("button", name="New deal").click()
        expect(drawer(page).get_by_label("Name", exact=True)).to_have_value("")

    assert sorted(each.name for each in living(database)) == sorted(f"Deal {n}" for n in range(TRIES))
    assert changes(database) == before + TRIES
    assert seen.complaints == []


def test_a_triple_click_saves_once(look, address, database, deals):
    seen = look(address)
    open_drawer(seen, deals["Proposal 1"])
    before = changes(database)

    for number in range(TRIES):
        fill(seen.page, Next_step=f"Step {number}")
        click_thrice(drawer(seen.page).get_by_role("button", name="Save"))
        expect(row(seen.page, "Proposal 1")).to_contain_text(f"Step {number}")
        seen.settle()
        expect(drawer(seen.page).get_by_role("button", name="Discard changes")).to_have_count(0)

    seen.settle()
    assert deal(database, deals["Proposal 1"]).version == 1 + TRIES
    assert changes(database) == before + TRIES
    assert seen.complaints == []


def test_a_triple_click_moves_closes_reopens_and_deletes_once(look, address, database, deals):
    seen = look(address)
    page = seen.page

    for number in (1, 2):
        name = f"Discovery {number}"
        open_drawer(seen, deals[name])
        before = changes(database)

        press(page, "Move")
        expect(popover(page).get_by_role("radio", name="Proposal")).to_be_checked()  # the next one
        click_thrice(popover(page).get_by_role("button", name="Move"))
        expect(row(page, name)).to_contain_text("Proposal")
        seen.settle()
        expect(popover(page)).to_have_count(0)
        assert (deal(database, deals[name]).stage, changes(database)) == ("proposal", before + 1)

        press(page, "Close deal")
        click_thrice(popover(page).get_by_role("button", name="Close as won"))
        expect(row(page, name)).to_contain_text("Closed won")
        seen.settle()
        expect(popover(page)).to_have_count(0)
        assert (deal(database, deals[name]).stage, changes(database)) == ("closed_won", before + 2)

        press(page, "Reopen")
        click_thrice(popover(page).get_by_role("button", name="Reopen"))
        expect(row(page, name)).to_contain_text("Negotiation")
        seen.settle()
        expect(popover(page)).to_have_count(0)
        assert (deal(database, deals[name]).stage, changes(database)) == ("negotiation", before + 3)

        press(page, "Delete")
        click_thrice(popover(page).get_by_role("button", name="Delete this deal"))
        expect(row(page, name)).to_have_count(0)
        seen.settle()
        assert changes(database) == before + 4
        assert deal(database, deals[name]).deleted_at is not None
    assert seen.complaints == []


def test_a_triple_click_presses_nothing_behind(look, address, deals):
    seen = look(address)
    page = seen.page
    seen.open("opportunities")

    click_thrice(row(page, "Proposal 1").get_by_role("button"))
    drawer(page).get_by_label("Name", exact=True).first.wait_for()  # for a moment it may be drawn twice
    page.wait_for_timeout(1000)
    seen.settle()
    expect(drawer(page).get_by_label("Name", exact=True)).to_have_value("Proposal 1")

    page.mouse.click(200, 500)
    expect(drawer(page)).to_have_count(0)


def test_escape_right_after_saving_closes_the_drawer(look, address, database, deals):
    seen = look(address)
    for number in range(3):
        open_drawer(seen, deals["Proposal 1"])
        fill(seen.page, Next_step=f"Step {number}")
        save(seen)
        expect(row(seen.page, "Proposal 1")).to_contain_text(f"Step {number}")
        seen.page.keyboard.press("Escape")
        expect(drawer(seen.page)).to_have_count(0)
        seen.settle()
        expect(drawer(seen.page)).to_have_count(0)
        assert "opportunity=" not in seen.page.url


def test_what_was_done_in_a_drawer_is_taken_back_there(look, address, database, deals):
    seen = look(address)
    page = seen.page
    open_drawer(seen, deals["Proposal 1"])
    press(page, "Move")
    popover(page).get_by_text("Discovery", exact=True).click()
    popover(page).get_by_role("button", name="Move").click()
    expect(row(page, "Proposal 1")).to_contain_text("Discovery")
    expect(drawer(page)).to_contain_text("Moved to discovery.")
    seen.screenshot("opportunity-undo")

    drawer(page).get_by_role("button", name="Undo").click()

    expect(row(page, "Proposal 1")).to_contain_text("Proposal")
    expect(drawer(page).get_by_role("button", name="Undo")).to_have_count(0)
    expect(drawer(page).locator(".stMarkdownBadge").first).to_have_text("Proposal")
    assert deal(database, deals["Proposal 1"]).stage == "proposal"
    assert seen.complaints == []


@pytest.mark.parametrize("wait", [0, 30, 120])
def test_a_tab_closed_while_saving_has_saved_once_or_not(look, address, database, deals, wait):
    seen = look(address)
    open_drawer(seen, deals["Proposal 1"])
    before = changes(database)
    fill(seen.page, Next_step="Slammed shut")

    drawer(seen.page).get_by_role("button", name="Save").click(no_wait_after=True)
    seen.page.wait_for_timeout(wait)
    seen.page.close()

    again = look(address)
    open_drawer(again, deals["Proposal 1"])
    saved = deal(database, deals["Proposal 1"])
    assert saved.next_step in (None, "Slammed shut")
    assert changes(database) - before == saved.version - 1 == int(saved.next_step is not None)
    expect(drawer(again.page).get_by_label("Next step", exact=True)).to_have_value(saved.next_step or "")


# ------------------------------------------------------------------------------------------------ keyboard


def tab_to(page: Page, wanted, *, most: int = 80) -> None:
    """Press Tab until that element has the focus, however deep it lies."""
    for _ in range(most):
        if wanted.evaluate("each => each.getRootNode().activeElement === each"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {wanted}")


def test_a_deal_is_made_changed_and_left_by_keyboard_alone(look, address, database, deals):
    seen = look(address)
    page = seen.page
    keyboard = page.keyboard
    seen.open("opportunities")

    tab_to(page, page.get_by_role("button", name="New deal"))
    keyboard.press("Enter")
    name = drawer(page).get_by_label("Name", exact=True)
    name.wait_for()
    tab_to(page, name)
    keyboard.type("By keyboard")
    keyboard.press("Enter")
    expect(drawer(page).get_by_role("heading", name="By keyboard")).to_be_visible()
    seen.settle()
    keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)
    seen.settle()

    tab_to(page, row(page, "By keyboard").get_by_role("button"))
    keyboard.press("Enter")
    step = drawer(page).get_by_label("Next step", exact=True)
    step.wait_for()
    tab_to(page, step)
    keyboard.type("Call")
    keyboard.press("Control+Enter")
    expect(row(page, "By keyboard")).to_contain_text("Call")
    tab_to(page, drawer(page).get_by_role("button", name="Delete"))
    keyboard.press("Enter")
    expect(popover(page)).to_be_visible()
    keyboard.press("Escape")
    expect(popover(page)).to_have_count(0)
    keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)
    assert {"By keyboard": "Call"}.items() <= {each.name: each.next_step for each in living(database)}.items()
    assert seen.complaints == []


def test_keys_save_from_any_field_and_leave_what_was_chosen(look, address, database, deals):
    seen = look(address)
    page = seen.page
    seen.open("opportunities?opportunity=new")
    fill(page, Name="By keys")
    company = drawer(page).get_by_label("Company", exact=True)
    company.click()
    page.get_by_role("option", name="Sun & Sons").first.click()
    company.click()
    page.keyboard.press("Escape")
    expect(company).to_have_value(re.compile("Sun & Sons"))
    expect(company).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(drawer(page).get_by_role("heading", name="By keys")).to_be_visible()
    seen.settle()

    fill(page, Next_step="Call")
    drawer(page).get_by_label("Expected close").first.click()
    page.keyboard.press("Control+Enter")
    expect(row(page, "By keys")).to_contain_text("Call")
    (made,) = [each for each in living(database) if each.name == "By keys"]
    assert made.company_id is not None

    drawer(page).get_by_role("tab", name="Notes").click()
    drawer(page).get_by_label("New note").fill("They called back.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Note added.")).to_be_visible()
    seen.settle()
    expect(drawer(page).get_by_text("They called back.", exact=True)).to_have_count(1)
    expect(drawer(page).get_by_label("New note")).to_have_value("")
    assert seen.complaints == []


def test_every_control_has_a_name(look, address, deals):
    seen = look(address)
    page = seen.page
    found = {}
    seen.open("opportunities?deals_stage=Proposal")
    page.get_by_text("Edit in the table").click()
    row(page, "Proposal 1").get_by_role("checkbox").check()
    expect(page.get_by_role("button", name="Assign")).to_be_visible()
    seen.settle()
    found["list"] = unnamed_controls(page)
    for button in ("More filters", "Views", "Assign", "Move", "Set close date", "Close as lost", "Delete"):
        page.get_by_role("button", name=button, exact=True).click()
        expect(popover(page)).to_be_visible()
        found[button] = unnamed_controls(page)
        page.keyboard.press("Escape")
        expect(popover(page)).to_have_count(0)
    for button in ("Export", "Columns"):
        page.get_by_role("button", name=button, exact=True).click()
        expect(drawer(page)).to_be_visible()
        seen.settle()
        found[button] = unnamed_controls(page)
        page.keyboard.press("Escape")
        expect(drawer(page)).to_have_count(0)
    open_drawer(seen, deals["Proposal 1"])
    for tab in ("Details", "Timeline", "Notes", "Related"):
        drawer(page).get_by_role("tab", name=tab).click()
        seen.settle()
        found[tab] = unnamed_controls(page)
    for button in ("Move", "Close deal", "Delete"):
        press(page, button)
        expect(popover(page)).to_be_visible()
        found[f"{button} one"] = unnamed_controls(page)
        page.keyboard.press("Escape")
        expect(popover(page)).to_have_count(0)
    seen.open("opportunities?opportunity=new")
    found["new"] = unnamed_controls(page)

    assert {place: unnamed for place, unnamed in found.items() if unnamed} == {}


# --------------------------------------------------------------------------------------------------- words


def test_hostile_names_are_shown_as_typed(look, address, database):
    with database.write() as session:
        make = Make(session)
        ids = {}
        for name in HOSTILE:
            company, owner = make.company(name), make.user(name)
            contact = make.contact(name, company_id=company.id)
            ids[name] = make.opportunity(
                name=name,
                company_id=company.id,
                contact_id=contact.id,
                owner_id=owner.id,
                next_step=name,
                source=name[:100],
                stage=OpportunityStage.PROPOSAL,
            ).id
    seen = look(address)
    page = seen.page
    page.on("dialog", lambda dialog: pytest.fail(f"A name ran as a script: {dialog.message}"))
    seen.open("opportunities")
    assert set(names(page)) == set(HOSTILE)

    for name, deal_id in ids.items():
        begin = name[:50]
        open_drawer(seen, deal_id)
        heading = drawer(page).get_by_role("heading").first
        assert plain(heading.inner_text()).startswith(name[:79])
        assert drawer(page).get_by_label("Name", exact=True).input_value() == name
        drawer(page).get_by_role("tab", name="Related").click()
        expect(drawer(page).get_by_text("No other deals")).to_have_count(2)
        assert plain(drawer(page).inner_text()).count(begin) >= 3
        drawer(page).get_by_role("tab", name="Timeline").click()
        press(page, "Delete")
        assert f"“{begin}" in plain(popover(page).inner_text())
        page.keyboard.press("Escape")
        press(page, "Close deal")
        popover(page).get_by_role("button", name="Close as won").click()
        told = page.get_by_text(re.compile("is won")).first
        expect(told).to_be_attached()
        assert f"“{begin}" in plain(told.inner_text())
    seen.screenshot("opportunities-hostile-drawer")

    seen.open("opportunities")
    page.get_by_placeholder("Deal, company or contact").fill(HOSTILE[0])
    expect(table(page).locator("tbody th")).to_have_text([HOSTILE[0]])
    page.get_by_label("Owner").click()
    assert HOSTILE[0] in {plain(each) for each in page.get_by_role("option").all_inner_texts()}
    page.get_by_role("option").filter(has_text="javascript").first.click()
    page.keyboard.press("Escape")
    seen.settle()
    chips = [plain(each) for each in page.locator("[class*='chip']").all_inner_texts()]
    assert any("**x** :red[y] <img src=x" in each for each in chips), chips
    row(page, HOSTILE[0]).get_by_role("checkbox").click()
    page.get_by_role("button", name="Assign").click()
    expect(popover(page)).to_be_visible()
    seen.screenshot("opportunities-hostile")
    assert (seen.complaints, seen.foreign) == ([], [])


@pytest.fixture
def swiss(database) -> Iterator[None]:
    with database.write() as session:
        before = settings_service.get_workspace(session)
        settings_service.update_settings(session, SettingsUpdate(locale="de_CH", currency="CHF"))
    yield
    with database.write() as session:
        settings_service.update_settings(
            session, SettingsUpdate(locale=before.locale, currency=before.currency)
        )


@pytest.mark.usefixtures("swiss")
def test_swiss_money_and_days_in_table_and_drawer(look, address, database):
    with database.write() as session:
        make = Make(session)
        roof = make.opportunity(
            name="Dach", expected_value=Decimal("12500.50"), expected_close_date=date(2031, 3, 18)
        )
        make.opportunity(name="Keller", expected_value=Decimal(1_000_000))
    seen = look(address)
    seen.open("opportunities")

    expect(row(seen.page, "Dach")).to_contain_text("CHF\u00a012’500.50")
    expect(row(seen.page, "Dach")).to_contain_text("18.03.2031")
    expect(row(seen.page, "Keller")).to_contain_text("CHF\u00a01’000’000")
    expect(seen.page.get_by_test_id("stMain")).to_contain_text("worth CHF\u00a01’012’500.50")
    row(seen.page, "Dach").click()
    expect(drawer(seen.page)).to_contain_text("CHF\u00a012’500.50")
    expect(drawer(seen.page)).to_contain_text("18.03.2031")
    expect(drawer(seen.page).get_by_label("Value (CHF)")).to_have_value("12’500.50")
    drawer(seen.page).get_by_label("Value (CHF)").fill("13'000.05")
    save(seen)
    expect(row(seen.page, "Dach")).to_contain_text("CHF\u00a013’000.05")
    assert deal(database, roof.id).expected_value == Decimal("13000.05")
    seen.screenshot("opportunities-swiss")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_stage_has_one_colour_everywhere(look, address, deals, scheme):
    seen = look(address, scheme=scheme)
    seen.open("opportunities")
    style = "each => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor].join()"
    found = {}
    for stage in OPEN_STAGES:
        badges = table(seen.page).locator(".badge").filter(has_text=stage.label).all()
        (found[stage],) = {each.evaluate(style) for each in badges}
        assert len(badges) == 2
    assert len(set(found.values())) == len(OPEN_STAGES)
    for stage in OPEN_STAGES:
        open_drawer(seen, deals[f"{stage.label} 1"])
        badge = drawer(seen.page).locator(".stMarkdownBadge").first
        expect(badge).to_have_text(stage.label)
        assert badge.evaluate(style) == found[stage]


# --------------------------------------------------------------------------------------------------- looks


@EVERY_LOOK
def test_empty_bare_and_long_are_drawn_well(look, address, database, size, scheme):
    seen = look(address, size=size, scheme=scheme)

    def look_at(what: str) -> None:
        seen.screenshot(f"opportunities-{what}-{size[0]}-{scheme}")
        assert fits(seen)
        assert hard_to_read(seen.page) == []

    seen.open("opportunities")
    look_at("empty")
    with database.write() as session:
        make = Make(session)
        bare = make.opportunity(name="Bare").id
        name = "Longwinded & Sons " * 11
        company, owner = make.company(name.strip()), make.user(name.strip())
        long = make.opportunity(
            name="W" * 200,
            company_id=company.id,
            owner_id=owner.id,
            contact_id=make.contact(name.strip(), company_id=company.id).id,
            expected_value=Decimal("999999999999.99"),
            expected_close_date=date(2020, 1, 31),
            next_step=name,
            stage=OpportunityStage.NEGOTIATION,
        ).id
    seen.open("opportunities")
    look_at("list")
    open_drawer(seen, bare)
    look_at("bare")
    open_drawer(seen, long)
    look_at("long")
    drawer(seen.page).get_by_role("tab", name="Related").click()
    seen.settle()
    look_at("long-related")
    assert (seen.complaints, seen.foreign) == ([], [])


def test_what_is_wrong_stands_below_its_field_and_moves_no_other(look, address, deals):
    seen = look(address)
    open_drawer(seen, deals["Proposal 1"])
    drawer(seen.page).get_by_label("Value (USD)").fill("a lot")
    save(seen)

    expect(drawer(seen.page)).to_contain_text("Write an amount like")
    left, right = (
        drawer(seen.page).get_by_label(label, exact=True).first.bounding_box()
        for label in ("Next step", "Next step on")
    )
    seen.screenshot("opportunity-wrong")
    assert abs(left["y"] - right["y"]) < 12
    expect(drawer(seen.page).get_by_label("Value (USD)")).to_have_value("a lot")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(look, demo_address, scheme):
    seen = look(demo_address, scheme=scheme)
    found = {}
    for path in ("", "opportunities", "opportunities?opportunity=1", "pipeline", "leads", "leads?lead=1"):
        seen.open(path)
        if path == "pipeline":
            seen.page.locator("li.card").first.wait_for()
        found[path] = hard_to_read(seen.page)
        seen.screenshot(
            f"contrast-{scheme}-{path.partition('?')[0] or 'dashboard'}{'-drawer' * ('?' in path)}"
        )
    assert {path: faint for path, faint in found.items() if faint} == {}
