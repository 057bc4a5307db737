"""What stands above every screen: the database is damaged, a clock is wrong, or the deals are made up."""

import streamlit as st

from crm_core.services import workspace_service
from ui import words
from ui.data import database, load, saving, workspace, wrong_clock

WRONG_CLOCK = (
    "The last change is dated **{}**, but the clock says **{}**. Figures count as of the later of the two,"
    " and changes are dated after it. If the clock is wrong, set it right. If it is right, ask your"
    " administrator to run `python -m crm_core check --repair`."
)

DAMAGED = (
    "**The database is damaged.** Stop working: what you enter may be lost. Ask your administrator to stop"
    " the CRM and restore a backup."
)


def warn_of_damage() -> None:
    """Above every screen once any statement, or a check, has met damage."""
    if database().damage is not None:
        st.error(DAMAGED, icon=":material/emergency_home:")


def show() -> None:
    """Above every screen, as long as there is something to say."""
    _warn_of_wrong_clock()
    if workspace().has_demo_data:
        _offer_to_start_empty()


def _warn_of_wrong_clock() -> None:
    if wrong := wrong_clock():
        said = (words.moment(at, workspace()) for at in (wrong.last_change, wrong.now))
        st.warning(WRONG_CLOCK.format(*map(words.literal, said)), icon=":material/schedule:")


def _offer_to_start_empty() -> None:
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
