"""Pipeline: the open deals as cards in columns, to be dragged where they belong."""

import streamlit as st

from crm_core.analytics.board import CardOrder, GroupBy
from ui import close_dialog, opportunity_dialog, opportunity_filters, pipeline_board
from ui.listing import arrangement
from ui.listing.filter_bar import FilterBar

with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Pipeline", width="stretch")
    opportunity_dialog.new_button()

bar = FilterBar("board")
parts = arrangement.arranged("cards", pipeline_board.PARTS, pipeline_board.PARTS_AT_FIRST)

with st.container(horizontal=True, vertical_alignment="bottom"):
    where = opportunity_filters.show(bar)
    group_by = bar.one("group", "Group by", {each: each.label for each in GroupBy}, GroupBy.STAGE)
    order = bar.one("order", "Cards", {each: each.label for each in CardOrder}, CardOrder.URGENCY)
    arrangement.arrange_button("Card", "cards", pipeline_board.PARTS, parts)
bar.show_chips()

pipeline_board.draw(bar, where, group_by, order, parts)
close_dialog.show()
