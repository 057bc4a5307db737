"""Quick hands: a form is sent, and its screen is left before the server has heard of it."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm_core.database import Database
from crm_core.models import Opportunity
from tests import forms
from tests.browser.parts import drawer

SEND = "document.activeElement.blur(); document.querySelector('.st-key-drawer_save button').click();"
MENU = "document.querySelector('[data-testid=stSidebarNavLink][href$=leads]').click()"

WAYS = {
    "in the same moment": f"() => {{ {SEND} {MENU} }}",
    "a moment later": f"() => {{ {SEND} setTimeout(() => {MENU}) }}",
    "a little later": f"() => {{ {SEND} setTimeout(() => {MENU}, 5) }}",
    "back": f"() => {{ {SEND} setTimeout(() => history.back()) }}",
    "reload": f"() => {{ {SEND} setTimeout(() => location.reload(), 5) }}",
}


def names(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Opportunity.name)))


def open_form(page: Page, name: str) -> None:
    page.get_by_role("button", name="New deal", exact=True).click()
    drawer(page).get_by_label("Name", exact=True).fill(name)


@pytest.mark.parametrize("way", WAYS)
def test_a_deal_is_saved_and_told_though_its_screen_is_left(look, address, database, way):
    for number in range(forms.either(2, 10)):
        seen = look(address)
        seen.open("companies")
        seen.page.get_by_test_id("stSidebarNav").get_by_role("link", name="Opportunities").click()
        seen.settle()
        open_form(seen.page, f"Deal {number}")
        seen.page.evaluate(WAYS[way])

        if way != "reload":
            expect(seen.page.get_by_text("The deal is in your pipeline.").first).to_be_visible()
        seen.settle()
        assert f"Deal {number}" in names(database)
        assert way in {"back", "reload"} or "/leads" in seen.page.url
        assert len(set(names(database))) == len(names(database))


def test_enter_and_then_the_menu(look, address, database):
    seen = look(address)
    seen.open("opportunities")
    open_form(seen.page, "Solar roof")
    seen.page.evaluate(f"() => addEventListener('keydown', () => setTimeout(() => {MENU}), {{once: true}})")
    seen.page.keyboard.press("Enter")

    expect(seen.page.get_by_text("The deal is in your pipeline.").first).to_be_visible()
    assert names(database) == ["Solar roof"]
