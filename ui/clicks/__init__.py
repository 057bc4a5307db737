"""Nervous hands: a double click never presses what lay behind what its first click has closed."""

from pathlib import Path

import streamlit as st

_clicks = st.components.v2.component("clicks", js=(Path(__file__).parent / "clicks.js").read_text())


def belong_together() -> None:
    """Let several clicks at one place, in a moment, be meant for what the first of them hit."""
    with st.container(key="clicks"):
        _clicks(key="clicks_listener", height="content")
