"""Targets, set, changed and deleted on screen."""

from datetime import date
from decimal import Decimal

import pytest

from crm_core import clock
from crm_core.models import LOCAL_USER_ID, Role, TargetPeriod, User
from crm_core.schemas.target import TargetSet, TargetUpdate
from crm_core.services import settings_service, target_service
from tests.pages.settings import boxes, button, plain, selected, typed
from ui import words

TARGETS = "pages/settings/targets.py"
DASHBOARD = "pages/insight/dashboard.py"
HOSTILE = "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))"
THIS = clock.now().year
MARCH, Q1, Q2 = date(THIS, 3, 1), date(THIS, 1, 1), date(THIS, 4, 1)
MONTH, QUARTER = TargetPeriod.MONTH, TargetPeriod.QUARTER


def targets(database) -> dict[tuple[str, str, date], Decimal]:
    with database.read() as session:
        rows = target_service.get_targets(session)
        return {(row.holder.name, row.period, row.starts_on): row.amount for row in rows}


def set_elsewhere(database, amount: int, user_id: int, starts_on: date = Q1) -> int:
    with database.write() as session:
        draft = TargetSet(period=QUARTER, starts_on=starts_on, amount=amount, user_id=user_id)
        return target_service.set_target(session, draft).id


def labels(page) -> list[str]:
    return [plain(found.label) for found in page.button]


@pytest.fixture
def rita(given):
    with given() as make:
        return make.user("Rita Rep", team_id=make.team("North").id).id


def test_sets_a_target_for_a_person_and_for_a_team(open_page, database, rita):
    with database.read() as session:
        north = session.get_one(User, rita).team_id
    page = open_page(TARGETS)
    assert f"There are no targets for {THIS}" in page.info[0].value

    button(page, "Set a target").click().run()
    assert boxes(page)["Person or team"].options == ["North (team)", "Local user", "Rita Rep"]
    boxes(page)["Person or team"].set_value(("user_id", rita))
    boxes(page)["Month or quarter"].set_value((MONTH, MARCH))
    typed(page, "Amount, USD").set_value(" $40,000.50 ")
    button(page, "Set").click().run()
    assert f"Rita Rep, March {THIS}: the target is set." in plain(page.toast[0].value)

    button(page, "Set a target").click().run()
    boxes(page)["Person or team"].set_value(("team_id", north))
    boxes(page)["Month or quarter"].set_value((QUARTER, Q2))
    typed(page, "Amount, USD").set_value("90000")
    button(page, "Set").click().run()

    assert targets(database) == {
        ("Rita Rep", "month", MARCH): Decimal("40000.50"),
        ("North", "quarter", Q2): Decimal(90_000),
    }
    assert {":gray[Mar] $40,000.50", ":gray[Q2] $90,000"} <= set(labels(page))
    assert not page.info


def test_an_empty_quarter_is_set_where_it_stands(open_page, database, rita):
    page = open_page(TARGETS)

    [found for found in page.button if "Set Q3" in found.label][-1].click().run()
    assert selected(page, "Person or team") == ("user_id", rita)
    assert selected(page, "Month or quarter") == (QUARTER, date(THIS, 7, 1))
    typed(page, "Amount, USD").set_value("5")
    button(page, "Set").click().run()

    assert targets(database) == {("Rita Rep", "quarter", date(THIS, 7, 1)): 5}


@pytest.fixture
def fiscal(given):
    """A fiscal year begins in February; the calendar's name for the one that runs, and its first year."""
    with given() as make:
        settings_service.get_settings(make.session).fiscal_year_start_month = 2
    began = THIS if clock.now().month > 1 else THIS - 1
    return f"FY{(began + 1) % 100:02}", began


def test_targets_are_set_for_the_quarters_of_the_fiscal_year(open_page, database, rita, fiscal):
    name, began = fiscal
    page = open_page(TARGETS)
    assert f"There are no targets for {name}." in page.info[0].value

    [found for found in page.button if "Set Q4" in found.label][-1].click().run()
    assert selected(page, "Month or quarter") == (QUARTER, date(began, 11, 1))
    spans = boxes(page)["Month or quarter"].options
    assert spans[:5] == [f"Q1 {name}", f"Q2 {name}", f"Q3 {name}", f"Q4 {name}", f"February {began}"]
    assert (len(spans), spans[-1]) == (16, f"January {began + 1}")
    typed(page, "Amount, USD").set_value("5")
    button(page, "Set").click().run()

    assert f"Rita Rep, Q4 {name}: the target is set." in plain(page.toast[0].value)
    assert targets(database) == {("Rita Rep", "quarter", date(began, 11, 1)): 5}
    assert ":gray[Q4] $5" in labels(page)


def test_a_fiscal_year_is_named_in_the_address(open_page, database, rita, fiscal):
    _, began = fiscal
    set_elsewhere(database, 777, rita, date(2019, 5, 1))
    set_elsewhere(database, 100, rita, date(began, 5, 1))

    page = open_page(TARGETS, targets_year="2020")

    assert ":gray[Q2] $777" in labels(page)
    assert ":gray[Q2] $100" not in labels(page)


def test_a_target_of_months_that_are_no_quarter_is_named_by_them(open_page, database, given, rita, fiscal):
    _, began = fiscal
    with given() as make:
        make.target(100, period=QUARTER, starts_on=date(began, 4, 1), user_id=rita)

    page = open_page(TARGETS)
    button(page, r":gray[Apr – Jun] \$100").click().run()

    assert f"Rita Rep, April – June {began}" in plain(" ".join(text.value for text in page.markdown))
    button(page, "Delete this target").click().run()
    button(page, "Delete").click().run()
    assert targets(database) == {}


def test_changes_and_deletes_a_target(open_page, database, rita):
    set_elsewhere(database, 100, rita)
    page = open_page(TARGETS)

    button(page, r":gray[Q1] \$100").click().run()
    assert typed(page, "Amount, USD").value == "100"
    typed(page, "Amount, USD").set_value("2,500")
    button(page, "Save").click().run()
    assert targets(database) == {("Rita Rep", "quarter", Q1): 2500}
    assert f"Rita Rep, Q1 {THIS}: the target is saved." in plain(page.toast[0].value)

    button(page, r":gray[Q1] \$2,500").click().run()
    button(page, "Delete this target").click().run()
    assert len(targets(database)) == 1
    button(page, "Delete").click().run()
    assert targets(database) == {}
    assert "the target is deleted" in page.toast[0].value


def test_amounts_are_typed_as_the_workspace_writes_them(open_page, database, rita):
    with database.write() as session:
        settings = settings_service.get_settings(session)
        settings.locale, settings.currency = "de_DE", "EUR"
    set_elsewhere(database, 1000, rita)
    page = open_page(TARGETS)

    next(found for found in page.button if "1.000" in plain(found.label)).click().run()
    assert typed(page, "Amount, EUR").value == "1.000"
    typed(page, "Amount, EUR").set_value("1.234,50 €")
    button(page, "Save").click().run()

    assert list(targets(database).values()) == [Decimal("1234.50")]


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("", "Write the amount that is to be won"),
        ("0", "more than 0. To set no target, delete it"),
        ("0.00", "more than 0"),
        ("-5", "Write an amount"),
        ("a lot", "Write an amount like 1,234.50"),
        ("1.234", "Write an amount like"),
        ("9" * 20, "can't be more than"),
    ],
)
def test_an_amount_that_can_not_be_is_refused_beside_the_form(open_page, database, rita, amount, sentence):
    page = open_page(TARGETS)

    button(page, "Set a target").click().run()
    typed(page, "Amount, USD").set_value(amount)
    button(page, "Set").click().run()

    assert sentence in plain(page.error[0].value)
    assert typed(page, "Amount, USD").value == amount
    assert targets(database) == {}


def test_one_that_is_there_already_is_shown_before_it_is_replaced(open_page, database, rita):
    set_elsewhere(database, 100, rita)
    set_elsewhere(database, 100, LOCAL_USER_ID)
    page = open_page(TARGETS)

    button(page, "Set a target").click().run()
    boxes(page)["Person or team"].set_value(("user_id", rita))
    boxes(page)["Month or quarter"].set_value((QUARTER, Q1))
    typed(page, "Amount, USD").set_value("250")
    button(page, "Set").click().run()
    assert f"Rita Rep has a target for Q1 {THIS} already: it is $100." in plain(page.error[0].value)

    boxes(page)["Person or team"].set_value(("user_id", LOCAL_USER_ID))
    button(page, "Set").click().run()
    assert f"Local user has a target for Q1 {THIS} already" in plain(page.error[0].value)
    assert set(targets(database).values()) == {100}

    button(page, "Set").click().run()
    assert targets(database) == {("Local user", "quarter", Q1): 250, ("Rita Rep", "quarter", Q1): 100}


def test_the_same_changed_meanwhile_is_shown_and_asked(open_page, database, rita):
    target = set_elsewhere(database, 100, rita)
    page = open_page(TARGETS)
    button(page, r":gray[Q1] \$100").click().run()
    with database.write() as session:
        target_service.update_target(session, target, TargetUpdate(amount=4000))

    typed(page, "Amount, USD").set_value("250")
    button(page, "Save").click().run()
    assert "it is “4,000” now, yours is “250”" in plain(page.error[0].value)
    assert list(targets(database).values()) == [4000]

    button(page, "Save").click().run()
    assert list(targets(database).values()) == [250]


def test_a_target_that_was_deleted_meanwhile_says_so(open_page, database, rita):
    target = set_elsewhere(database, 100, rita)
    page = open_page(TARGETS)
    button(page, r":gray[Q1] \$100").click().run()
    with database.write() as session:
        target_service.delete_target(session, target)

    typed(page, "Amount, USD").set_value("250")
    button(page, "Save").click().run()

    assert "it may have been deleted" in plain(page.error[0].value)
    assert targets(database) == {}


def test_each_year_shows_its_own(open_page, database, rita):
    set_elsewhere(database, 100, rita)
    set_elsewhere(database, 777, rita, date(2019, 1, 1))

    page = open_page(TARGETS, targets_year="2019")
    assert ":gray[Q1] $777" in labels(page)
    assert ":gray[Q1] $100" not in labels(page)

    page = open_page(TARGETS, targets_year="1950")
    assert ":gray[Q1] $100" in labels(page)


def test_a_manager_sets_those_of_the_team_and_sees_the_others(open_page, database, given):
    with given() as make:
        people = make.people()
        me = make.session.get_one(User, LOCAL_USER_ID)
        me.role, me.team_id = Role.MANAGER, make.session.get_one(User, people.mia).team_id
    set_elsewhere(database, 100, people.rita)
    set_elsewhere(database, 777, people.otto)

    page = open_page(TARGETS)

    assert not page.info
    assert ":gray[Q1] $100" in labels(page)
    assert ":gray[Q1] $777" not in labels(page)
    assert ":gray[Q1] $777" in [plain(text.value) for text in page.markdown]
    button(page, "Set a target").click().run()
    assert "Otto Other" not in boxes(page)["Person or team"].options


def test_a_rep_sees_targets_and_changes_nothing(open_page, database, given):
    with given() as make:
        people = make.people()
        me = make.session.get_one(User, LOCAL_USER_ID)
        me.role, me.team_id = Role.REP, make.session.get_one(User, people.mia).team_id
    set_elsewhere(database, 100, people.rita)

    page = open_page(TARGETS)

    assert "Only Mia Manager or an admin can set targets" in plain(page.info[0].value)
    assert ":gray[Q1] $100" in [plain(text.value) for text in page.markdown]
    assert not page.button


def test_whoever_loses_the_right_meanwhile_is_refused_beside_the_form(open_page, database, given, rita):
    page = open_page(TARGETS)
    button(page, "Set a target").click().run()
    boxes(page)["Person or team"].set_value(("user_id", rita))
    typed(page, "Amount, USD").set_value("5")
    with given() as make:
        make.user("Ann Admin", role=Role.ADMIN)
        make.session.get_one(User, LOCAL_USER_ID).role = Role.REP

    button(page, "Set").click().run()

    assert "Only an admin can set the targets of Rita Rep" in plain(page.error[0].value)
    assert targets(database) == {}


def test_whoever_left_keeps_a_row_and_gets_no_new_target(open_page, database, given, rita):
    set_elsewhere(database, 100, rita)
    with given() as make:
        make.session.get_one(User, rita).is_active = False

    page = open_page(TARGETS)

    assert any("Rita Rep" in text.value and "Inactive" in text.value for text in page.markdown)
    assert sum("Set Q" in label for label in labels(page)) == 8  # the team's, and those of who is left
    button(page, "Set a target").click().run()
    assert "Rita Rep" not in boxes(page)["Person or team"].options


def test_the_form_begins_with_somebody_who_is_there(open_page, given):
    with given() as make:
        make.user("Aaron", is_active=False)
    page = open_page(TARGETS)

    button(page, "Set a target").click().run()

    assert selected(page, "Person or team") == ("user_id", LOCAL_USER_ID)
    assert boxes(page)["Person or team"].options == ["Local user"]


def test_hostile_names_are_shown_as_typed(open_page, given):
    with given() as make:
        make.team(HOSTILE)
        make.user(HOSTILE)
        make.user("Otto", email="a@example.com")
        make.user("Otto", email="b@example.com")

    page = open_page(TARGETS)

    shown = [text.value for text in page.markdown]
    assert sum(words.literal(HOSTILE) in text for text in shown) == 2
    button(page, "Set a target").click().run()
    options = boxes(page)["Person or team"].options
    assert HOSTILE in options
    assert {"Otto (a@example.com)", "Otto (b@example.com)"} <= set(options)


def test_many_people_are_paged(open_page, given):
    with given() as make:
        for number in range(45):
            make.user(f"Person {number:02}")

    page = open_page(TARGETS)

    assert "1–20 of 46 people and teams" in [text.value for text in page.caption]


def test_the_dashboard_follows_a_target_at_once(open_page, database, given, rita):
    """Counted again by hand from what is in the database."""
    with given() as make:
        make.won(300, owner_id=rita)
        make.won(75, owner_id=rita)
        make.opportunity(expected_value=Decimal(9_000), owner_id=rita)
        make.lost(5_000, owner_id=rita)

    def told() -> str:
        page = open_page(DASHBOARD, dashboard_period="this_quarter")
        return next((plain(text.value) for text in page.caption if "of the target" in text.value), "")

    assert told() == ""
    page = open_page(TARGETS)
    button(page, "Set a target").click().run()
    boxes(page)["Person or team"].set_value(("user_id", rita))
    typed(page, "Amount, USD").set_value("500")
    button(page, "Set").click().run()
    assert told().startswith(f"{100 * (300 + 75) // 500}% of the target $500")

    page = open_page(TARGETS)
    next(found for found in page.button if "500" in found.label).click().run()
    typed(page, "Amount, USD").set_value("250")
    button(page, "Save").click().run()
    assert told().startswith(f"{100 * (300 + 75) // 250}% of the target $250")

    page = open_page(TARGETS)
    next(found for found in page.button if "250" in found.label).click().run()
    button(page, "Delete this target").click().run()
    button(page, "Delete").click().run()
    assert told() == ""


def test_a_team_with_targets_leads_to_them(open_page, database, given):
    with given() as make:
        make.target(team_id=make.team("North").id, starts_on=date(2019, 1, 1))
    page = open_page("pages/settings/people.py")

    button(page, "North").click().run()
    button(page, "Delete this team").click().run()
    button(page, "Delete").click().run()

    assert "“North” has targets. Delete them under Settings" in plain(page.error[0].value)
    (link,) = [link for link in page.get("page_link") if link.proto.label == "Its targets"]
    assert link.proto.query_string == "targets_year=2019"
