"""Enter and Escape in a drawer: Streamlit's forms know them, but lose what was typed when a drawer closes."""

from pathlib import Path

import streamlit as st

_keys = st.components.v2.component("keys", js=(Path(__file__).parent / "keys.js").read_text())


def save_with_enter(button: str) -> None:
    """Let Enter in a one-line field of this dialog press the button with that key."""
    _keys(key=f"{button}_keys", data={"save": button}, height="content")
