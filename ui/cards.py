"""The pipeline as columns of cards, one column a stage."""

from decimal import Decimal

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
CARDS = 10
"""Cards shown in a column; its head counts all of them."""


def board(stages: pd.DataFrame, where: OpportunityFilter, workspace: Workspace) -> None:
    """A column for each stage the filter asks for; `stages` is `pipeline.by_stage` over the same filter."""
    shown = stages[stages["stage"].isin(list(where.stages or OpportunityStage))]
    with st.grid(len(shown), min_column_width=COLUMN_WIDTH, wrap=False) as grid:
        for stage, deals, value in zip(shown["stage"], shown["deals"], shown["value"], strict=True):
            with grid.cell():
                column(stage, where, deals=deals, value=value, workspace=workspace)


def column(
    stage: OpportunityStage, where: OpportunityFilter, *, deals: int, value: Decimal, workspace: Workspace
) -> None:
    """One stage: its name, how many deals it holds and what they are worth, and the most valuable ones."""
    st.badge(stage.label, color=colors.BADGES[stage])  # type: ignore[arg-type]
    st.markdown(
        f"**{words.literal(words.money(value, workspace))}**  \n:gray[{words.deals(deals, workspace)}]"
    )
    inside = where.model_copy(update={"stages": frozenset({stage})})
    for row in load(opportunity_service.get_opportunities, inside, limit=CARDS) if deals else ():
        card(row, workspace)
    if deals > CARDS:
        st.caption(f"and {words.deals(deals - CARDS, workspace, 'more')}")


def card(row: OpportunityResponse, workspace: Workspace) -> None:
    """One deal: name, company, value, and when it is expected to close."""
    close = words.day(row.actual_close_date or row.expected_close_date, workspace)
    lines = (
        f"**{words.literal(row.name, limit=80)}**",
        f":small[{words.literal(row.company_name, limit=60)}]",
        f":small[{words.literal(words.money(row.expected_value, workspace))} · {words.literal(close)}]",
    )
    with st.container(border=True):
        st.markdown("  \n".join(lines))
