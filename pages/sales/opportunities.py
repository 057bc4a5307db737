"""Opportunities: every deal, filtered and sorted, a page at a time."""

import streamlit as st

from crm_core.analytics.pipeline import list_totals
from crm_core.filters import EVERYTHING
from crm_core.services.opportunity_service import count_opportunities, get_rows
from crm_core.sorting import OpportunitySort
from ui import empty, opportunity_dialog, opportunity_filters, opportunity_list
from ui.data import load
from ui.listing import arrangement, bulk, export, paging, views
from ui.listing.filter_bar import FilterBar
from ui.opportunity_list import OPPORTUNITIES

with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Opportunities", width="stretch")
    opportunity_dialog.new_button()

if not load(count_opportunities, EVERYTHING):
    empty.no_opportunities()
    st.stop()

bar = FilterBar("deals")
views.begin(bar)
shown = arrangement.columns(bar.prefix, OPPORTUNITIES)

with st.container(horizontal=True, vertical_alignment="bottom"):
    where = opportunity_filters.show(bar, past=True)
    sort = bar.sort(OpportunitySort, OpportunitySort.VALUE_DESCENDING)
    views.menu(bar, shown)
    arrangement.button(bar.prefix, OPPORTUNITIES, shown)
    export.button("opportunities", where, sort)
bar.show_chips()

totals = load(list_totals, where)
with st.container(horizontal=True, vertical_alignment="center"):
    opportunity_list.show_totals(totals)
    is_editing = where.as_of is None and st.toggle("Edit in the table", key="deals_editing")
if where.as_of is not None:
    opportunity_list.tell_past(where.as_of)
if not totals.deals:
    empty.nothing_matches(bar)
    st.stop()

place = st.container()
offset = paging.below(bar.prefix, totals.deals, (where, sort))
with place:
    rows = load(get_rows, where, sort=sort, limit=paging.ROWS, offset=offset)
    selected = OPPORTUNITIES.show(
        bar,
        rows,
        shown,
        sort,
        editors=opportunity_list.editors() if is_editing else None,
        on_edit=opportunity_list.save if is_editing else None,
        selectable=where.as_of is None,
        as_of=where.as_of,
    )
    if where.as_of is None:
        bulk.show(bar.prefix, selected, {row.id: row.version for row in rows}, where, totals.deals)
