"""Companies and contacts in a real browser: made, changed by two, deleted, and shown as they are called."""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from crm_core.database import Database
from crm_core.models import Company, Contact
from crm_core.services import company_service, contact_service
from tests.browser.conftest import EVERY_LOOK
from tests.browser.parts import (
    click_thrice,
    drawer,
    fits,
    hard_to_read,
    names,
    plain,
    popover,
    row,
    unnamed_controls,
)
from tests.builders import Make
from tests.serving import served

HOSTILE = (
    "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))",
    "x" * 200,
    "שלום عالم 🚀",
)
KINDS = {"companies": ("company", Company), "contacts": ("contact", Contact)}
EVERY_KIND = pytest.mark.parametrize("screen", KINDS)


@pytest.fixture(scope="module")
def database(migrated_file, tmp_path_factory) -> Iterator[Database]:
    file = tmp_path_factory.mktemp("accounts") / "crm.db"
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
        for model, remove in (
            (Contact, contact_service.delete_contact),
            (Company, company_service.delete_company),
        ):
            for old in session.scalars(select(model.id).where(model.deleted_at.is_(None))).all():
                remove(session, old)


def living(database, model) -> list:
    with database.read() as session:
        found = list(session.scalars(select(model).where(model.deleted_at.is_(None)).order_by(model.id)))
        session.expunge_all()
    return found


def open_details(seen, path: str) -> None:
    seen.open(path)
    drawer(seen.page).get_by_role("tab", name="Details").click()
    drawer(seen.page).get_by_label("Name", exact=True).wait_for()


@EVERY_KIND
def test_made_once_changed_and_deleted(look, address, database, screen):
    kind, model = KINDS[screen]
    field = {"company": "Industry", "contact": "Job title"}[kind]
    seen = look(address)
    page = seen.page
    seen.open(screen)

    page.get_by_role("button", name=f"New {kind}").click()
    drawer(page).get_by_label("Name", exact=True).fill("Sun")
    click_thrice(drawer(page).get_by_role("button", name=f"Create {kind}"))
    page.wait_for_url(re.compile(rf"{kind}=\d+"))
    expect(row(page, "Sun")).to_be_visible()
    seen.settle()
    (made,) = living(database, model)
    drawer(page).get_by_role("tab", name="Details").click()
    drawer(page).get_by_label(field, exact=True).fill("Roofs")
    click_thrice(drawer(page).get_by_role("button", name="Save"))
    expect(row(page, "Sun")).to_contain_text("Roofs")
    seen.settle()
    assert living(database, model)[0].version == made.version + 1

    drawer(page).get_by_test_id("stPopover").get_by_role("button", name="Delete").click()
    expect(popover(page)).to_contain_text("leaves every list")
    assert len(living(database, model)) == 1
    popover(page).get_by_role("button", name=f"Delete this {kind}").click()
    expect(page.get_by_text(f"No {screen} yet")).to_be_visible()
    expect(drawer(page)).to_have_count(0)
    assert living(database, model) == []
    assert (seen.complaints, seen.foreign) == ([], [])


@EVERY_KIND
def test_two_who_change_one_name_see_both(look, address, database, screen):
    kind, model = KINDS[screen]
    with database.write() as session:
        made = getattr(Make(session), kind)("Sun").id
    mine, theirs = look(address), look(address)
    for seen in (mine, theirs):
        open_details(seen, f"{screen}?{kind}={made}")
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


@EVERY_KIND
def test_hostile_names_are_shown_as_typed(look, address, database, screen):
    kind, _ = KINDS[screen]
    with database.write() as session:
        make = Make(session)
        ids = {name: getattr(make, kind)(name, owner_id=make.user(name).id).id for name in HOSTILE}
    seen = look(address)
    seen.page.on("dialog", lambda dialog: pytest.fail(f"A name ran as a script: {dialog.message}"))
    seen.open(screen)
    assert set(names(seen.page)) == set(HOSTILE)
    for name, record_id in ids.items():
        seen.open(f"{screen}?{kind}={record_id}")
        heading = drawer(seen.page).get_by_role("heading").first
        assert plain(heading.inner_text()).startswith(name[:79])
        drawer(seen.page).get_by_test_id("stPopover").get_by_role("button", name="Delete").click()
        expect(popover(seen.page)).to_be_visible()
        assert f"“{name[:50]}" in plain(popover(seen.page).inner_text())
    assert (seen.complaints, seen.foreign) == ([], [])


@EVERY_LOOK
@EVERY_KIND
def test_empty_bare_and_long_are_drawn_well(look, address, database, screen, size, scheme):
    kind, _ = KINDS[screen]
    seen = look(address, size=size, scheme=scheme)

    def look_at(what: str) -> None:
        seen.screenshot(f"{screen}-{what}-{size[0]}-{scheme}")
        assert fits(seen)
        assert hard_to_read(seen.page) == []
        assert unnamed_controls(seen.page) == []

    seen.open(screen)
    look_at("empty")
    with database.write() as session:
        bare, long = (getattr(Make(session), kind)(name).id for name in ("Bare", "W" * 200))
    seen.open(f"{screen}?{kind}={bare}")
    look_at("bare")
    seen.open(f"{screen}?{kind}={long}")
    look_at("long")
    assert (seen.complaints, seen.foreign) == ([], [])
