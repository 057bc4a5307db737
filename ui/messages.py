"""What became of an action, said when the screen is drawn next: actions run before the screen does."""

import streamlit as st

WAITING = "messages"


def later(text: str, icon: str) -> None:
    """Say it at the next drawing. `text` is Markdown: make other people's words literal first."""
    st.session_state.setdefault(WAITING, []).append((text, icon))


def show() -> None:
    """Say what is waiting, once."""
    for text, icon in st.session_state.pop(WAITING, []):
        st.toast(text, icon=icon)
