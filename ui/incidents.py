"""What a screen says where something went wrong that nobody foresaw: in its body, an action, a dialog."""

import logging

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from crm_core import incidents
from crm_core.errors import CrmError
from ui import data, messages, words

log = logging.getLogger("crm.ui")

SENTENCE = (
    "Something went wrong. Tell your administrator incident **{number}**. "
    "Nothing of yours was saved by this step, unless a message says so."
)
"""The number comes first: a toast folds away what is long."""

WRITTEN_BY_STREAMLIT = "Uncaught app execution"


def show(error: Exception) -> bool:
    """Say a refusal as its own sentence, and anything else as an incident; True, so that nobody says more.

    An action runs before the screen is drawn: it is told when that is done, or the screen would stay empty.
    """
    say = _said_later if _is_from_action() else _said_here
    if isinstance(error, CrmError):
        say(words.literal(str(error), limit=messages.SENTENCE), ":material/block:")
    else:
        say(SENTENCE.format(number=incidents.record(log, error)), ":material/error:")
    return True


def take_over_log() -> None:
    """Let each incident stand in the log once, with its number, and refusals not at all."""
    logging.getLogger("streamlit.error_util").addFilter(lambda entry: entry.msg != WRITTEN_BY_STREAMLIT)


def _is_from_action() -> bool:
    context = get_script_run_ctx()
    return context is not None and not context.has_script_started


def _said_here(text: str, icon: str) -> None:
    st.error(text, icon=icon)
    messages.show_at_once(data.undo)


def _said_later(text: str, icon: str) -> None:
    messages.later(text, icon, stays=True)
    st.rerun()  # only asks for it: nothing is being drawn that it could break off
