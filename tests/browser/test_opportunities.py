"""The list of deals and the drawer in a real browser: from the first deal to its deletion, alone or two."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from crm_core import clock
from crm_core.database import Database
from crm_core.models import (
    OPEN_STAGES,
    Opportunity,
    OpportunityStage,
    Source,
    Transaction,
)
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import opportunity_service, settings_service
from tests import forms
from tests.browser.conftest import Look
from tests.browser.parts import (
    click_thrice,
    close_drawer,
    drawer,
    exported,
    names,
    open_row,
    popover,
    row,
    table,
    unnamed_controls,
)
from tests.builders import Make

TRIES = forms.either(3, 20)
HOSTILE = (
    "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))",
    "x" * 200,
    "שלום عالم deal",
    "🚀 Rocket 👩‍👩‍👧 launch",
)


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


def test_from_the_first_deal_to_its_deletion(look, address, database, tmp_path):
    seen = look(address)
    page = seen.page
    seen.open("opportunities")
    expect(page.get_by_text("No opportunities yet")).to_be_visible()

    made = create_the_solar_roof(seen, database)
    wanted = find_the_new_solar_deals(page, database)
    shown = [each.name for each in wanted]
    assert shown[0] == "Solar roof"
    expect(table(page).locator("tbody th")).to_have_text(shown)

    save_the_view(page)
    find_them_by_address_and_by_view(look(address), page.url, shown)
    move_two_and_take_it_back(page, database, shown)

    expected = [
        [each.name, float(each.expected_value) if each.expected_value is not None else None]
        for each in wanted
    ]
    assert exported(page, "Excel", tmp_path) == expected
    assert exported(page, "CSV", tmp_path) == expected

    open_row(seen, "Solar roof")
    press(page, "Delete")
    expect(popover(page)).to_contain_text("leaves every list and figure")
    assert deal(database, made.id).deleted_at is None
    popover(page).get_by_role("button", name="Delete this deal").click()
    expect(table(page).locator("tbody th")).to_have_text(shown[1:])
    expect(drawer(page)).to_have_count(0)
    assert deal(database, made.id).deleted_at is not None
    assert (seen.complaints, seen.foreign) == ([], [])


def create_the_solar_roof(seen: Look, database: Database) -> Opportunity:
    """Create the first deal in its drawer, and change its value there."""
    page = seen.page
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
    close_drawer(page)
    return made


def find_the_new_solar_deals(page: Page, database: Database) -> list[Opportunity]:
    """Filter by stage and by name among a dozen more deals; returns what should be shown, in its order."""
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
    return sorted(
        (each for each in living(database) if each.stage == "qualification" and "solar" in each.name.lower()),
        key=lambda each: (each.expected_value is None, -(each.expected_value or 0)),
    )


def save_the_view(page: Page) -> None:
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Save what is shown as").fill("New sun")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_text("View “New sun” saved")).to_be_visible()
    page.keyboard.press("Escape")


def find_them_by_address_and_by_view(again: Look, url: str, shown: list[str]) -> None:
    again.page.goto(url)
    expect(table(again.page).locator("tbody th")).to_have_text(shown)
    again.page.get_by_role("button", name="Clear all").filter(has_text="Clear all").click()
    expect(table(again.page).locator("tbody th")).to_have_count(13)
    again.page.get_by_role("button", name="Views").click()
    again.page.get_by_role("button", name="New sun").click()
    expect(table(again.page).locator("tbody th")).to_have_text(shown)


def move_two_and_take_it_back(page: Page, database: Database, shown: list[str]) -> None:
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


# ------------------------------------------------------------------------------------------ the right record


def test_a_row_opens_and_saves_its_own_deal_though_the_list_has_changed(look, address, database, deals):
    seen = look(address)
    seen.open("opportunities?deals_sort=name")

    open_a_row_that_has_moved(seen, database, deals)
    open_a_row_that_is_gone(seen.page, database, deals)
    save_cells_though_the_first_is_not_answered_yet(seen, database, deals)

    assert seen.complaints == []


def open_a_row_that_has_moved(seen: Look, database: Database, deals: dict[str, int]) -> None:
    page = seen.page
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
    close_drawer(page)
    expect(table(page).locator("tbody th")).to_have_text(
        ["AAA 2", "Negotiation 2", "Proposal 2", "Qualification 2"]
    )
    page.get_by_placeholder("Deal, company or contact").fill("")
    open_row(seen, "Qualification 1")
    expect(drawer(page).get_by_label("Name", exact=True)).to_have_value("Qualification 1")
    assert f"opportunity={deals['Qualification 1']}" in page.url
    close_drawer(page)


def open_a_row_that_is_gone(page: Page, database: Database, deals: dict[str, int]) -> None:
    with database.write(actor=1) as session:
        opportunity_service.delete_opportunity(session, deals["Proposal 2"])

    row(page, "Proposal 2").click()

    expect(drawer(page)).to_contain_text("is no")
    drawer(page).get_by_role("button", name="Close").last.click()
    expect(row(page, "Proposal 2")).to_have_count(0)


def save_cells_though_the_first_is_not_answered_yet(
    seen: Look, database: Database, deals: dict[str, int]
) -> None:
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


# --------------------------------------------------------------------------------------------- two at once


def test_two_who_change_one_deal_see_what_the_other_saved(look, address, database, deals):
    mine, theirs = look(address), look(address)
    for seen in (mine, theirs):
        open_drawer(seen, deals["Proposal 1"])

    both_change_one_field(mine, theirs, database, deals["Proposal 1"], "Keep theirs")
    both_change_a_field_of_their_own(mine, theirs, database, deals["Proposal 1"])
    both_change_one_field(mine, theirs, database, deals["Proposal 1"], "Save mine")
    close_what_somebody_changed_meanwhile(mine.page, database, deals["Proposal 1"])

    assert mine.complaints == []


def both_change_one_field(mine: Look, theirs: Look, database: Database, deal_id: int, solution: str) -> None:
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
    assert deal(database, deal_id).next_step == "Theirs"
    drawer(mine.page).get_by_role("button", name=solution).click()
    chosen = solution.split()[1].capitalize()
    expect(drawer(mine.page).get_by_role("button", name=solution)).to_have_count(0)
    expect(drawer(mine.page).get_by_label("Next step", exact=True)).to_have_value(chosen)
    assert deal(database, deal_id).next_step == chosen


def both_change_a_field_of_their_own(mine: Look, theirs: Look, database: Database, deal_id: int) -> None:
    fill(theirs.page, Next_step="Call")
    fill(mine.page, Source="Mine")
    save(theirs)
    expect(row(theirs.page, "Proposal 1")).to_contain_text("Call")
    save(mine)
    expect(row(mine.page, "Proposal 1")).to_contain_text("Call")
    mine.settle()

    expect(drawer(mine.page).get_by_role("button", name="Save mine")).to_have_count(0)
    expect(drawer(mine.page).get_by_label("Source")).to_have_value("Mine")
    expect(drawer(mine.page).get_by_label("Next step", exact=True)).to_have_value("Call")
    now = deal(database, deal_id)
    assert (now.next_step, now.source) == ("Call", "Mine")


def close_what_somebody_changed_meanwhile(page: Page, database: Database, deal_id: int) -> None:
    """It says so, and is closed by a second click with the note as it was typed."""
    press(page, "Close deal")
    popover(page).get_by_label("Note").fill("Signed on paper")
    with database.write(actor=1) as session:
        changed = OpportunityUpdate(next_step="Wait")
        opportunity_service.update_opportunity(session, deal_id, changed)

    popover(page).get_by_role("button", name="Close as won").click()

    expect(popover(page)).to_contain_text("changed")
    expect(popover(page).get_by_label("Note")).to_have_value("Signed on paper")
    popover(page).get_by_role("button", name="Close as won").click()
    expect(row(page, "Proposal 1")).to_contain_text("Closed won")
    assert deal(database, deal_id).close_note == "Signed on paper"


# -------------------------------------------------------------------------------------------- many clicks


def test_a_triple_click_does_everything_once(look, address, database, deals):
    seen = look(address)
    seen.open("opportunities?opportunity=new")

    create_with_three_clicks(seen, database, deals)
    open_with_three_clicks(seen)
    save_with_three_clicks(seen, database, deals["Proposal 1"])
    for name in forms.either(["Discovery 1"], ["Discovery 1", "Discovery 2"]):
        move_close_reopen_and_delete_with_three_clicks(seen, database, name, deals[name])

    assert seen.complaints == []


def create_with_three_clicks(seen: Look, database: Database, deals: dict[str, int]) -> None:
    page = seen.page
    before = changes(database)

    for number in range(TRIES):
        fill(page, Name=f"Deal {number}")
        click_thrice(drawer(page).get_by_role("button", name="Create deal"))
        expect(row(page, f"Deal {number}")).to_have_count(1)
        expect(drawer(page).get_by_role("heading", name=f"Deal {number}")).to_be_visible()
        seen.settle()
        close_drawer(page)
        seen.settle()
        page.get_by_role("button", name="New deal").click()
        expect(drawer(page).get_by_label("Name", exact=True)).to_have_value("")

    close_drawer(page)
    made = sorted(each.name for each in living(database) if each.name not in deals)
    assert made == sorted(f"Deal {n}" for n in range(TRIES))
    assert changes(database) == before + TRIES


def open_with_three_clicks(seen: Look) -> None:
    """The later clicks press nothing of the drawer that lies there by then; one beside it closes it."""
    page = seen.page
    click_thrice(row(page, "Proposal 1").get_by_role("button"))
    drawer(page).get_by_label("Name", exact=True).first.wait_for()  # for a moment it may be drawn twice
    page.wait_for_timeout(1000)
    seen.settle()
    expect(drawer(page).get_by_label("Name", exact=True)).to_have_value("Proposal 1")

    page.mouse.click(200, 500)
    expect(drawer(page)).to_have_count(0)


def save_with_three_clicks(seen: Look, database: Database, deal_id: int) -> None:
    open_row(seen, "Proposal 1")
    before = changes(database)

    for number in range(TRIES):
        fill(seen.page, Next_step=f"Step {number}")
        click_thrice(drawer(seen.page).get_by_role("button", name="Save"))
        expect(row(seen.page, "Proposal 1")).to_contain_text(f"Step {number}")
        seen.settle()
        expect(drawer(seen.page).get_by_role("button", name="Discard changes")).to_have_count(0)

    seen.settle()
    assert deal(database, deal_id).version == 1 + TRIES
    assert changes(database) == before + TRIES
    close_drawer(seen.page)


def move_close_reopen_and_delete_with_three_clicks(
    seen: Look, database: Database, name: str, deal_id: int
) -> None:
    page = seen.page
    open_row(seen, name)
    before = changes(database)

    press(page, "Move")
    expect(popover(page).get_by_role("radio", name="Proposal")).to_be_checked()  # the next one
    click_thrice(popover(page).get_by_role("button", name="Move"))
    expect(row(page, name)).to_contain_text("Proposal")
    seen.settle()
    expect(popover(page)).to_have_count(0)
    assert (deal(database, deal_id).stage, changes(database)) == ("proposal", before + 1)

    press(page, "Close deal")
    click_thrice(popover(page).get_by_role("button", name="Close as won"))
    expect(row(page, name)).to_contain_text("Closed won")
    seen.settle()
    expect(popover(page)).to_have_count(0)
    assert (deal(database, deal_id).stage, changes(database)) == ("closed_won", before + 2)

    press(page, "Reopen")
    click_thrice(popover(page).get_by_role("button", name="Reopen"))
    expect(row(page, name)).to_contain_text("Negotiation")
    seen.settle()
    expect(popover(page)).to_have_count(0)
    assert (deal(database, deal_id).stage, changes(database)) == ("negotiation", before + 3)

    press(page, "Delete")
    click_thrice(popover(page).get_by_role("button", name="Delete this deal"))
    expect(row(page, name)).to_have_count(0)
    seen.settle()
    assert changes(database) == before + 4
    assert deal(database, deal_id).deleted_at is not None


# ---------------------------------------------------------------------------------------------- the drawer


def test_a_drawer_survives_escape_undo_mistakes_and_a_closed_tab(look, address, database, deals):
    seen = look(address)
    open_drawer(seen, deals["Proposal 1"])

    escape_right_after_saving(seen)
    take_back_a_move(seen, database, deals["Proposal 1"])
    read_what_is_wrong_below_its_field(seen)
    discard_it(seen)
    assert seen.complaints == []

    for wait in forms.either([30], [0, 30, 120]):
        again = look(address)
        close_the_tab_while_saving(seen, again, wait, database, deals["Proposal 1"])
        seen = again


def escape_right_after_saving(seen: Look) -> None:
    """It closes the drawer, which stays closed."""
    for number in range(forms.either(2, 3)):
        fill(seen.page, Next_step=f"Step {number}")
        save(seen)
        expect(row(seen.page, "Proposal 1")).to_contain_text(f"Step {number}")
        close_drawer(seen.page)
        seen.settle()
        expect(drawer(seen.page)).to_have_count(0)
        assert "opportunity=" not in seen.page.url
        open_row(seen, "Proposal 1")


def take_back_a_move(seen: Look, database: Database, deal_id: int) -> None:
    """In the drawer itself, which lies over the screen."""
    page = seen.page
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
    assert deal(database, deal_id).stage == "proposal"


def read_what_is_wrong_below_its_field(seen: Look) -> None:
    """It moves no other field."""
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


def discard_it(seen: Look) -> None:
    discard = drawer(seen.page).get_by_role("button", name="Discard changes")
    discard.click()
    expect(discard).to_have_count(0)
    seen.settle()  # for a moment the old fields stand beside the new ones
    expect(drawer(seen.page).get_by_label("Value (USD)")).to_have_value("1,000")


def close_the_tab_while_saving(seen: Look, again: Look, wait: int, database: Database, deal_id: int) -> None:
    """That many milliseconds after the click: it has saved once, or not at all."""
    was, before = deal(database, deal_id), changes(database)
    typed = f"Slammed shut after {wait}"
    fill(seen.page, Next_step=typed)

    drawer(seen.page).get_by_role("button", name="Save").click(no_wait_after=True)
    seen.page.wait_for_timeout(wait)
    seen.page.close()

    open_drawer(again, deal_id)
    saved = deal(database, deal_id)
    assert saved.next_step in (was.next_step, typed)
    assert changes(database) - before == saved.version - was.version == int(saved.next_step == typed)
    expect(drawer(again.page).get_by_label("Next step", exact=True)).to_have_value(saved.next_step or "")


# ------------------------------------------------------------------------------------------------ keyboard


def tab_to(page: Page, wanted, *, most: int = 80) -> None:
    """Press Tab until that element has the focus, however deep it lies."""
    for _ in range(most):
        if wanted.evaluate("each => each.getRootNode().activeElement === each"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {wanted}")


def test_a_deal_is_made_changed_and_left_by_keyboard(look, address, database, deals):
    seen = look(address)
    seen.open("opportunities")

    do_it_all_by_keyboard_alone(seen, database)
    seen.press("New deal")
    save_by_keys_from_any_field(seen, database)

    assert seen.complaints == []


def do_it_all_by_keyboard_alone(seen: Look, database: Database) -> None:
    page = seen.page
    keyboard = page.keyboard
    tab_to(page, page.get_by_role("button", name="New deal"))
    keyboard.press("Enter")
    name = drawer(page).get_by_label("Name", exact=True)
    name.wait_for()
    tab_to(page, name)
    keyboard.type("By keyboard")
    keyboard.press("Enter")
    expect(drawer(page).get_by_role("heading", name="By keyboard")).to_be_visible()
    seen.settle()
    close_drawer(page)
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
    close_drawer(page)
    assert {"By keyboard": "Call"}.items() <= {each.name: each.next_step for each in living(database)}.items()


def save_by_keys_from_any_field(seen: Look, database: Database) -> None:
    """Of a new deal, of one that is there, and of a note; Escape in a field leaves what was chosen."""
    page = seen.page
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


# -------------------------------------------------------------------------------------- names and colours


def test_every_control_has_a_name_and_every_stage_one_colour(look, address, deals):
    seen = look(address)
    seen.open("opportunities")

    assert_every_stage_has_one_colour(seen)
    found = unnamed_in_the_list(seen) | unnamed_in_the_drawer(seen)

    assert {place: unnamed for place, unnamed in found.items() if unnamed} == {}
    assert seen.complaints == []


def assert_every_stage_has_one_colour(seen: Look) -> None:
    """In the list as in the drawer, and by day as by night, to which the screen changes at once."""
    page = seen.page
    style = "each => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor].join()"
    found = {}
    for scheme in ("light", "dark"):
        turn(page, scheme)
        for stage in OPEN_STAGES:
            badges = table(page).locator(".badge").filter(has_text=stage.label).all()
            (found[scheme, stage],) = {each.evaluate(style) for each in badges}
            assert len(badges) == 2
    assert len(set(found.values())) == 2 * len(OPEN_STAGES)
    for stage in OPEN_STAGES:
        open_row(seen, f"{stage.label} 1")
        badge = drawer(page).locator(".stMarkdownBadge").first
        expect(badge).to_have_text(stage.label)
        for scheme in ("dark", "light"):
            turn(page, scheme)
            assert badge.evaluate(style) == found[scheme, stage]
        close_drawer(page)


def turn(page: Page, scheme: str) -> None:
    """Light or dark, as the system may be changed while the page is open."""
    page.emulate_media(color_scheme=scheme)
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)


def unnamed_in_the_list(seen: Look) -> dict[str, list[str]]:
    """Controls without a name by where they are: on the screen, in its popovers, and in its dialogs."""
    page = seen.page
    found = {}
    page.get_by_label("Stage").click()
    page.get_by_role("option", name="Proposal").click()
    page.keyboard.press("Escape")
    expect(row(page, "Discovery 1")).to_have_count(0)
    seen.settle()
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
        close_drawer(page)
    return found


def unnamed_in_the_drawer(seen: Look) -> dict[str, list[str]]:
    """The same of a deal, of what can be done with it, and of a new one."""
    page = seen.page
    found = {}
    open_row(seen, "Proposal 1")
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
    close_drawer(page)
    page.get_by_role("button", name="New deal").click()
    drawer(page).get_by_role("button", name="Create deal").wait_for()
    seen.settle()
    found["new"] = unnamed_controls(page)
    return found


# --------------------------------------------------------------------------------------------------- words


def test_hostile_names_are_shown_as_typed(look, address, database):
    with database.write() as session:
        make = Make(session)
        for name in HOSTILE:
            company, owner = make.company(name), make.user(name)
            contact = make.contact(name, company_id=company.id)
            make.opportunity(
                name=name,
                company_id=company.id,
                contact_id=contact.id,
                owner_id=owner.id,
                next_step=name,
                source=name[:100],
                stage=OpportunityStage.PROPOSAL,
            )
    seen = look(address)
    page = seen.page
    page.on("dialog", lambda dialog: pytest.fail(f"A name ran as a script: {dialog.message}"))
    seen.open("opportunities")
    assert set(names(page)) == set(HOSTILE)

    for name in HOSTILE:
        find_it_all_over_the_drawer(seen, name)
    find_it_among_filters_and_owners(seen, HOSTILE[0])

    assert (seen.complaints, seen.foreign) == ([], [])


def find_it_all_over_the_drawer(seen: Look, name: str) -> None:
    """As heading, value, relation, in the question, and in what is said once the deal is won."""
    page = seen.page
    begin = name[:50]
    open_row(seen, name)
    expect(drawer(page).get_by_label("Name", exact=True)).to_have_value(name)
    heading = drawer(page).get_by_role("heading").first
    assert heading.inner_text().startswith(name[:79])
    drawer(page).get_by_role("tab", name="Related").click()
    expect(drawer(page).get_by_text("No other deals")).to_have_count(2)
    assert drawer(page).inner_text().count(begin) >= 3
    drawer(page).get_by_role("tab", name="Timeline").click()
    press(page, "Delete")
    assert f"“{begin}" in popover(page).inner_text()
    page.keyboard.press("Escape")
    press(page, "Close deal")
    popover(page).get_by_role("button", name="Close as won").click()
    expect(drawer(page).locator(".stMarkdownBadge").first).to_have_text("Closed won")
    seen.settle()
    said = drawer(page).get_by_text(re.compile("is won")).first
    expect(said).to_be_attached()
    assert f"“{begin}" in said.inner_text()
    seen.screenshot("opportunities-hostile-drawer")
    drawer(page).get_by_role("button", name="Close", exact=True).click()  # Escape needs the focus in there
    expect(drawer(page)).to_have_count(0)


def find_it_among_filters_and_owners(seen: Look, name: str) -> None:
    page = seen.page
    page.get_by_placeholder("Deal, company or contact").fill(name)
    expect(table(page).locator("tbody th")).to_have_text([name])
    page.get_by_label("Owner").click()
    assert name in page.get_by_role("option").all_inner_texts()
    page.get_by_role("option").filter(has_text="javascript").first.click()
    page.keyboard.press("Escape")
    seen.settle()
    chips = page.locator("[class*='chip']").all_inner_texts()
    assert any("**x** :red[y] <img src=x" in each for each in chips), chips
    row(page, name).get_by_role("checkbox").click()
    page.get_by_role("button", name="Assign").click()
    expect(popover(page)).to_be_visible()
    seen.screenshot("opportunities-hostile")


def test_swiss_money_and_days_in_table_and_drawer(look, address, database):
    with database.write() as session:
        settings_service.update_settings(session, SettingsUpdate(locale="de_CH", currency="CHF"))
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
