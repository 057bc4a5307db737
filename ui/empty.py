"""What a screen says when it has nothing to show, and what to do about it."""

import streamlit as st

from ui.listing.filter_bar import FilterBar


def no_opportunities() -> None:
    """The workspace holds no deal at all."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.markdown("### :material/handshake: No opportunities yet", text_alignment="center")
        st.markdown(
            "Create the first one, or bring in those you have from a CSV file.", text_alignment="center"
        )
        st.page_link("pages/data/import.py", label="Import deals", icon=":material/upload_file:")


def no_leads() -> None:
    """The workspace holds no lead at all."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.markdown("### :material/person_add: No leads yet", text_alignment="center")
        st.markdown(
            "Write down the first person who showed interest, with *New lead* above. Once they are qualified,"
            " one click makes them a deal with its company and contact.",
            text_alignment="center",
        )


def no_companies() -> None:
    """The workspace holds no company at all."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.markdown("### :material/domain: No companies yet", text_alignment="center")
        st.markdown(
            "Create the first one with the button above. A converted lead and an import bring theirs along.",
            text_alignment="center",
        )
        st.page_link("pages/data/import.py", label="Import deals", icon=":material/upload_file:")


def no_contacts() -> None:
    """The workspace holds no contact at all."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.markdown("### :material/person: No contacts yet", text_alignment="center")
        st.markdown(
            "Create the first one with the button above. A converted lead and an import bring theirs along.",
            text_alignment="center",
        )
        st.page_link("pages/data/import.py", label="Import deals", icon=":material/upload_file:")


def nothing_matches(bar: FilterBar, noun: str = "deal") -> None:
    """There are records, but none that the filters let through."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(f"No {noun} matches these filters.", icon=":material/filter_alt_off:")
        st.button("Clear the filters", key=f"{bar.prefix} clear empty", on_click=bar.clear)
