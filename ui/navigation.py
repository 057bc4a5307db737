"""The screens, in their sections."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui import banner

ICON = Path(__file__).parent / "icon.png"
"""A file of our own: Streamlit fetches an icon named by a word from another host."""

SIDEBAR_WIDTH = 220


def run() -> None:
    """Set up the page and the menu, and run the screen that was chosen."""
    st.set_page_config(page_title="CRM", page_icon=ICON, layout="wide", initial_sidebar_state=SIDEBAR_WIDTH)
    chosen = st.navigation(_screens())
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
