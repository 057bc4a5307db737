"""Opportunities: every deal, filtered and sorted, a page at a time."""

from math import ceil

import streamlit as st

from crm_core.filters import EVERYTHING
from crm_core.services.opportunity_service import count_opportunities, get_rows
from ui import empty, filters, tables, words
from ui.data import load, workspace

PAGE_ROWS = 50

st.title("Opportunities")

if not load(count_opportunities, EVERYTHING):
    empty.no_opportunities()
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    where = filters.opportunities("deals")
    sort = filters.sort("sort")

total = load(count_opportunities, where)
if not total:
    empty.nothing_matches()
    st.stop()

space = workspace()
table, below = st.container(), st.container(horizontal=True, vertical_alignment="center")

with below:  # another list has another key, and so begins at its first page
    number = st.pagination(
        ceil(total / PAGE_ROWS), key=f"page {hash((where, sort))}"
    )  # another list, page one
    first = (number - 1) * PAGE_ROWS
    last = min(first + PAGE_ROWS, total)
    st.caption(f"{words.number(first + 1, space)}–{words.number(last, space)} of {words.deals(total, space)}")

with table:
    rows = load(get_rows, where, sort=sort, limit=PAGE_ROWS, offset=first)
    tables.opportunities(rows, space, sort=sort, sort_key="sort")
