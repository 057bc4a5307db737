"""Whether somebody has just come to a screen, or stays on it."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

SCREEN = "screen"
CAME = "has just come"


def note(screen: str) -> None:
    """Remember which screen is being drawn."""
    st.session_state[CAME] = st.session_state.get(SCREEN) != screen
    st.session_state[SCREEN] = screen


def has_just_come() -> bool:
    """Whether another screen was drawn before, or none."""
    return bool(st.session_state.get(CAME))


def is_by_history() -> bool:
    """Whether the browser went back or forward: then the address counts, and not what was set since."""
    context = get_script_run_ctx(suppress_warning=True)
    return context is not None and context.is_history_navigation
