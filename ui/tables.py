"""Tables of records: one page of rows that the database has filtered and sorted."""

from typing import Any

import pandas as pd
import streamlit as st

from crm_core.models import OpportunityStage
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.services.settings_service import Workspace
from crm_core.sorting import OpportunitySort
from ui import colors, words

NAME_WIDTH = 260

SORTED_BY = {
    "Name": OpportunitySort.NAME,
    "Company": OpportunitySort.COMPANY,
    "Value": OpportunitySort.VALUE_DESCENDING,
    "Stage": OpportunitySort.STAGE,
    "Expected close": OpportunitySort.EXPECTED_CLOSE,
    "Owner": OpportunitySort.OWNER,
}
"""The order that a click on a column's head asks for; a second click turns it round."""


def opportunities(
    rows: list[OpportunityResponse],
    workspace: Workspace,
    *,
    sort: OpportunitySort,
    sort_key: str,
) -> None:
    """One page of deals. A click on a head sorts the whole list, not only this page."""
    key = f"opportunities_{sort}_{hash(tuple(row.id for row in rows))}"  # selections are by position

    def sort_by_clicked_head() -> None:
        for head in st.session_state[key]["selection"]["columns"]:
            asked = SORTED_BY[head]
            st.session_state[sort_key] = (asked.reversed if sort is asked else asked).label

    st.dataframe(
        pd.DataFrame([_cells(row, workspace) for row in rows], columns=list(SORTED_BY)),
        key=key,
        hide_index=True,
        height="content",
        on_select=sort_by_clicked_head,
        selection_mode="single-column",
        alt="Opportunities",
        column_config={
            "Name": st.column_config.TextColumn(width=NAME_WIDTH),
            "Value": st.column_config.TextColumn(alignment="right"),
            "Stage": st.column_config.MultiselectColumn(
                options=[stage.label for stage in OpportunityStage],
                color=[colors.BADGES[stage] for stage in OpportunityStage],
            ),
        },
    )


def _cells(row: OpportunityResponse, workspace: Workspace) -> dict[str, Any]:
    return {
        "Name": words.one_line(row.name),
        "Company": words.one_line(row.company_name or words.NONE),
        "Value": words.money(row.expected_value, workspace),
        "Stage": [row.stage.label],
        "Expected close": words.day(row.expected_close_date, workspace),
        "Owner": words.one_line(row.owner_name or words.NONE),
    }
