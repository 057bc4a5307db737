"""The workspace's settings on screen: saved through the services, shown as they will look."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from crm_core.models import LOCAL_USER_ID, Settings, TargetPeriod, Transaction, User, Visibility
from crm_core.models.user import Role
from crm_core.schemas.settings import SettingsUpdate, time_zones
from crm_core.services import settings_service
from tests.pages.settings import boxes, button, choose, plain, selected
from ui.settings import choices

WORKSPACE = "pages/settings/workspace.py"

CHANGES = {
    "Currency": ("currency", "EUR"),
    "Language and region": ("locale", "de_CH"),
    "Country of phone numbers": ("country", "FR"),
    "Time zone": ("time_zone", "Asia/Tokyo"),
    "Fiscal year begins in": ("fiscal_year_start_month", 4),
    "Records that people see": ("visibility", Visibility.TEAM),
    "Probability of a deal that changes stage": ("probability_follows_stage", False),
}

CARDS = (
    ("Currency", "Language and region", "Country of phone numbers"),
    ("Time zone", "Fiscal year begins in"),
    ("Records that people see", "Probability of a deal that changes stage"),
)


def settings_in(database) -> Settings:
    with database.read() as session:
        settings = settings_service.get_settings(session)
        session.expunge_all()
        return settings


def change(database, **changes):
    """What somebody else does meanwhile."""
    with database.write() as session:
        settings_service.update_settings(session, SettingsUpdate(**changes))


def save(page, label: str) -> None:
    """Save the card that the field is in."""
    button(page, "Save", CARDS.index(next(card for card in CARDS if label in card))).click().run()


@pytest.mark.parametrize("label", CHANGES)
def test_each_setting_is_saved_and_shown(open_page, database, label):
    name, value = CHANGES[label]
    before = settings_in(database)
    page = open_page(WORKSPACE)

    choose(page, label, value)
    save(page, label)

    after = settings_in(database)
    assert getattr(after, name) == value
    others = {other for other, _ in CHANGES.values()} - {name} - ({"country"} if name == "locale" else set())
    assert all(getattr(after, other) == getattr(before, other) for other in others)
    assert selected(page, label) == value
    assert selected(open_page(WORKSPACE), label) == value
    assert "saved" in page.toast[0].value


def test_a_fiscal_year_that_would_split_targets_is_refused_beside_the_form(open_page, database, given):
    with given() as make:
        north = make.team("North").id
        make.target(period=TargetPeriod.QUARTER, starts_on=date(2026, 4, 1), team_id=north)
    page = open_page(WORKSPACE)

    choose(page, "Fiscal year begins in", 2)
    save(page, "Fiscal year begins in")

    assert "would split the quarter of a target, North’s for Q2 2026" in plain(page.error[0].value)
    assert settings_in(database).fiscal_year_start_month == 1
    assert selected(page, "Fiscal year begins in") == 2

    choose(page, "Fiscal year begins in", 7)
    save(page, "Fiscal year begins in")

    assert settings_in(database).fiscal_year_start_month == 7
    assert not page.error


def test_an_example_follows_what_is_chosen_before_it_is_saved(open_page, database):
    page = open_page(WORKSPACE)

    choose(page, "Currency", "EUR")
    choose(page, "Language and region", "de_DE")

    shown = plain(" ".join(text.value for text in page.markdown))
    assert "1.234.567,50 €" in shown
    assert "12.345" in shown
    assert settings_in(database).currency == "USD"


def test_another_currency_says_what_becomes_of_the_amounts(open_page, given):
    with given() as make:
        make.opportunity(expected_value=Decimal("12.50"))
        make.opportunity(expected_value=Decimal(3))
        make.target(user_id=LOCAL_USER_ID)
    page = open_page(WORKSPACE)
    assert not page.warning

    choose(page, "Currency", "JPY")
    assert plain(page.warning[0].value) == (
        "3 amounts will be relabelled, not converted: $1,000 becomes ¥1,000. 1 of them has more decimals than"
        " JPY allows (no decimals); such amounts stay as they are and are shown exactly."
    )

    choose(page, "Currency", "KWD")
    assert plain(page.warning[0].value).endswith("$1,000 becomes KWD1,000.")


def test_where_there_are_no_amounts_nothing_is_relabelled(open_page, given):
    with given() as make:
        make.opportunity()
    page = open_page(WORKSPACE)

    choose(page, "Currency", "JPY")

    assert not page.warning
    assert "¥1,234,567" in plain(" ".join(text.value for text in page.markdown))


def test_nothing_can_be_saved_before_anything_is_changed(open_page):
    page = open_page(WORKSPACE)
    assert all(found.disabled for found in page.button if found.label == "Save")

    choose(page, "Currency", "EUR")
    assert [found.disabled for found in page.button if found.label == "Save"] == [False, True, True]

    choose(page, "Currency", "USD")
    assert all(found.disabled for found in page.button if found.label == "Save")


def test_a_field_that_was_not_touched_overwrites_nothing(open_page, database):
    page = open_page(WORKSPACE)
    change(database, locale="fr_FR")

    choose(page, "Currency", "EUR")
    save(page, "Currency")

    after = settings_in(database)
    assert (after.currency, after.locale) == ("EUR", "fr_FR")
    assert selected(page, "Language and region") == "fr_FR"


def test_the_same_field_changed_meanwhile_shows_both_and_asks(open_page, database):
    page = open_page(WORKSPACE)
    choose(page, "Currency", "EUR")
    change(database, currency="CHF", locale="fr_FR")

    save(page, "Currency")

    told = plain(page.error[0].value)
    assert "changed meanwhile: it is “CHF – Swiss Franc” now, yours is “EUR – Euro”" in told
    assert settings_in(database).currency == "CHF"
    assert selected(page, "Currency") == "EUR"
    assert selected(page, "Language and region") == "fr_FR"

    save(page, "Currency")

    assert (settings_in(database).currency, settings_in(database).locale) == ("EUR", "fr_FR")
    assert not page.error


def test_two_who_choose_the_same_are_not_at_odds(open_page, database):
    page = open_page(WORKSPACE)
    choose(page, "Currency", "EUR")
    change(database, currency="EUR")

    save(page, "Currency")

    assert not page.error


def test_whoever_is_no_admin_sees_everything_and_changes_nothing(open_page, given):
    with given() as make:
        make.user("**Ann** Admin", role=Role.ADMIN)
        make.session.get_one(User, LOCAL_USER_ID).role = Role.REP

    page = open_page(WORKSPACE)

    assert selected(page, "Currency") == "USD"
    assert all(box.disabled for box in page.selectbox)
    assert not [found for found in page.button if found.label == "Save"]
    assert r"Only an admin can change the settings\. Ask \*\*Ann\*\* Admin\." in page.info[0].value


def test_whoever_loses_the_right_meanwhile_is_refused_beside_the_form(open_page, given, database):
    page = open_page(WORKSPACE)
    choose(page, "Currency", "EUR")
    with given() as make:
        make.user("Ann Admin", role=Role.ADMIN)
        make.session.get_one(User, LOCAL_USER_ID).role = Role.REP

    save(page, "Currency")

    assert "Only an admin" in plain(page.error[0].value)
    assert settings_in(database).currency == "USD"


def test_an_unusual_value_that_a_program_has_set_is_shown(open_page, database):
    change(database, time_zone="Etc/GMT+5", currency="DEM", locale="de")

    page = open_page(WORKSPACE)

    assert selected(page, "Time zone") == "Etc/GMT+5"
    assert selected(page, "Currency") == "DEM"
    assert selected(page, "Language and region") == "de"


def test_what_is_saved_is_one_change_and_can_not_be_saved_again(open_page, database):
    page = open_page(WORKSPACE)
    choose(page, "Currency", "EUR")

    save(page, "Currency")

    assert button(page, "Save").disabled
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Transaction)) == 1


def test_everything_there_is_to_choose_is_something_the_settings_take():
    assert set(choices.zones()) <= time_zones()
    for locale in choices.locales():
        assert SettingsUpdate(locale=locale).locale == locale
    for currency in choices.currencies():
        SettingsUpdate(currency=currency)


@pytest.mark.parametrize("kind", ["currencies", "locales", "zones", "months"])
def test_no_two_choices_read_the_same(kind):
    labels = list(getattr(choices, kind)().values())

    assert len(labels) == len(set(labels)) > 0


def test_languages_call_themselves_by_their_own_name():
    told = choices.locales()

    assert told["de_CH"] == "Deutsch (Schweiz) · de_CH"
    assert told["fr_CA"] == "français (Canada) · fr_CA"
    assert told["ja_JP"] == "日本語 (日本) · ja_JP"
    assert "zh_Hans_CN" in told


def test_every_choice_has_a_label(open_page):
    assert set(boxes(open_page(WORKSPACE))) == set(CHANGES)
