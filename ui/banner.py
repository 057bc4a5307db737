"""Says that what is on screen is made up, and how to get rid of it."""

import streamlit as st

from crm_core.services import workspace_service
from ui.data import database, saving, workspace


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
    st.write("All demo deals, and whatever you changed in them, go away. Settings stay.")
    if database().kind == "sqlite":
        st.caption("A copy of the database is put beside it first.")
    if st.button("Delete the demo data", type="primary", on_click=_start_empty):
        st.rerun()


def _start_empty() -> None:
    workspace_service.back_up(database())
    with saving("The workspace is empty.", note="Started empty") as session:
        workspace_service.start_empty(session)
