"""Whether somebody has just come to a screen, or stays on it."""

import streamlit as st

SCREEN = "screen"
CAME = "has just come"


def note(screen: str) -> None:
    """Remember which screen is being drawn."""
    st.session_state[CAME] = st.session_state.get(SCREEN) != screen
    st.session_state[SCREEN] = screen


def has_just_come() -> bool:
    """Whether another screen was drawn before, or none."""
    return bool(st.session_state.get(CAME))
