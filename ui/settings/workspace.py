"""The workspace's own settings: how things are written, which day it is, who sees what."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import streamlit as st
from babel.dates import format_datetime
from sqlalchemy.orm import Session

from crm_core import clock
from crm_core.currency import Currency
from crm_core.models import Visibility
from crm_core.schemas.settings import SettingsResponse, SettingsUpdate
from crm_core.services import settings_service
from crm_core.services.settings_service import Workspace
from ui import words
from ui.data import load, workspace
from ui.settings import choices, form
from ui.settings.form import Field, Form

VISIBLE = {
    Visibility.ALL: "Everybody's",
    Visibility.TEAM: "Their team's",
    Visibility.OWN: "Only their own",
}

FOLLOWS = {True: "The stage's default", False: "The one it has"}

WRITING = {
    "currency": Field("Currency", choices.currency),
    "locale": Field("Language and region", choices.locale),
    "country": Field("Country of phone numbers", choices.country),
}
CALENDAR = {
    "time_zone": Field("Time zone", choices.zone),
    "fiscal_year_start_month": Field("Fiscal year begins in", choices.month),
}
RULES = {
    "visibility": Field("Records that people see", VISIBLE.__getitem__),
    "probability_follows_stage": Field("Probability of a deal that changes stage", FOLLOWS.__getitem__),
}

AMOUNT, NUMBER, SHARE = Decimal("1234567.50"), 12_345, Decimal("0.425")
SOME_AMOUNT = Decimal(1000)


def show(*, may_change: bool) -> None:
    """A card for each kind of setting, each with a button of its own."""
    _card("Money, numbers and days", "writing", WRITING, _writing, may_change)
    _card("Calendar", "calendar", CALENDAR, _calendar, may_change)
    _card("Rules", "rules", RULES, _rules, may_change)


def _card(
    title: str, name: str, fields: dict[str, Field], draw: Callable[[Form, bool], None], may_change: bool
) -> None:
    settings = load(_settings)
    opened = form.on_page(f"workspace_{name}", fields, {field: getattr(settings, field) for field in fields})
    with st.container(border=True):
        st.subheader(title)
        draw(opened, not may_change)
        form.refusal(opened)
        if may_change:
            st.button(
                "Save",
                key=f"save {opened.id}",
                type="primary",
                disabled=not opened.is_touched(),
                on_click=_save,
                args=(opened, f"{title}: saved."),
            )


def _writing(opened: Form, disabled: bool) -> None:
    left, right = st.columns(2)
    with left:
        currency = form.choice(
            opened,
            "currency",
            "Stands at every amount, and says how many decimals one may have. Nothing is converted.",
            choices.currencies(),
            disabled=disabled,
        )
    with right:
        locale = form.choice(
            opened,
            "locale",
            "How money, numbers and days are written. The words on the screens stay English.",
            choices.locales(),
            disabled=disabled,
        )
    space = replace(workspace(), currency=currency, locale=locale)
    if currency != workspace().currency and not disabled:
        _relabelling(space)
    _example(space)
    form.choice(
        opened,
        "country",
        "Phone numbers without a country code are taken to be from here: with Switzerland, 079 123 45 67 is"
        " the same as +41 79 123 45 67. Numbers stay as they are written. The country changes with the"
        " region above, unless you chose another.",
        choices.phone_countries(),
        disabled=disabled,
    )


def _relabelling(space: Workspace) -> None:
    """What another currency means for the amounts that are there."""
    found = load(settings_service.preview_relabelling, space.currency)
    if not found.amounts:
        return
    before = words.money(SOME_AMOUNT, workspace())
    told = (
        f"{words.counted_as(found.amounts, space, 'amount')} will be relabelled, not converted:"
        f" {before} becomes {words.money(SOME_AMOUNT, space)}."
    )
    if found.finer:
        currency = Currency(space.currency)
        have = "has" if found.finer == 1 else "have"
        told += (
            f" {words.number(found.finer, space)} of them {have} more decimals than {currency.code} allows"
            f" ({currency.in_words}); such amounts stay as they are and are shown exactly."
        )
    st.warning(words.literal(told, limit=400), icon=":material/currency_exchange:")


def _calendar(opened: Form, disabled: bool) -> None:
    left, right = st.columns(2)
    with left:
        zone = form.choice(
            opened,
            "time_zone",
            "Decides which day it is, and on which day something happens, from now on. Close dates that"
            " somebody entered stay the days they are.",
            choices.zones(),
            disabled=disabled,
        )
        st.markdown(_now(zone))
    with right:
        form.choice(
            opened,
            "fiscal_year_start_month",
            "Every quarter is one of this fiscal year: in periods, targets, filters, on the board and in the"
            " API. FY27 is the fiscal year that ends in 2027; one that begins in January is just 2027.",
            choices.months(),
            disabled=disabled,
        )


def _rules(opened: Form, disabled: bool) -> None:
    left, right = st.columns(2)
    with left:
        form.choice(
            opened,
            "visibility",
            "In their lists and figures, besides records without an owner. What people may change, they may"
            " change and see as before: managers their team's, admins everything.",
            VISIBLE,
            disabled=disabled,
        )
    with right:
        form.choice(
            opened,
            "probability_follows_stage",
            "Decides what happens at the next change of stage. No deal's probability changes now; new and"
            " reopened deals get the default, closed ones 100 or 0 %, either way.",
            FOLLOWS,
            disabled=disabled,
        )


def _example(space: Workspace) -> None:
    """How it will look, before it is saved."""
    today = space.calendar.day_of(clock.now())
    shown = {
        "Money": words.money(Currency(space.currency).floored(AMOUNT), space),
        "A number": words.number(NUMBER, space),
        "A share": words.share(SHARE, space),
        "A day": words.day(today, space),
    }
    with st.container(horizontal=True, gap="medium"):
        for what, how in shown.items():
            st.markdown(f":small[:gray[{what}]]  \n**{words.literal(how)}**", width="content")


def _now(zone: str) -> str:
    there = clock.now().astimezone(ZoneInfo(zone))
    told = format_datetime(there, "EEEE, d MMMM y, HH:mm", locale=choices.SCREENS)
    return f":small[:gray[Now, there]]  \n**{words.literal(told)}**"


def _settings(session: Session) -> SettingsResponse:
    return SettingsResponse.model_validate(settings_service.get_settings(session))


def _save(opened: Form, done: str) -> None:
    def update(session: Session) -> None:
        settings = settings_service.get_settings(session)
        settings_service.update_settings(session, opened.changes(SettingsUpdate, settings))

    opened.save(done, update)
