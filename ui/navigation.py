"""The screens, in their sections."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from ui import banner, messages

ICON = Path(__file__).parent / "icon.png"
"""A file of our own: Streamlit fetches an icon named by a word from another host."""

SIDEBAR_WIDTH = 220


def claim_pages_folder() -> None:
    """Tell Streamlit, before the first visitor comes, that the files in `pages/` are screens of ours.

    Until `st.navigation` has run once it takes the folder for pages of its own kind: on a fresh server, a
    deep link would be “not found”.
    """
    PagesManager.uses_pages_directory = False


def run() -> None:
    """Set up the page and the menu, and run the screen that was chosen."""
    st.set_page_config(page_title="CRM", page_icon=ICON, layout="wide", initial_sidebar_state=SIDEBAR_WIDTH)
    chosen = st.navigation(_screens())
    messages.show()
    banner.show()
    chosen.run()


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
        ],
        "Data": [
            st.Page("pages/data/import.py", title="Import", icon=":material/upload_file:", url_path="import"),
        ],
    }
