"""Companies and contacts in a real browser: made, changed by two, deleted, and shown as they are called."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from crm_core.models import Company, Contact
from tests.browser.conftest import Look
from tests.browser.parts import (
    click_thrice,
    close_drawer,
    drawer,
    names,
    open_row,
    popover,
    row,
    unnamed_controls,
)
from tests.builders import Make

HOSTILE = (
    "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))",
    "x" * 200,
    "שלום عالم 🚀",
)
KINDS = {"companies": ("company", Company), "contacts": ("contact", Contact)}


def living(database, model) -> list:
    with database.read() as session:
        found = list(session.scalars(select(model).where(model.deleted_at.is_(None)).order_by(model.id)))
        session.expunge_all()
    return found


@pytest.mark.parametrize("screen", KINDS)
def test_made_once_changed_by_two_and_deleted(look, address, database, screen):
    mine, theirs = look(address), look(address)
    mine.open(screen)
    assert unnamed_controls(mine.page) == []

    make_and_change_with_three_clicks(mine, database, screen)
    see_both_names_where_two_change_one(mine, theirs, database, screen)
    delete(mine, database, screen)

    assert (mine.complaints, mine.foreign) == ([], [])


@pytest.mark.parametrize("screen", KINDS)
def test_a_new_one_shows_what_it_may_be_while_it_is_typed(look, address, database, screen):
    """No field is left for that; a click opens what is there already, and what was typed waits."""
    kind, _ = KINDS[screen]
    with database.write() as session:
        make = Make(session)
        make.contact("Ada Lovelace", phone="(555) 010-0200")
        make.company("Größe AG", domain="groesse.example")
    field, text, heading, known = {
        "contact": ("Phone", "+1 555 0100200", "You may know this person already", "Ada Lovelace"),
        "company": ("Website", "https://www.groesse.example", "This company may be here already", "Größe AG"),
    }[kind]
    seen = look(address)
    page = seen.page
    seen.open(f"{screen}?{kind}=new")
    assert unnamed_controls(page) == []

    drawer(page).get_by_label("Name", exact=True).fill("Somebody new")
    drawer(page).get_by_label(field, exact=True).press_sequentially(text, delay=30)
    expect(drawer(page).get_by_text(heading)).to_be_visible()
    expect(drawer(page).get_by_label(field, exact=True)).to_be_focused()
    assert unnamed_controls(page) == []
    seen.screenshot(f"{screen}-duplicate")
    drawer(page).get_by_role("button", name=known).click()
    page.wait_for_url(f"**{kind}=1")
    expect(drawer(page).get_by_role("heading", name=known)).to_be_visible()
    seen.settle()

    close_drawer(page)
    seen.press(f"New {kind}")
    expect(drawer(page).get_by_label(field, exact=True)).to_have_value(text)
    expect(drawer(page).get_by_label("Name", exact=True)).to_have_value("Somebody new")
    expect(drawer(page).get_by_role("button", name=known)).to_be_visible()
    assert (seen.complaints, seen.foreign) == ([], [])


def make_and_change_with_three_clicks(seen: Look, database, screen: str) -> None:
    """Each of it happens once."""
    kind, model = KINDS[screen]
    field = {"company": "Industry", "contact": "Job title"}[kind]
    page = seen.page
    page.get_by_role("button", name=f"New {kind}").click()
    drawer(page).get_by_label("Name", exact=True).fill("Sun")
    click_thrice(drawer(page).get_by_role("button", name=f"Create {kind}"))
    page.wait_for_url(re.compile(rf"{kind}=\d+"))
    expect(row(page, "Sun")).to_be_visible()
    seen.settle()
    (made,) = living(database, model)
    assert unnamed_controls(page) == []

    drawer(page).get_by_role("tab", name="Details").click()
    drawer(page).get_by_label(field, exact=True).fill("Roofs")
    click_thrice(drawer(page).get_by_role("button", name="Save"))
    expect(row(page, "Sun")).to_contain_text("Roofs")
    seen.settle()
    assert living(database, model)[0].version == made.version + 1
    assert unnamed_controls(page) == []


def see_both_names_where_two_change_one(mine: Look, theirs: Look, database, screen: str) -> None:
    kind, model = KINDS[screen]
    (made,) = living(database, model)
    theirs.open(f"{screen}?{kind}={made.id}")
    drawer(theirs.page).get_by_role("tab", name="Details").click()
    for seen, name in ((theirs, "Moon"), (mine, "Mars")):
        drawer(seen.page).get_by_label("Name", exact=True).fill(name)
        drawer(seen.page).get_by_role("button", name="Save").click()
        if seen is theirs:
            expect(row(seen.page, name)).to_be_visible()

    both = drawer(mine.page).get_by_role("row").filter(has_text="Name")
    expect(both).to_contain_text("Mars")
    expect(both).to_contain_text("Moon")
    drawer(mine.page).get_by_role("button", name="Save mine").click()
    expect(row(mine.page, "Mars")).to_be_visible()
    assert [each.name for each in living(database, model)] == ["Mars"]


def delete(seen: Look, database, screen: str) -> None:
    """Not before it has asked."""
    kind, model = KINDS[screen]
    page = seen.page
    drawer(page).get_by_test_id("stPopover").get_by_role("button", name="Delete").click()
    expect(popover(page)).to_contain_text("leaves every list")
    assert len(living(database, model)) == 1
    popover(page).get_by_role("button", name=f"Delete this {kind}").click()
    expect(page.get_by_text(f"No {screen} yet")).to_be_visible()
    expect(drawer(page)).to_have_count(0)
    assert living(database, model) == []


def test_hostile_names_are_shown_as_typed(look, address, database):
    with database.write() as session:
        make = Make(session)
        for kind, _ in KINDS.values():
            for name in HOSTILE:
                getattr(make, kind)(name, owner_id=make.user(name).id)
    seen = look(address)
    seen.page.on("dialog", lambda dialog: pytest.fail(f"A name ran as a script: {dialog.message}"))

    seen.open("companies")
    find_each_name_in_list_and_drawer(seen)
    seen.page.get_by_role("link", name="Contacts").click()
    expect(seen.page.get_by_role("heading", name="Contacts", exact=True)).to_be_visible()
    seen.settle()
    find_each_name_in_list_and_drawer(seen)

    assert (seen.complaints, seen.foreign) == ([], [])


def find_each_name_in_list_and_drawer(seen: Look) -> None:
    page = seen.page
    assert set(names(page)) == set(HOSTILE)
    for name in HOSTILE:
        open_row(seen, name)
        heading = drawer(page).get_by_role("heading").first
        assert heading.inner_text().startswith(name[:79])
        assert unnamed_controls(page) == []
        drawer(page).get_by_test_id("stPopover").get_by_role("button", name="Delete").click()
        expect(popover(page)).to_be_visible()
        assert f"“{name[:50]}" in popover(page).inner_text()
        page.keyboard.press("Escape")
        expect(popover(page)).to_have_count(0)
        close_drawer(page)
