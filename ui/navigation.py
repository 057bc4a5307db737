"""The screens, in their sections."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import StopException

from ui import (
    banner,
    clicks,
    company_dialog,
    contact_dialog,
    drawer,
    lead_dialog,
    messages,
    opportunity_dialog,
    outbox,
    visit,
)
from ui.data import look_again, undo

ICON = Path(__file__).parent / "icon.png"
"""A file of our own: Streamlit fetches an icon named by a word from another host."""

STYLE = Path(__file__).parent / "streamlit.css"

SIDEBAR_WIDTH = 220


DRAWERS = {
    "opportunity": opportunity_dialog.show,
    "lead": lead_dialog.show,
    "company": company_dialog.show,
    "contact": contact_dialog.show,
}
"""What the address can ask for beside a screen: each by its kind and its id."""


def claim_pages_folder() -> None:
    """Tell Streamlit, before the first visitor comes, that the files in `pages/` are screens of ours.

    Until `st.navigation` has run once it takes the folder for pages of its own kind: on a fresh server, a
    deep link would be “not found”.
    """
    PagesManager.uses_pages_directory = False


def run() -> None:
    """Set up the page and the menu, and run the screen that was chosen."""
    st.set_page_config(page_title="CRM", page_icon=ICON, layout="wide", initial_sidebar_state=SIDEBAR_WIDTH)
    st.html(STYLE)
    clicks.belong_together()
    outbox.answer()
    chosen = st.navigation(_screens())
    visit.note(chosen.url_path)
    look_again()
    messages.begin_screen()
    banner.warn_of_damage()
    messages.show(undo)
    drawer.show(DRAWERS)
    banner.show()
    try:
        chosen.run()
    except StopException:
        messages.end_screen()  # the screen has nothing more to show
        raise
    messages.end_screen()


def _screens() -> dict[str, list[StreamlitPage]]:
    return {
        "Insight": [
            st.Page(
                "pages/insight/dashboard.py", title="Dashboard", icon=":material/monitoring:", default=True
            ),
        ],
        "Sales": [
            st.Page("pages/sales/opportunities.py", title="Opportunities", icon=":material/table_rows:"),
            st.Page("pages/sales/pipeline.py", title="Pipeline", icon=":material/view_kanban:"),
            st.Page("pages/sales/leads.py", title="Leads", icon=":material/person_add:"),
            st.Page("pages/sales/companies.py", title="Companies", icon=":material/domain:"),
            st.Page("pages/sales/contacts.py", title="Contacts", icon=":material/contacts:"),
        ],
        "Data": [
            st.Page("pages/data/import.py", title="Import", icon=":material/upload_file:", url_path="import"),
        ],
        "Settings": [
            st.Page("pages/settings/workspace.py", title="Workspace", icon=":material/settings:"),
            st.Page("pages/settings/stages.py", title="Stages", icon=":material/stacked_bar_chart:"),
            st.Page("pages/settings/reasons.py", title="Close reasons", icon=":material/rule:"),
            st.Page("pages/settings/people.py", title="People and teams", icon=":material/group:"),
            st.Page("pages/settings/targets.py", title="Targets", icon=":material/flag:"),
        ],
    }
