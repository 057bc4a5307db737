"""The settings in a real browser: each change once, by those who saw what they change."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from crm_core.models import LOCAL_USER_ID, OpportunityStage, Outcome, Source, Target, Team, Transaction, User
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.services import opportunity_service, settings_service
from tests import forms
from tests.browser.conftest import PHONE
from tests.browser.parts import click_thrice, go
from tests.builders import Make

TRIES = forms.either(3, 20)
HOSTILE = "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2)) ![x](http://example.com/x.png)"


@pytest.fixture
def workspace(database):
    """A few people, one of whom manages a team."""
    with database.write(at=datetime.now(UTC)) as session:
        people = Make(session).people()
        session.get_one(Team, session.get_one(User, people.mia).team_id).manager_id = people.mia
    return database


def changes(database) -> int:
    with database.read() as session:
        chosen = select(func.count()).select_from(Transaction).where(Transaction.source == Source.UI)
        return session.scalar(chosen)


def count(database, model) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(model))


def dialog(seen):
    return seen.page.get_by_role("dialog")


def test_what_is_saved_holds_at_once(look, workspace, address):
    seen = look(address)

    a_changed_default_is_what_new_deals_get(seen, workspace)
    the_language_changes_what_is_shown(seen)
    assert (seen.complaints, seen.foreign) == ([], [])


def a_changed_default_is_what_new_deals_get(seen, workspace) -> None:
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


def the_language_changes_what_is_shown(seen) -> None:
    go(seen, "workspace", "Workspace")

    seen.page.get_by_role("combobox", name="Language and region").click()
    seen.page.keyboard.type("Deutsch (Schweiz)")
    seen.page.get_by_role("option", name="Deutsch (Schweiz)").click()
    seen.page.get_by_text("1’234’567.50").wait_for()
    seen.settle()

    seen.screenshot("settings-example")
    assert seen.page.get_by_role("button", name="Save").first.is_enabled()


def test_a_triple_click_adds_one(look, workspace, address):
    seen = look(address)
    seen.open("people")

    one_person_each_time(seen, workspace)
    one_team_and_one_reason(seen, workspace)
    assert seen.complaints == []


def one_person_each_time(seen, workspace) -> None:
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


def one_team_and_one_reason(seen, workspace) -> None:
    before = changes(workspace)
    seen.page.get_by_role("button", name="Add a team").click()
    dialog(seen).get_by_label("Name").fill("East")
    click_thrice(dialog(seen).get_by_role("button", name="Add", exact=True))
    seen.page.get_by_text("The team East is added.").wait_for()
    go(seen, "reasons", "Close reasons")
    seen.page.get_by_role("button", name="Add a reason").first.click()
    dialog(seen).get_by_label("Reason").fill("Legal")
    click_thrice(dialog(seen).get_by_role("button", name="Add", exact=True))
    seen.page.get_by_text("Legal is added.").wait_for()
    seen.settle()

    assert changes(workspace) == before + 2
    with workspace.read() as session:
        labels = [reason.label for reason in settings_service.get_close_reasons(session, Outcome.LOST)]
    assert labels.count("Legal") == 1


def test_a_target_is_set_once_and_the_dashboard_follows_it(look, address, database):
    with database.write(at=datetime.now(UTC)) as session:
        make = Make(session)
        rita = make.people().rita
        for worth in (30_000, 7_500):
            make.won(worth, owner_id=rita)
    seen = look(address, size=PHONE, scheme="dark")
    this = datetime.now(UTC).year
    seen.open(f"targets?targets_year={this - 1}")
    expect(seen.page.get_by_role("radio", name=str(this - 1))).to_be_checked()
    seen.page.get_by_role("radio", name=str(this)).click()
    seen.settle()
    seen.screenshot("targets-none")

    a_target_is_set(seen, database)
    the_dashboard_says(seen, f"{100 * 37_500 // 50_000}% of the target $50,000")

    go(seen, "targets", "Targets")
    a_target_is_changed(seen)
    the_dashboard_says(seen, "150% of the target $25,000")

    go(seen, "targets", "Targets")
    a_target_is_deleted(seen, database)
    assert changes(database) == 3

    seen.page.get_by_role("radio", name=str(this - 1)).click()
    expect(seen.page).to_have_url(re.compile(rf"targets_year={this - 1}"))
    seen.settle()
    assert (seen.complaints, seen.foreign) == ([], [])


def a_target_is_set(seen, database) -> None:
    seen.press("Set a target")
    dialog(seen).get_by_role("combobox", name="Person or team").click()
    seen.page.keyboard.type("Rita")
    seen.page.get_by_role("option", name="Rita Rep").click()
    dialog(seen).get_by_label("Amount").fill("$50,000")
    seen.screenshot("targets-set")
    click_thrice(dialog(seen).get_by_role("button", name="Set", exact=True))
    seen.page.get_by_text("the target is set").wait_for()
    expect(seen.page.get_by_role("button", name="$50,000")).to_have_count(1)
    seen.settle()
    seen.screenshot("targets")
    assert count(database, Target) == 1
    assert changes(database) == 1


def a_target_is_changed(seen) -> None:
    seen.page.get_by_role("button", name="$50,000").click()
    dialog(seen).get_by_label("Amount").fill("25000")
    click_thrice(dialog(seen).get_by_role("button", name="Save", exact=True))
    expect(seen.page.get_by_role("button", name="$25,000")).to_have_count(1)
    seen.settle()


def a_target_is_deleted(seen, database) -> None:
    seen.page.get_by_role("button", name="$25,000").click()
    click_thrice(dialog(seen).get_by_role("button", name="Delete this target"))
    dialog(seen).get_by_text("goes away for good").wait_for()
    seen.settle()
    assert count(database, Target) == 1
    seen.screenshot("targets-delete")
    click_thrice(dialog(seen).get_by_role("button", name="Delete", exact=True))
    expect(dialog(seen)).to_have_count(0)
    expect(seen.page.get_by_role("button", name="$25,000")).to_have_count(0)
    assert count(database, Target) == 0


def the_dashboard_says(seen, sentence: str) -> None:
    go(seen, "?dashboard_period=this_quarter", "Dashboard")
    won = seen.page.get_by_text(sentence)
    expect(won).to_be_visible()
    won.scroll_into_view_if_needed()
    seen.screenshot("targets-dashboard")
    seen.settle()


def test_what_was_typed_is_not_lost(look, workspace, address):
    mine, theirs = look(address), look(address)

    two_people_at_one_form_see_both_values(mine, theirs, workspace)
    mine.settle()
    a_refusal_stays_in_the_dialog_with_what_was_typed(mine)


def two_people_at_one_form_see_both_values(mine, theirs, workspace) -> None:
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


def a_refusal_stays_in_the_dialog_with_what_was_typed(seen) -> None:
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


def test_hostile_names_are_only_text(look, address, database):
    with database.write(at=datetime.now(UTC)) as session:
        make = Make(session)
        team = make.team(HOSTILE)
        make.user(HOSTILE, team_id=team.id)
        make.user("y" * 200)
        settings_service.get_close_reasons(session, Outcome.LOST)[0].label = HOSTILE[:100]
    seen = look(address, size=PHONE)
    seen.page.on("dialog", lambda alert: pytest.fail(f"A name ran as a script: {alert.message}"))
    for screen, title, name, opener in (
        ("reasons", "Close reasons", HOSTILE[:100], "x*"),
        ("people", "People and teams", HOSTILE, "x*"),
        ("targets", "Targets", HOSTILE, "Set Q1"),
    ):
        go(seen, screen, title)
        assert name in seen.page.get_by_test_id("stMain").inner_text()
        assert seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        seen.page.get_by_role("button", name=opener).first.click()
        dialog(seen).wait_for()
        seen.settle()
        seen.screenshot(f"settings-hostile-{screen}")
        seen.page.keyboard.press("Escape")
        expect(dialog(seen)).to_have_count(0)
    assert (seen.complaints, seen.foreign) == ([], [])
