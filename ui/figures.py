"""One figure in a card: what it is, how much, and what it leaves out."""

import streamlit as st


def show(label: str, value: str, *, note: str, meaning: str) -> None:
    """A card with the figure; `note` says over what it was counted, `meaning` how it is defined."""
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.metric(label, value, help=meaning)
        st.caption(note)
