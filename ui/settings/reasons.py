"""Why deals are won and lost: the reasons to choose from."""

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.models import Outcome
from crm_core.schemas.settings import CloseReasonCreate, CloseReasonResponse, CloseReasonUpdate
from crm_core.services import settings_service
from ui import words
from ui.data import load
from ui.settings import form
from ui.settings.form import Field, Form

NAME_LIMIT = 100
YES = {True: "yes", False: "no"}

FIELDS = {
    "label": Field("Reason"),
    "needs_note": Field("Needs a note", YES.__getitem__),
    "counts": Field("Counts as lost", YES.__getitem__),
    "is_active": Field("In use", YES.__getitem__),
}
NEW = {"label": "", "needs_note": False, "counts": True}


def show(outcome: Outcome, *, may_change: bool) -> None:
    """The reasons for one outcome, in the order they were added, and a button to add one."""
    with st.container(border=True):
        st.subheader(f"Reasons for {outcome} deals")
        reasons = load(_reasons, outcome)
        for reason in reasons:
            _row(reason, may_change=may_change)
        if not reasons:
            st.caption(f"There are none yet. Deals can be {outcome} without one.")
        if may_change:
            st.button(
                "Add a reason",
                key=f"add_{outcome}_reason",
                icon=":material/add:",
                on_click=form.open_dialog,
                args=(_name(outcome), _fields(outcome, is_new=True), _new(outcome)),
            )


def show_dialog() -> None:
    """The form over the screen, if one is open."""
    for outcome in Outcome:
        if opened := form.in_dialog(_name(outcome)):
            draw = _add if opened.is_new else _change
            draw(opened, outcome)


def _row(reason: CloseReasonResponse, *, may_change: bool) -> None:
    fields = _fields(reason.outcome)
    shown = reason.model_dump(include=set(fields))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        name = words.literal(reason.label)
        form.opener(name, _name(reason.outcome), fields, shown, reason.id, may_change=may_change)
        if reason.needs_note:
            st.badge("Needs a note", color="blue")
        if "counts" in fields and not reason.counts:
            st.badge("Does not count", color="orange")
        if not reason.is_active:
            st.badge("Retired", color="gray")


@st.dialog("Add a reason", on_dismiss=form.close_dialog)
def _add(opened: Form, outcome: Outcome) -> None:
    _draw(opened, outcome)


@st.dialog("Change a reason", on_dismiss=form.close_dialog)
def _change(opened: Form, outcome: Outcome) -> None:
    _draw(opened, outcome)


def _draw(opened: Form, outcome: Outcome) -> None:
    form.leave_once_done(opened)
    with st.form(f"reason {opened.id}", border=False):
        form.text(
            opened,
            "label",
            f"What people choose when a deal is {outcome}."
            + ("" if opened.is_new else " Deals that were closed for it show the new name, too."),
            limit=NAME_LIMIT,
            required=True,
        )
        form.tick(
            opened, "needs_note", "From now on; deals that were closed without a note stay as they are."
        )
        if "counts" in opened.fields:
            form.tick(
                opened,
                "counts",
                "Without it, deals lost for this reason are left out of win rates, those of the past too."
                " They stay lost.",
            )
        if not opened.is_new:
            form.tick(
                opened,
                "is_active",
                "Without it the reason is retired: nobody can choose it. Deals that were closed for it keep"
                " it, and no figure changes.",
            )
        form.refusal(opened)
        st.form_submit_button(
            "Add" if opened.is_new else "Save", type="primary", on_click=_save, args=(opened, outcome)
        )


def _save(opened: Form, outcome: Outcome) -> None:
    def update(session: Session) -> None:
        if opened.record_id is None:
            draft = opened.answers(CloseReasonCreate, outcome=outcome)
            settings_service.create_close_reason(session, draft)
            return
        reason = settings_service.get_close_reason(session, opened.record_id)
        changes = opened.changes(CloseReasonUpdate, reason)
        settings_service.update_close_reason(session, opened.record_id, changes)

    opened.save(f"{opened.written('label')} is {'added' if opened.is_new else 'saved'}.", update)


def _name(outcome: Outcome) -> str:
    return f"reason_{outcome}"


def _fields(outcome: Outcome, *, is_new: bool = False) -> dict[str, Field]:
    """Whether it counts is asked of lost deals only: every won deal counts. A new one is in use."""
    left_out = {
        name for name, asked in (("counts", outcome is Outcome.LOST), ("is_active", not is_new)) if not asked
    }
    return {name: field for name, field in FIELDS.items() if name not in left_out}


def _new(outcome: Outcome) -> dict[str, object]:
    return {name: NEW[name] for name in _fields(outcome, is_new=True)}


def _reasons(session: Session, outcome: Outcome) -> list[CloseReasonResponse]:
    found = settings_service.get_close_reasons(session, outcome, with_inactive=True)
    return [CloseReasonResponse.model_validate(reason) for reason in found]
