"""Leads: everybody who showed interest, filtered and sorted, a page at a time."""

import streamlit as st

from crm_core.filters import EVERY_LEAD
from crm_core.services.lead_service import count_leads, get_rows
from crm_core.sorting import LeadSort
from ui import empty, lead_bulk, lead_dialog, lead_filters, lead_list
from ui.data import load
from ui.lead_list import LEADS
from ui.listing import arrangement, export, paging, views
from ui.listing.filter_bar import FilterBar

with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Leads", width="stretch")
    lead_dialog.new_button()

if not load(count_leads, EVERY_LEAD):
    empty.no_leads()
    st.stop()

bar = FilterBar("leads")
views.begin(bar)
shown = arrangement.columns(bar.prefix, LEADS)

with st.container(horizontal=True, vertical_alignment="bottom"):
    where = lead_filters.show(bar)
    sort = bar.sort(LeadSort, LeadSort.CREATED_DESCENDING)
    views.menu(bar, shown)
    arrangement.button(bar.prefix, LEADS, shown)
    export.button("leads", where, sort)
bar.show_chips()

total = load(count_leads, where)
with st.container(horizontal=True, vertical_alignment="center"):
    lead_list.show_count(total)
    is_editing = st.toggle("Edit in the table", key="leads_editing")
if not total:
    empty.nothing_matches(bar, "lead")
    st.stop()

place = st.container()
offset = paging.below(bar.prefix, total, (where, sort), noun="lead")
with place:
    rows = load(get_rows, where, sort=sort, limit=paging.ROWS, offset=offset)
    selected = LEADS.show(
        bar,
        rows,
        shown,
        sort,
        editors=lead_list.editors() if is_editing else None,
        on_edit=lead_list.save if is_editing else None,
        selectable=True,
    )
    lead_bulk.show(bar.prefix, selected, {row.id: row.version for row in rows}, where, total)
