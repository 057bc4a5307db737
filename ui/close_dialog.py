"""Closing a deal: how it ended, why, a note and the day. The services say what is refused."""

from collections.abc import Callable
from datetime import date

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.errors import CrmError
from crm_core.models import Outcome
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.services import opportunity_service, settings_service
from ui import drawer, messages, words
from ui.data import attempt, load, refused, today, workspace

ASKED = "deal to close"


def form(deal: OpportunityResponse, on_closed: Callable[[], None]) -> None:
    """The fields and the button; refused, it says why and keeps what was typed. `on_closed` runs after it."""
    key = f"close {deal.id}"
    outcome = Outcome(
        st.segmented_control(
            "Outcome",
            list(Outcome),
            default=Outcome.WON,
            required=True,
            format_func=lambda each: each.label,
            key=f"{key} outcome",
        )
    )
    _fields(key, outcome)

    def close() -> None:
        if st.session_state.get(f"{key} closed") == deal.version:
            return  # a second click
        answers = {name: st.session_state.get(f"{key} {name}") for name in ("note", "on")}
        note, on = (answers["note"] or "").strip() or None, answers["on"]
        reason_id = st.session_state.get(f"{key} reason {outcome}")

        def action(session: Session) -> None:
            opportunity_service.close_opportunity(
                session,
                deal.id,
                outcome=outcome,
                reason_id=reason_id,
                note=note,
                on=on,
                expected_version=deal.version,
            )

        name = words.literal(deal.name, limit=60)
        refusal = attempt(action, done=f"“{name}” is {outcome}.", undoable=True)
        st.session_state[f"{key} refusal"] = None if refusal is None else (None, str(refusal))
        if refusal is not None:
            messages.not_saved(key, str(refusal))
        else:
            messages.settled(key)
            st.session_state[f"{key} closed"] = deal.version
            on_closed()

    messages.beside(key)
    version, refusal = st.session_state.get(f"{key} refusal") or (None, "")
    if refusal and version in (None, deal.version):
        st.session_state[f"{key} refusal"] = (deal.version, refusal)  # until the deal is changed again
        st.error(words.literal(refusal, limit=1000), icon=":material/block:")
    st.button(f"Close as {outcome}", key=f"{key} confirm", type="primary", on_click=close)


def ask_later(opportunity_id: int) -> None:
    """Ask for the outcome of this deal when the screen is drawn next; for a callback."""
    st.session_state[ASKED] = opportunity_id


def stop_asking() -> None:
    """The deal stays open; for a callback."""
    st.session_state.pop(ASKED, None)


def show() -> None:
    """The dialog, as long as a deal waits for its outcome."""
    if ASKED in st.session_state:
        _ask()


@st.dialog("Close the deal", on_dismiss=stop_asking)
def _ask() -> None:
    drawer.draw_screen_anew()
    try:
        deal = load(opportunity_service.get_row, st.session_state[ASKED])
    except CrmError as refusal:
        refused(refusal)
        return
    st.markdown(f"**{words.literal(deal.name, limit=120)}**")
    form(deal, _closed)


def _closed() -> None:
    stop_asking()
    drawer.saved()


def close_reasons(session: Session, outcome: Outcome) -> dict[int, str]:
    """What the reasons to choose from are called, by their ids."""
    return {reason.id: reason.label for reason in settings_service.get_close_reasons(session, outcome)}


def _fields(key: str, outcome: Outcome) -> None:
    reasons = words.told_apart(load(close_reasons, outcome))
    st.selectbox(
        "Reason",
        list(reasons),
        index=None,
        format_func=lambda each: reasons.get(each, ""),
        placeholder="Choose why" if outcome is Outcome.LOST else "None given",
        key=f"{key} reason {outcome}",
        persist_state="session",
    )
    st.text_area("Note", key=f"{key} note", height=72, max_chars=100_000, persist_state="session")
    st.date_input(
        "Closed on",
        today(),
        min_value=date(1900, 1, 1),
        max_value=today(),
        format=words.day_format(workspace()),
        key=f"{key} on",
        persist_state="session",
    )
