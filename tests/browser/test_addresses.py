"""What is chosen is in the address by its id or code: it can be gone back to, and outlives new names."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Locator, Page, expect

from crm_core.database import Database
from crm_core.models import Team, User
from tests.browser.conftest import Look
from tests.browser.test_screens import go
from tests.builders import Make


@pytest.fixture
def people(database: Database) -> dict[str, int]:
    """Ann in a team with two deals, and Bob with one."""
    with database.write() as session:
        make = Make(session)
        north = make.team("North").id
        ann, bob = make.user("Ann", team_id=north).id, make.user("Bob").id
        for name, owner in (("Roof", ann), ("Pump", ann), ("Tank", bob)):
            make.opportunity(name=name, owner_id=owner, expected_value=Decimal(100))
    return {"north": north, "ann": ann, "bob": bob}


def shows(page: Page, deals: int) -> None:
    noun = "deal" if deals == 1 else "deals"
    expect(page.get_by_text(re.compile(rf"^{deals} {noun}\b")).first).to_be_visible()


def choose(page: Page, field: str, option: str) -> None:
    page.get_by_role("combobox", name=field).click()
    page.get_by_role("option", name=option, exact=True).click()
    page.keyboard.press("Escape")


def a_chip(page: Page, text: str) -> Locator:
    """Its icon is a word to the browser; one that is about to go may be there as well."""
    said = re.compile(rf"^{text}\s*(close)?$")
    return page.get_by_test_id("stBaseButton-secondary").filter(has_text=said).first


def chip(page: Page, text: str) -> None:
    expect(a_chip(page, text)).to_be_visible()


def test_the_browser_goes_back_and_forward_through_what_was_chosen(look, address, people):
    seen = look(address)
    seen.open("opportunities")
    page = seen.page
    shows(page, 3)
    choose(page, "Owner", "Ann")
    expect(page).to_have_url(re.compile(rf"deals_owner={people['ann']}$"))
    shows(page, 2)
    choose(page, "Owner", "Bob")
    expect(page).to_have_url(re.compile(rf"deals_owner={people['ann']}&deals_owner={people['bob']}"))
    shows(page, 3)
    seen.settle()

    page.go_back()
    shows(page, 2)
    expect(a_chip(page, "Bob")).to_have_count(0)
    page.go_back()
    shows(page, 3)
    expect(page).not_to_have_url(re.compile("deals_owner"))
    page.go_forward()
    shows(page, 2)
    chip(page, "Ann")
    assert seen.complaints == []


def test_what_was_chosen_is_there_again_after_another_screen(look, address, people):
    seen = look(address)
    seen.open(f"opportunities?deals_owner={people['ann']}")
    shows(seen.page, 2)

    go_by_menu(seen, "Contacts", "deals")
    go_by_menu(seen, "Opportunities", "contacts")

    shows(seen.page, 2)
    expect(seen.page).to_have_url(re.compile(rf"deals_owner={people['ann']}"))


def go_by_menu(seen: Look, screen: str, left: str) -> None:
    seen.page.get_by_test_id("stSidebar").get_by_role("link", name=screen, exact=True).click()
    expect(seen.page.get_by_role("heading", name=screen, exact=True)).to_be_visible()
    seen.settle()
    assert f"{left}_" not in seen.page.url


def test_choices_that_follow_each_other_quickly_are_all_in_the_address(look, address, people):
    seen = look(address)
    seen.open("opportunities")
    page = seen.page
    choose(page, "Stage", "Qualification")
    choose(page, "Owner", "Ann")
    page.get_by_placeholder("Deal, company or contact").press_sequentially("roof", delay=20)
    shows(page, 1)
    seen.settle()

    for said in ("deals_stage=qualification", f"deals_owner={people['ann']}"):
        expect(page).to_have_url(re.compile(said))
    expect(page).to_have_url(re.compile("deals_search=roof"))


def test_a_link_and_a_view_mean_the_same_after_new_names(look, address, people, database):
    seen = look(address)
    seen.open("opportunities")
    page = seen.page
    choose(page, "Owner", "Ann")
    page.get_by_role("button", name="More filters").click()
    choose(page, "Team", "North")
    page.keyboard.press("Escape")
    chip(page, "North")
    seen.settle()
    link = page.url.removeprefix(f"{address}/")
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Save what is shown as").fill("Ann's")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_text("View “Ann's” saved")).to_be_visible()
    page.keyboard.press("Escape")

    with database.write() as session:
        session.get_one(User, people["ann"]).name = "Anna"
        session.get_one(Team, people["north"]).name = "Alps"

    choose(page, "Stage", "Qualification")  # the screen that was open all the time
    chip(page, "Anna")
    chip(page, "Alps")
    shows(page, 2)
    again = look(address)
    again.open(link)
    chip(again.page, "Anna")
    chip(again.page, "Alps")
    shows(again.page, 2)

    again.page.get_by_test_id("stBaseButton-tertiary").filter(has_text="Clear all").click()
    shows(again.page, 3)
    again.page.get_by_role("button", name="Views").click()
    again.page.get_by_role("button", name="Ann's", exact=True).click()
    chip(again.page, "Anna")
    shows(again.page, 2)
    assert (seen.complaints, again.complaints) == ([], [])


def test_what_is_not_known_stays_in_the_address_and_matches_nothing(look, address, people, database):
    seen = look(address)
    go(seen, f"opportunities?deals_owner=Ann&deals_owner={people['bob']}", "Opportunities")
    chip(seen.page, "Owner:.? Ann is not known")
    expect(seen.page.get_by_text("No deal matches these filters.")).to_be_visible()

    seen.page.reload()
    chip(seen.page, "Owner:.? Ann is not known")
    a_chip(seen.page, "Owner:.? Ann is not known").click()

    shows(seen.page, 1)
    expect(seen.page).to_have_url(re.compile(rf"\?deals_owner={people['bob']}$"))


def test_an_amount_that_can_not_be_read_still_matches_nothing_after_a_reload(look, address, people):
    seen = look(address)
    go(seen, "opportunities?deals_value_from=abc&deals_created_to=soon", "Opportunities")
    said = ["Value from:.? abc is not known", "Created until:.? soon is not known"]
    for _ in "at first", "after a reload":
        for each in said:
            chip(seen.page, each)
        expect(seen.page.get_by_text("No deal matches these filters.")).to_be_visible()
        seen.settle()
        expect(seen.page).to_have_url(re.compile("deals_value_from=abc"))
        expect(seen.page).to_have_url(re.compile("deals_created_to=soon"))
        seen.page.reload()

    for each in said:
        a_chip(seen.page, each).click()
        seen.settle()
    shows(seen.page, 3)
    expect(seen.page).to_have_url(re.compile("opportunities$"))


def test_an_amount_and_a_day_are_in_the_address_and_gone_back_to(look, address, people):
    seen = look(address)
    seen.open("opportunities?deals_value_from=50&deals_created_from=2020-01-01")
    page = seen.page
    shows(page, 3)
    seen.settle()
    page.get_by_role("button", name="More filters").click()
    page.get_by_label("Value from").fill("150.5")
    page.get_by_label("Value from").press("Enter")
    expect(page).to_have_url(re.compile(r"deals_value_from=150\.5"))
    expect(page.get_by_text("No deal matches these filters.")).to_be_visible()
    seen.settle()

    page.go_back()

    shows(page, 3)
    expect(page).to_have_url(re.compile(r"deals_value_from=50\b"))
    expect(page).to_have_url(re.compile("deals_created_from=2020-01-01"))
    assert seen.complaints == []
