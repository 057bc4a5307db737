"""The settings in a real browser: each change once, by those who saw what they change."""

import re
import shutil
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from crm_core.database import Database
from crm_core.models import LOCAL_USER_ID, OpportunityStage, Outcome, Source, Target, Team, Transaction, User
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.services import opportunity_service, settings_service
from tests.browser.conftest import EVERY_LOOK, PHONE
from tests.builders import Make
from tests.serving import served

SCREENS = ["workspace", "stages", "reasons", "people", "targets"]
TRIES = 20
HOSTILE = "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2)) ![x](http://example.com/x.png)"


@pytest.fixture(scope="module")
def workspace(migrated_file, tmp_path_factory):
    """A database with a few people in it."""
    file = tmp_path_factory.mktemp("settings") / "crm.db"
    shutil.copy(migrated_file, file)
    database = Database(f"sqlite:///{file}")
    with database.write(at=datetime.now(UTC)) as session:
        people = Make(session).people()
        session.get_one(Team, session.get_one(User, people.mia).team_id).manager_id = people.mia
    yield database
    database.close()


@pytest.fixture(scope="module")
def address(workspace):
    with served(workspace.url.render_as_string()) as address:
        yield address


def changes(database) -> int:
    with database.read() as session:
        chosen = select(func.count()).select_from(Transaction).where(Transaction.source == Source.UI)
        return session.scalar(chosen)


def count(database, model) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(model))


def dialog(seen):
    return seen.page.get_by_role("dialog")


def click_thrice(button) -> None:
    """As a nervous hand does; the later clicks may find the button gone."""
    button.click(click_count=3, delay=15)


@EVERY_LOOK
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_draws_without_complaint(look, demo_address, screen, size, scheme):
    seen = look(demo_address, size=size, scheme=scheme)

    seen.open(screen)

    seen.screenshot(f"settings-{screen}-{size[0]}-{scheme}")
    assert seen.page.get_by_test_id("stException").count() == 0
    assert seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert (seen.complaints, seen.foreign) == ([], [])


def test_a_changed_default_is_what_new_deals_get(look, workspace, address):
    seen = look(address)
    seen.open("stages")
    before = changes(workspace)

    seen.page.get_by_label("Probability, %").nth(1).fill("35")
    click_thrice(seen.page.get_by_role("button", name="Save"))
    seen.page.get_by_text("Stages: saved.").wait_for()
    seen.settle()

    with workspace.write(actor=LOCAL_USER_ID) as session:
        draft = OpportunityCreate(name="New", stage=OpportunityStage.DISCOVERY)
        assert opportunity_service.create_opportunity(session, draft).probability == 35
    assert changes(workspace) == before + 1
    expect(seen.page.get_by_label("Probability, %").nth(1)).to_have_value("35")
    assert (seen.complaints, seen.foreign) == ([], [])


def test_a_triple_click_adds_one_person(look, workspace, address):
    seen = look(address)
    seen.open("people")
    before = count(workspace, User)

    for number in range(TRIES):
        seen.page.get_by_role("button", name="Add a person").click()
        dialog(seen).get_by_label("Name").fill(f"Person {number}")
        click_thrice(dialog(seen).get_by_role("button", name="Add", exact=True))
        dialog(seen).wait_for(state="hidden")
        seen.settle()
        if dialog(seen).count():  # the third click went through to what lay behind
            seen.page.keyboard.press("Escape")
            seen.settle()

    assert count(workspace, User) == before + TRIES
    assert seen.page.get_by_text("already").count() == 0
    assert seen.complaints == []


def test_a_triple_click_adds_one_team_and_one_reason(look, workspace, address):
    seen = look(address)
    before = changes(workspace)

    seen.open("people")
    seen.page.get_by_role("button", name="Add a team").click()
    dialog(seen).get_by_label("Name").fill("East")
    click_thrice(dialog(seen).get_by_role("button", name="Add", exact=True))
    seen.page.get_by_text("The team East is added.").wait_for()
    seen.open("reasons")
    seen.page.get_by_role("button", name="Add a reason").first.click()
    dialog(seen).get_by_label("Reason").fill("Legal")
    click_thrice(dialog(seen).get_by_role("button", name="Add", exact=True))
    seen.page.get_by_text("Legal is added.").wait_for()
    seen.settle()

    assert changes(workspace) == before + 2
    with workspace.read() as session:
        labels = [reason.label for reason in settings_service.get_close_reasons(session, Outcome.LOST)]
    assert labels.count("Legal") == 1


@EVERY_LOOK
def test_a_target_is_set_once_and_the_dashboard_follows_it(look, migrated_file, tmp_path, size, scheme):
    shutil.copy(migrated_file, tmp_path / "crm.db")
    database = Database(f"sqlite:///{tmp_path / 'crm.db'}")
    with database.write(at=datetime.now(UTC)) as session:
        make = Make(session)
        rita = make.people().rita
        for worth in (30_000, 7_500):
            make.won(worth, owner_id=rita)
    with served(database.url.render_as_string()) as address:
        seen = look(address, size=size, scheme=scheme)
        seen.open("targets")
        seen.screenshot(f"targets-none-{size[0]}-{scheme}")

        seen.press("Set a target")
        dialog(seen).get_by_role("combobox", name="Person or team").click()
        seen.page.keyboard.type("Rita")
        seen.page.get_by_role("option", name="Rita Rep").click()
        dialog(seen).get_by_label("Amount").fill("$50,000")
        seen.screenshot(f"targets-set-{size[0]}-{scheme}")
        click_thrice(dialog(seen).get_by_role("button", name="Set", exact=True))
        seen.page.get_by_text("the target is set").wait_for()
        expect(seen.page.get_by_role("button", name="$50,000")).to_have_count(1)
        seen.settle()
        seen.screenshot(f"targets-{size[0]}-{scheme}")
        assert count(database, Target) == 1
        assert changes(database) == 1

        seen.open("?dashboard_period=This+quarter")
        told = seen.page.get_by_text(f"{100 * 37_500 // 50_000}% of the target $50,000")
        expect(told).to_be_visible()
        told.scroll_into_view_if_needed()
        seen.screenshot(f"targets-dashboard-{size[0]}-{scheme}")

        seen.open("targets")
        seen.page.get_by_role("button", name="$50,000").click()
        dialog(seen).get_by_label("Amount").fill("25000")
        click_thrice(dialog(seen).get_by_role("button", name="Save", exact=True))
        expect(seen.page.get_by_role("button", name="$25,000")).to_have_count(1)
        seen.settle()
        seen.open("?dashboard_period=This+quarter")
        expect(seen.page.get_by_text("150% of the target $25,000")).to_be_visible()

        seen.open("targets")
        seen.page.get_by_role("button", name="$25,000").click()
        click_thrice(dialog(seen).get_by_role("button", name="Delete this target"))
        dialog(seen).get_by_text("goes away for good").wait_for()
        seen.settle()
        assert count(database, Target) == 1
        seen.screenshot(f"targets-delete-{size[0]}-{scheme}")
        click_thrice(dialog(seen).get_by_role("button", name="Delete", exact=True))
        expect(dialog(seen)).to_have_count(0)
        expect(seen.page.get_by_role("button", name="$25,000")).to_have_count(0)
        assert count(database, Target) == 0
        assert changes(database) == 3
    assert (seen.complaints, seen.foreign) == ([], [])
    database.close()


def test_the_year_of_the_targets_is_in_the_address(look, demo_address):
    seen = look(demo_address)
    seen.open("targets")

    last = datetime.now(UTC).year - 1
    seen.page.get_by_role("radio", name=str(last)).click()
    expect(seen.page).to_have_url(re.compile(rf"targets_year={last}"))
    seen.settle()
    seen.open(f"targets?targets_year={last}")
    expect(seen.page.get_by_role("radio", name=str(last))).to_be_checked()
    assert seen.complaints == []


def test_two_people_at_one_form_see_both_values(look, workspace, address):
    mine, theirs = look(address), look(address)
    for seen in (mine, theirs):
        seen.open("people")
        seen.page.get_by_role("button", name="Otto Other").click()
        dialog(seen).get_by_label("Name").wait_for()
    dialog(theirs).get_by_label("Name").fill("Otto Theirs")
    dialog(theirs).get_by_role("button", name="Save").click()
    theirs.page.get_by_text("Otto Theirs is saved.").wait_for()

    dialog(mine).get_by_label("Name").fill("Otto Mine")
    dialog(mine).get_by_role("button", name="Save").click()

    mine.page.get_by_text("it is “Otto Theirs” now, yours is “Otto Mine”").wait_for()
    mine.screenshot("settings-changed-meanwhile")
    assert dialog(mine).get_by_label("Name").input_value() == "Otto Mine"
    dialog(mine).get_by_role("button", name="Save").click()
    mine.page.get_by_text("Otto Mine is saved.").wait_for()
    with workspace.read() as session:
        names = set(session.scalars(select(User.name)))
    assert "Otto Mine" in names
    assert "Otto Theirs" not in names


def test_a_refusal_stays_in_the_dialog_with_what_was_typed(look, address):
    seen = look(address)
    seen.open("people")
    seen.page.get_by_role("button", name="Mia Manager").click()

    dialog(seen).get_by_label("Name").fill("Mia Typed")
    dialog(seen).get_by_text("Works here").click()
    dialog(seen).get_by_role("button", name="Save").click()

    dialog(seen).get_by_text("manages “North”").wait_for()
    seen.screenshot("settings-refused")
    assert dialog(seen).get_by_label("Name").input_value() == "Mia Typed"
    seen.page.keyboard.press("Escape")
    seen.settle()
    assert dialog(seen).count() == 0
    assert seen.page.get_by_role("button", name="Mia Manager").is_visible()


def test_the_language_changes_what_is_shown_at_once(look, address):
    seen = look(address)
    seen.open("workspace")

    seen.page.get_by_role("combobox", name="Language and region").click()
    seen.page.keyboard.type("Deutsch (Schweiz)")
    seen.page.get_by_role("option", name="Deutsch (Schweiz)").click()
    seen.page.get_by_text("1’234’567.50").wait_for()
    seen.settle()

    seen.screenshot("settings-example")
    assert seen.page.get_by_role("button", name="Save").first.is_enabled()
    assert seen.complaints == []


def test_hostile_names_are_only_text(look, migrated_file, tmp_path):
    shutil.copy(migrated_file, tmp_path / "crm.db")
    database = Database(f"sqlite:///{tmp_path / 'crm.db'}")
    with database.write(at=datetime.now(UTC)) as session:
        make = Make(session)
        team = make.team(HOSTILE)
        make.user(HOSTILE, team_id=team.id)
        make.user("y" * 200)
        settings_service.get_close_reasons(session, Outcome.LOST)[0].label = HOSTILE[:100]
    with served(database.url.render_as_string()) as address:
        seen = look(address, size=PHONE)
        seen.page.on("dialog", lambda alert: pytest.fail(f"A name ran as a script: {alert.message}"))
        for screen, name, opener in (
            ("reasons", HOSTILE[:100], "x*"),
            ("people", HOSTILE, "x*"),
            ("targets", HOSTILE, "Set Q1"),
        ):
            seen.open(screen)
            shown = seen.page.get_by_test_id("stMain").inner_text().replace("\u2060", "")
            assert name in shown
            assert seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            seen.page.get_by_role("button", name=opener).first.click()
            dialog(seen).wait_for()
            seen.settle()
            seen.screenshot(f"settings-hostile-{screen}")
    assert (seen.complaints, seen.foreign) == ([], [])
