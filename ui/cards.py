"""The pipeline as columns of cards, one column a stage."""

from collections.abc import Hashable
from typing import Any

import pandas as pd
import streamlit as st

from crm_core.filters import OpportunityFilter
from crm_core.models import OpportunityStage
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.services import opportunity_service
from crm_core.services.settings_service import Workspace
from ui import colors, words
from ui.data import load

COLUMN_WIDTH = 170
BLANK = "\u00a0"
CARDS = 10
"""Cards shown in a column; its head counts all of them."""


def board(stages: pd.DataFrame, where: OpportunityFilter, workspace: Workspace) -> None:
    """A column for each stage the filter asks for; `stages` is `pipeline.by_stage` over the same filter."""
    shown = stages[stages["stage"].isin(list(where.stages or OpportunityStage))]
    with st.grid(len(shown), min_column_width=COLUMN_WIDTH, wrap=False) as grid:
        for totals in shown.to_dict("records"):
            with grid.cell():
                column(totals, where, workspace)


def column(totals: dict[Hashable, Any], where: OpportunityFilter, workspace: Workspace) -> None:
    """One stage: its name, how many deals it holds and what they are worth, and the most valuable ones.

    `totals` is a row of `pipeline.by_stage`.
    """
    stage, deals, without_value = totals["stage"], totals["deals"], totals["without_value"]
    worth = words.total(totals["value"], workspace, deals=deals, without_value=without_value)
    st.badge(stage.label, color=colors.BADGES[stage])
    unknown = f"{words.number(without_value, workspace)} without a value" if without_value else BLANK
    st.markdown(
        f"**{words.literal(worth)}**  \n:gray[{words.deals(deals, workspace)}]  \n:small[:gray[{unknown}]]"
    )
    inside = where.model_copy(update={"stages": frozenset({stage})})
    for row in load(opportunity_service.get_rows, inside, limit=CARDS) if deals else ():
        card(row, workspace)
    if deals > CARDS:
        st.caption(f"and {words.deals(deals - CARDS, workspace, 'more')}")


def card(row: OpportunityResponse, workspace: Workspace) -> None:
    """One deal: name, company, value, and when it was closed or is expected to."""
    on = row.actual_close_date or row.expected_close_date
    value = "no value" if row.expected_value is None else words.money(row.expected_value, workspace)
    close = "no date" if on is None else words.day(on, workspace)
    lines = [f"**:small[{words.literal(row.name, limit=80)}]**"]
    if row.company_name:
        lines.append(f":small[:gray[{words.literal(row.company_name, limit=60)}]]")
    lines.append(f":small[{words.literal(value)} · {words.literal(close)}]")
    with st.container(border=True):
        st.markdown("  \n".join(lines))
