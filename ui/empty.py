"""What a screen says when it has nothing to show, and what to do about it."""

import streamlit as st


def no_opportunities() -> None:
    """The workspace holds no deal at all."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.markdown("### :material/handshake: No opportunities yet", text_alignment="center")
        st.markdown("Bring in the deals you have from a CSV file.", text_alignment="center")
        st.page_link("pages/data/import.py", label="Import deals", icon=":material/upload_file:")


def nothing_matches() -> None:
    """There are deals, but none that the filters let through."""
    st.info("No deal matches these filters. Remove one to see more.", icon=":material/filter_alt_off:")
