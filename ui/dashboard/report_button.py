"""The dashboard as a file, made when it is asked for."""

import streamlit as st

from crm_core.filters import OpportunityFilter
from crm_core.periods import Period, PeriodChoice
from ui.data import load, today


def show(choice: PeriodChoice | Period, where: OpportunityFilter) -> None:
    """Downloads the page that is on screen as one HTML file with its charts."""

    def written() -> bytes:
        from crm_core.reporting.report import report  # draws charts; a screen does not

        return load(report, choice, where).encode()

    st.download_button(
        "Report",
        written,
        file_name=f"sales-report-{today()}.html",
        mime="text/html",
        icon=":material/summarize:",
        on_click="ignore",
        help="This page as one file with its charts, to print or to send",
    )
