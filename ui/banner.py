"""Says that what is on screen is made up, and how to get rid of it."""

import streamlit as st

from crm_core.services import workspace_service
from ui import words
from ui.data import database, load, saving, workspace


def show() -> None:
    """Above every screen while the workspace holds demo data."""
    if not workspace().has_demo_data:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            ":material/science: **Demo data.** These deals are made up, relative to today.", width="stretch"
        )
        st.button("Start empty", icon=":material/delete_sweep:", on_click=_confirm)
        st.page_link("pages/data/import.py", label="Import your own", icon=":material/upload_file:")


@st.dialog("Start empty")
def _confirm() -> None:
    own = load(workspace_service.count_own_deals)
    has_copy = database().kind == "sqlite"
    st.write("All demo deals, and whatever you changed in them, go away. Settings stay.")
    if own:
        st.warning(f"With them go {words.deals(own, workspace())} that you imported or added.")
    if has_copy:
        st.caption("A copy of the database is put beside it first.")
    elif own:
        st.error("No copy is made on a server. Delete your own deals first, or use a new database.")
        return
    if st.button("Delete the demo data", type="primary", on_click=_start_empty, args=(own > 0,)):
        st.rerun()


def _start_empty(with_own_deals: bool) -> None:
    with saving("The workspace is empty.", note="Started empty") as session:
        if database().kind == "sqlite":
            database().back_up("before-starting-empty")  # while nobody else can write
        workspace_service.start_empty(session, with_own_deals=with_own_deals)
