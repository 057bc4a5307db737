"""One figure in a card: how much, how it changed and went, and a link to exactly the deals it counts."""

import streamlit as st

from crm_core.analytics.dashboard import Overview, Tile
from crm_core.analytics.metrics import MetricName
from crm_core.reporting import tiles
from crm_core.services.settings_service import Workspace
from ui import opportunity_filters, words


def show(tile: Tile, board: Overview, space: Workspace) -> None:
    """The card, with its trend and the link to its deals."""
    said = tiles.told(tile, space)
    is_thin = tile.rate is not None and tile.rate.n and tile.rate.is_thin
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.metric(
            said.label,
            f":gray[{said.value}]" if is_thin else said.value,
            None if said.change is None else said.change.replace("$", "\\$"),
            delta_color="inverse" if tile.name in tiles.LESS_IS_BETTER else "normal",
            help=said.meaning,
            chart_data=[float(value) for _, value in tile.trend if value is not None] or None,
            chart_type="area",
        )
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            if tile.deals:
                opportunity_filters.link(tile.where, said.deals, icon=":material/table_rows:")
            else:
                st.caption(said.deals, width="content")
            if said.notes:
                st.caption(said.notes, width="content")
        if tile.name is MetricName.WON and board.aim:
            st.caption(words.literal(tiles.target(board, space)))
