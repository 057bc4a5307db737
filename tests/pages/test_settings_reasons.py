"""The reasons to close deals for, added, changed and retired on screen."""

import pytest

from crm_core.models import LOCAL_USER_ID, CloseReason, Outcome, User
from crm_core.models.user import Role
from crm_core.schemas.settings import CloseReasonUpdate
from crm_core.services import settings_service
from tests.builders import reason_id
from tests.pages.settings import button, plain, typed
from ui import words

REASONS = "pages/settings/reasons.py"
HOSTILE = "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))"


def reasons(database, outcome=Outcome.LOST) -> dict[str, tuple[bool, bool, bool]]:
    """Needs a note, counts, is active."""
    with database.read() as session:
        found = settings_service.get_close_reasons(session, outcome, with_inactive=True)
        return {reason.label: (reason.needs_note, reason.counts, reason.is_active) for reason in found}


def box(page, label):
    return next(box for box in page.checkbox if box.label == label)


def test_adds_a_reason_for_each_outcome(open_page, database):
    page = open_page(REASONS)

    button(page, "Add a reason", 0).click().run()
    typed(page, "Reason").set_value("  Legal  ")
    box(page, "Needs a note").check()
    box(page, "Counts as lost").uncheck()
    button(page, "Add").click().run()
    button(page, "Add a reason", 1).click().run()
    typed(page, "Reason").set_value("Speed")
    button(page, "Add").click().run()

    assert reasons(database)["Legal"] == (True, False, True)
    assert reasons(database, Outcome.WON)["Speed"] == (False, True, True)
    assert "Speed is added" in page.toast[0].value
    assert not [field for field in page.text_input if field.label == "Reason"]


def test_every_won_deal_counts(open_page):
    page = open_page(REASONS)

    button(page, "Product fit").click().run()

    assert "Counts as lost" not in [box.label for box in page.checkbox]


def test_renames_retires_and_activates_again(open_page, database):
    page = open_page(REASONS)

    button(page, "Bad timing").click().run()
    typed(page, "Reason").set_value("Wrong time")
    box(page, "In use").uncheck()
    button(page, "Save").click().run()

    assert reasons(database)["Wrong time"] == (False, True, False)
    assert [badge.value for badge in page.markdown if "Retired" in badge.value]

    button(page, "Wrong time").click().run()
    box(page, "In use").check()
    button(page, "Save").click().run()

    assert reasons(database)["Wrong time"] == (False, True, True)


def test_a_second_of_that_name_is_refused_and_what_was_typed_stays(open_page, database):
    page = open_page(REASONS)
    before = reasons(database)

    button(page, "Add a reason").click().run()
    typed(page, "Reason").set_value("no BUDGET")
    button(page, "Add").click().run()

    assert "is a reason for lost deals already" in plain(page.error[0].value)
    assert typed(page, "Reason").value == "no BUDGET"
    assert reasons(database) == before


def test_the_last_reason_to_lose_for_stays(open_page, database):
    with database.write() as session:
        for reason in settings_service.get_close_reasons(session, Outcome.LOST)[1:]:
            reason.is_active = False
    page = open_page(REASONS)

    button(page, "Price", 0).click().run()
    box(page, "In use").uncheck()
    button(page, "Save").click().run()

    assert "is the last reason for lost deals" in plain(page.error[0].value)
    assert reasons(database)["Price"][2]


@pytest.mark.parametrize("empty", ["", "   ", "\u3164"])
def test_a_reason_needs_a_name(open_page, database, empty):
    page = open_page(REASONS)
    before = reasons(database)

    button(page, "Add a reason").click().run()
    typed(page, "Reason").set_value(empty)
    button(page, "Add").click().run()

    assert "Reason: Write at least one visible character" in plain(page.error[0].value)
    assert reasons(database) == before


def test_only_what_was_changed_is_sent(open_page, database):
    page = open_page(REASONS)
    button(page, "Competitor").click().run()
    with database.write() as session:
        changes = CloseReasonUpdate(label="A rival", counts=False)
        settings_service.update_close_reason(session, reason_id(session, "Competitor"), changes)

    box(page, "Needs a note").check()
    button(page, "Save").click().run()

    assert reasons(database)["A rival"] == (True, False, True)


def test_a_name_changed_meanwhile_is_shown_beside_ones_own(open_page, database):
    page = open_page(REASONS)
    button(page, "Competitor").click().run()
    typed(page, "Reason").set_value("Mine")
    with database.write() as session:
        changes = CloseReasonUpdate(label=HOSTILE)
        settings_service.update_close_reason(session, reason_id(session, "Competitor"), changes)

    button(page, "Save").click().run()

    assert HOSTILE in plain(page.error[0].value)
    assert "yours is “Mine”" in plain(page.error[0].value)
    assert HOSTILE in reasons(database)

    button(page, "Save").click().run()

    assert "Mine" in reasons(database)


def test_hostile_names_are_shown_as_typed(open_page, given):
    with given() as make:
        for name in (HOSTILE, "x" * 100):
            make._add(CloseReason(outcome=Outcome.LOST, label=name, is_active=False))

    page = open_page(REASONS)

    labels = [found.label for found in page.button]
    assert words.literal(HOSTILE) in labels
    assert "x" * 100 in labels
    button(page, words.literal(HOSTILE)).click().run()
    assert typed(page, "Reason").value == HOSTILE


def test_without_any_reason_for_won_deals_it_says_so(open_page, database):
    with database.write() as session:
        for reason in settings_service.get_close_reasons(session, Outcome.WON):
            session.delete(reason)

    page = open_page(REASONS)

    assert "Deals can be won without one" in [text.value for text in page.caption][-1]


def test_whoever_is_no_admin_sees_the_reasons_only(open_page, given):
    with given() as make:
        make.user("Ann Admin", role=Role.ADMIN)
        make.session.get_one(User, LOCAL_USER_ID).role = Role.REP

    page = open_page(REASONS)

    assert "Price" in [text.value for text in page.markdown]
    assert not page.button
    assert "Ask Ann Admin" in page.info[0].value
