"""Companies: every company, filtered and sorted, a page at a time."""

import streamlit as st

from crm_core.services.company_service import count_companies, get_rows
from crm_core.sorting import CompanySort
from ui import company_dialog, company_filters, empty, words
from ui.company_list import COMPANIES
from ui.data import load, workspace
from ui.listing import arrangement, export, paging, views
from ui.listing.filter_bar import FilterBar

with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Companies", width="stretch")
    company_dialog.new_button()

if not load(count_companies):
    empty.no_companies()
    st.stop()

bar = FilterBar("companies")
views.begin(bar)
shown = arrangement.columns(bar.prefix, COMPANIES)

with st.container(horizontal=True, vertical_alignment="bottom"):
    where = company_filters.show(bar)
    sort = bar.sort(CompanySort, CompanySort.NAME)
    views.menu(bar, shown)
    arrangement.button(bar.prefix, COMPANIES, shown)
    export.button("companies", where, sort)
bar.show_chips()

total = load(count_companies, where)
st.markdown(f"**{words.counted_as(total, workspace(), 'company')}**")
if not total:
    empty.nothing_matches(bar, "company")
    st.stop()

place = st.container()
offset = paging.below(bar.prefix, total, (where, sort), noun="company")
with place:
    rows = load(get_rows, where, sort=sort, limit=paging.ROWS, offset=offset)
    COMPANIES.show(bar, rows, shown, sort)
