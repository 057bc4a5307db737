"""What became of an action, said when the screen is drawn next: actions run before the screen does."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from crm_core.errors import CrmError
from ui import words

WAITING = "messages"
UNDOABLE = "last action"

FRAGMENT = "messages"
"""The part of the screen that says it."""

NOT_SAVED = "not saved"
SHOWN = "forms on screen"

TO_READ = 2.0
"""Seconds on screen after which somebody knows that a form was refused."""

SENTENCE = 1000
"""Characters of a refusal."""


@dataclass
class NotSaved:
    """Why a form was not saved, and when that came on screen beside it."""

    sentence: str
    shown_at: float | None = None

    @property
    def is_known(self) -> bool:
        return self.shown_at is not None and time.monotonic() - self.shown_at >= TO_READ


def later(text: str, icon: str, *, stays: bool = False) -> None:
    """Say it at the next drawing, for ten seconds or until it is closed.

    `text` is Markdown: make other people's words literal first.
    """
    st.session_state.setdefault(WAITING, []).append((text, icon, "infinite" if stays else "long"))


def refused(refusal: CrmError) -> None:
    """Say a refusal's sentence, which may quote somebody's text."""
    later(words.literal(str(refusal), limit=SENTENCE), ":material/block:")


def not_saved(form: str, sentence: str) -> None:
    """Remember why the form with that key was not saved: who leaves before seeing it there hears of it."""
    st.session_state.setdefault(NOT_SAVED, {})[form] = NotSaved(sentence)


def settled(form: str) -> None:
    """What was typed in the form with that key is saved, or thrown away."""
    st.session_state.get(NOT_SAVED, {}).pop(form, None)


def beside(form: str) -> None:
    """The form with that key is on screen, and says itself why it was not saved.

    Forms in a dialog are drawn without the rest of the screen, so this alone knows that it was shown.
    """
    st.session_state.setdefault(SHOWN, set()).add(form)
    missed: NotSaved | None = st.session_state.get(NOT_SAVED, {}).get(form)
    if missed is not None and missed.shown_at is None:
        missed.shown_at = time.monotonic()


def begin_screen() -> None:
    """Nothing is on screen yet."""
    st.session_state[SHOWN] = set()


def end_screen() -> None:
    """Everything is on screen that will be: say what was not saved in the forms that are not."""
    missed: dict[str, NotSaved] = st.session_state.get(NOT_SAVED, {})
    for form in missed.keys() - st.session_state.get(SHOWN, set()):
        if not missed[form].is_known:
            st.toast(
                f"Not saved: {words.literal(missed[form].sentence, limit=SENTENCE)} "
                "Open the form again: what you typed is still in it.",
                icon=":material/block:",
                duration="infinite",
            )
        del missed[form]


def offer_undo(text: str, transaction_id: int) -> None:
    """Say what was done, with a button that takes it back, until something else is done."""
    st.session_state[UNDOABLE] = (text, transaction_id)


def forget_undo() -> None:
    """Offer it no longer."""
    st.session_state.pop(UNDOABLE, None)


def show(undo: Callable[[int], None]) -> None:
    """Say what is waiting, once; and what can be taken back by `undo`, which gets the transaction's id."""
    with st.bottom:
        _follow(undo)


def show_at_once(undo: Callable[[int], None]) -> None:
    """... while something else is being drawn, which has broken off."""
    _say()
    if UNDOABLE in st.session_state:
        with st.bottom:
            _offer(undo)


@st.fragment(key=FRAGMENT)
def _follow(undo: Callable[[int], None]) -> None:
    """Drawn with every screen, and by itself after what changes nothing else on one."""
    _say()
    if UNDOABLE in st.session_state:
        _offer(undo)


def show_inside(undo: Callable[[int], None]) -> None:
    """What can be taken back, in a drawer: it lies over the screen, which can't be reached meanwhile."""
    if UNDOABLE in st.session_state:
        text, transaction_id = st.session_state[UNDOABLE]
        with st.container(horizontal=True, vertical_alignment="center", key="last_action_inside"):
            st.markdown(f":material/check: {text}", width="stretch")
            st.button(
                "Undo",
                key=f"undo {transaction_id} inside",
                icon=":material/undo:",
                on_click=undo,
                args=(transaction_id,),
            )


def _say() -> None:
    waiting = st.session_state.get(WAITING, [])
    while waiting:
        text, icon, duration = waiting[0]
        st.toast(
            text, icon=icon, duration=duration
        )  # where the run may be cut short: then it is still waiting
        waiting.pop(0)


def _offer(undo: Callable[[int], None]) -> None:
    text, transaction_id = st.session_state[UNDOABLE]
    with st.container(horizontal=True, vertical_alignment="center", key="last_action"):
        st.markdown(f":material/check: {text}", width="stretch")
        st.button(
            "Undo",
            key=f"undo {transaction_id}",
            icon=":material/undo:",
            on_click=_take_back,
            args=(undo, transaction_id),
        )
        st.button("Dismiss", key="undo dismiss", type="tertiary", on_click=forget_undo)


def _take_back(undo: Callable[[int], None], transaction_id: int) -> None:
    undo(transaction_id)
    st.rerun()  # the whole screen shows it
