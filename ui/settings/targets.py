"""What people and teams are meant to win: a row for each with a fiscal year's quarters, and the form."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.errors import InvalidInput
from crm_core.folding import fold
from crm_core.models import TargetPeriod
from crm_core.periods import Calendar, Period, PeriodKind
from crm_core.schemas.target import TargetSet, TargetUpdate
from crm_core.services import target_service
from crm_core.services.settings_service import Workspace
from crm_core.services.target_service import Holder, TargetRow
from ui import words
from ui.data import load, today, workspace
from ui.listing.filter_bar import FilterBar
from ui.settings import choices, form, paging
from ui.settings.form import ChangedWhileOpen, Field, Form

NEW, CHANGED, DELETED = "new_target", "target", "deleted_target"
SCREEN = "pages/settings/targets.py"
PREFIX, YEAR = "targets", "year"

CELL_WIDTH = 140
AMOUNT_LIMIT = 30
GONE = "Somebody who is no longer there"

Key = tuple[str, int]
"""Whose a target is: the name of the field that says so, and the id in it."""

Span = tuple[TargetPeriod, date]
"""What a target is for, and its first day."""


def show(*, may_change: bool) -> None:
    """The fiscal year, and everybody who has a target in it or can get one, by name."""
    year = _chosen_year()
    quarters = workspace().calendar.quarters(year)
    targets = load(target_service.get_targets, Period(quarters[0].start, quarters[-1].end))
    settable = load(target_service.get_holders) if may_change else []
    active = [holder for holder in settable if holder.is_active]
    rows = defaultdict[Holder, list[TargetRow]](list, {holder: [] for holder in active})
    for target in targets:
        rows[target.holder].append(target)
    if not targets:
        _tell_nothing_is_set(year, may_set=bool(rows))
    if not rows:
        return
    with st.container(border=True):
        if active:
            _add_button(active, quarters)
        draw = partial(_row, targets=rows, settable=settable, quarters=quarters)
        paging.show(sorted(rows, key=_order), draw, key=f"targets_page {year}", noun="people and teams")
    st.caption(
        "A period has the targets of its quarters and months together, and none where one is missing. A"
        " quarter's goes before those of its months, a team's before those of its members."
    )


def show_dialog() -> None:
    """The form over the screen, if one is open."""
    if opened := form.in_dialog(NEW):
        _add(opened)
    elif opened := form.in_dialog(CHANGED):
        _change(opened)
    elif opened := form.in_dialog(DELETED):
        _delete(opened)


def link(team_id: int | None) -> None:
    """To the last fiscal year that the team has a target in, if there is one."""
    calendar = workspace().calendar
    years = [
        calendar.fiscal_year_of(target.starts_on)
        for target in load(target_service.get_targets)
        if target.holder.team_id == team_id
    ]
    if years:
        st.page_link(
            SCREEN,
            label="Its targets",
            icon=":material/flag:",
            query_params={f"{PREFIX}_{YEAR}": str(max(years))},
        )


def _chosen_year() -> int:
    calendar = workspace().calendar
    this = calendar.fiscal_year_of(today())
    years = {calendar.fiscal_year_of(target.starts_on) for target in load(target_service.get_targets)}
    offered = sorted(years | {this - 1, this, this + 1})
    bar = FilterBar(PREFIX)
    chosen = bar.segment(YEAR, "Year", {year: calendar.fiscal_year_label(year) for year in offered}, this)
    bar.write_address()
    return chosen


def _tell_nothing_is_set(year: int, *, may_set: bool) -> None:
    said = f"There are no targets for {workspace().calendar.fiscal_year_label(year)}."
    if may_set:
        said += " Set the first one below; from then on the dashboard says how much of it is won."
    st.info(said, icon=":material/flag:")


def _add_button(active: list[Holder], quarters: list[Period]) -> None:
    this_quarter = workspace().calendar.period(PeriodKind.QUARTER, today())
    first_day = (this_quarter if this_quarter in quarters else quarters[0]).start
    st.button(
        "Set a target",
        key="set_target",
        icon=":material/add:",
        on_click=form.open_dialog,
        args=(NEW, _fields(active), _new(active[0], first_day)),
    )


def _row(
    holder: Holder,
    targets: Mapping[Holder, list[TargetRow]],
    settable: list[Holder],
    quarters: list[Period],
) -> None:
    may_set = holder in settable
    with st.container(gap=None):
        icon = ":material/group:" if holder.team_id else ":material/person:"
        inactive = "" if holder.is_active else " :orange-badge[Inactive]"
        st.markdown(f"{icon} **{words.literal(holder.name)}**{inactive}")
        with st.grid(len(quarters), min_column_width=CELL_WIDTH, gap="xsmall") as grid:
            for quarter in quarters:
                found = [
                    target for target in targets[holder] if quarter.start <= target.starts_on < quarter.end
                ]
                with grid.cell(), st.container(gap=None):
                    for target in found:
                        _target(target, may_set=may_set)
                    if may_set and holder.is_active and not found:
                        _set_button(holder, settable, quarter.start)


def _target(target: TargetRow, *, may_set: bool) -> None:
    space = workspace()
    when = _short_span(target.period, target.starts_on, space.calendar)
    label = f":gray[{when}] {words.literal(words.money(target.amount, space))}"
    shown = {"amount": words.amount(target.amount, space)}
    form.opener(label, CHANGED, {"amount": _amount_field(space)}, shown, target.id, may_change=may_set)


def _set_button(holder: Holder, settable: list[Holder], first_day: date) -> None:
    st.button(
        f":gray[Set {_short_span(TargetPeriod.QUARTER, first_day, workspace().calendar)}]",
        key=f"set {_key(holder)} {first_day}",
        type="tertiary",
        icon=":material/add:",
        on_click=form.open_dialog,
        args=(NEW, _fields(settable), _new(holder, first_day)),
    )


@st.dialog("Set a target", on_dismiss=form.close_dialog)
def _add(opened: Form) -> None:
    form.leave_once_done(opened)
    holders, spans = _holders(load(target_service.get_holders)), _spans(opened.shown["when"][1])
    with st.form(f"target {opened.id}", border=False):
        form.choice(opened, "holder", "A team's target goes before those of its members.", holders)
        form.choice(opened, "when", "A quarter's target goes before those of its months.", spans)
        _draw_amount(opened)
        form.refusal(opened)
        st.form_submit_button("Set", type="primary", on_click=_save_new, args=(opened,))


@st.dialog("Change a target", on_dismiss=form.close_dialog)
def _change(opened: Form) -> None:
    form.leave_once_done(opened)
    told = _told(opened.record_id)
    st.markdown(f"**{told}**")
    with st.form(f"target {opened.id}", border=False):
        _draw_amount(opened)
        form.refusal(opened)
        st.form_submit_button("Save", type="primary", on_click=_save_change, args=(opened, told))
    st.button(
        "Delete this target",
        key=f"ask {opened.id}",
        type="tertiary",
        icon=":material/delete:",
        on_click=form.open_dialog,
        args=(DELETED, {}, {"told": told}, opened.record_id),
    )


@st.dialog("Delete a target", on_dismiss=form.close_dialog)
def _delete(opened: Form) -> None:
    form.leave_once_done(opened)
    told = opened.shown["told"]
    st.markdown(f"**{told}**: this target goes away for good.")
    st.caption(
        "What was won in that time is then held against no target, unless its months or the team's members"
        " have their own."
    )
    form.refusal(opened)
    st.button(
        "Delete", key=f"delete {opened.id}", type="primary", on_click=_save_deletion, args=(opened, told)
    )


def _draw_amount(opened: Form) -> None:
    form.text(opened, "amount", "What is to be won in that time.", limit=AMOUNT_LIMIT, required=True)


def _fields(settable: list[Holder]) -> dict[str, Field]:
    holders, calendar = _holders(settable), workspace().calendar
    return {
        "holder": Field("Person or team", lambda key: holders.get(key, GONE)),
        "when": Field("Month or quarter", lambda span: _span(span[0], span[1], calendar)),
        "amount": _amount_field(workspace()),
    }


def _amount_field(space: Workspace) -> Field:
    return Field(f"Amount, {space.currency}", blank="")


def _new(holder: Holder, first_day: date) -> dict[str, object]:
    return {"holder": _key(holder), "when": (TargetPeriod.QUARTER, first_day), "amount": None}


def _holders(settable: list[Holder]) -> dict[Key, str]:
    """Whoever can get a target, each by a label of their own."""
    people = choices.people()
    active = [holder for holder in settable if holder.is_active]
    return words.told_apart(
        {
            _key(each): f"{each.name} (team)" if each.team_id else people.get(each.user_id or 0, each.name)
            for each in active
        }
    )


def _spans(day: date) -> dict[Span, str]:
    """The quarters of the day's fiscal year, and its months."""
    calendar = workspace().calendar
    quarters = calendar.quarters(calendar.fiscal_year_of(day))
    spans = [(TargetPeriod.QUARTER, quarter.start) for quarter in quarters]
    spans += [(TargetPeriod.MONTH, first) for quarter in quarters for first in quarter.months()]
    return {span: _span(*span, calendar) for span in spans}


def _span(period: TargetPeriod, starts_on: date, calendar: Calendar) -> str:
    """“Q1 2026”, “Q1 FY27”, “March 2026”."""
    if period is TargetPeriod.QUARTER and calendar.begins_a_quarter(starts_on):
        return calendar.quarter_label(starts_on)
    return f"{_months(period, starts_on, 'LLLL')} {starts_on.year}"


def _short_span(period: TargetPeriod, starts_on: date, calendar: Calendar) -> str:
    """The same within its fiscal year: “Q1”, “Mar”."""
    if period is TargetPeriod.QUARTER and calendar.begins_a_quarter(starts_on):
        return f"Q{calendar.quarter_of(starts_on)}"
    return _months(period, starts_on, "LLL")


def _months(period: TargetPeriod, starts_on: date, pattern: str) -> str:
    """The month, or the first and the last of three that are no quarter in the present fiscal year."""
    first = choices.month(starts_on.month, pattern)
    if period is TargetPeriod.MONTH:
        return first
    return f"{first} – {choices.month((starts_on.month + 1) % 12 + 1, pattern)}"


def _told(target_id: int | None) -> str:
    """Whose a target is and what for, as Markdown."""
    found = [target for target in load(target_service.get_targets) if target.id == target_id]
    if not found:
        return "A target that was deleted meanwhile"
    when = _span(found[0].period, found[0].starts_on, workspace().calendar)
    return f"{words.literal(found[0].holder.name)}, {when}"


def _key(holder: Holder) -> Key:
    return ("team_id", holder.team_id) if holder.team_id else ("user_id", holder.user_id or 0)


def _order(holder: Holder) -> tuple[bool, str, Key]:
    return holder.team_id is None, fold(holder.name), _key(holder)


def _read(opened: Form, space: Workspace) -> Decimal:
    amount = words.read_amount(opened.typed["amount"] or "", space)
    if amount is None:
        raise InvalidInput("Write the amount that is to be won.")
    return amount


def _save_new(opened: Form) -> None:
    space = workspace()

    def set_target(session: Session) -> None:
        period, starts_on = opened.typed["when"]
        holder = dict([opened.typed["holder"]])
        draft = TargetSet(**holder, period=period, starts_on=starts_on, amount=_read(opened, space))
        _require_known(session, opened, draft, space)
        target_service.set_target(session, draft)

    opened.save(f"{opened.written('holder')}, {opened.written('when')}: the target is set.", set_target)


def _require_known(session: Session, opened: Form, draft: TargetSet, space: Workspace) -> None:
    """Nobody puts an amount in the place of one that they were not shown."""
    there = target_service.find_target(session, draft)
    if there is None or there.amount == draft.amount:
        return
    now = {**opened.typed, "amount": words.amount(there.amount, space)}
    if opened.shown != now:
        holder, when = (opened.fields[name].told(now[name]) for name in ("holder", "when"))
        told = f"{holder} has a target for {when} already: it is {words.money(there.amount, space)}."
        raise ChangedWhileOpen(lambda: [told], now)


def _save_change(opened: Form, told: str) -> None:
    space, target_id = workspace(), opened.record_id or 0

    def update(session: Session) -> None:
        target = target_service.get_target(session, target_id)
        opened.changed({"amount": words.amount(target.amount, space)})
        target_service.update_target(session, target_id, TargetUpdate(amount=_read(opened, space)))

    opened.save(f"{told}: the target is saved.", update)


def _save_deletion(opened: Form, told: str) -> None:
    target_id = opened.record_id or 0
    opened.save(
        f"{told}: the target is deleted.", lambda session: target_service.delete_target(session, target_id)
    )
