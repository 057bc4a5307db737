"""Contacts: every contact, filtered and sorted, a page at a time."""

import streamlit as st

from crm_core.services.contact_service import count_contacts, get_rows
from crm_core.sorting import ContactSort
from ui import contact_dialog, contact_filters, empty, words
from ui.contact_list import CONTACTS
from ui.data import load, workspace
from ui.listing import arrangement, export, paging, views
from ui.listing.filter_bar import FilterBar

with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Contacts", width="stretch")
    contact_dialog.new_button()

if not load(count_contacts):
    empty.no_contacts()
    st.stop()

bar = FilterBar("contacts")
views.begin(bar)
shown = arrangement.columns(bar.prefix, CONTACTS)

with st.container(horizontal=True, vertical_alignment="bottom"):
    where = contact_filters.show(bar)
    sort = bar.sort(ContactSort, ContactSort.NAME)
    views.menu(bar, shown)
    arrangement.button(bar.prefix, CONTACTS, shown)
    export.button("contacts", where, sort)
bar.show_chips()

total = load(count_contacts, where)
st.markdown(f"**{words.counted_as(total, workspace(), 'contact')}**")
if not total:
    empty.nothing_matches(bar, "contact")
    st.stop()

place = st.container()
offset = paging.below(bar.prefix, total, (where, sort), noun="contact")
with place:
    rows = load(get_rows, where, sort=sort, limit=paging.ROWS, offset=offset)
    CONTACTS.show(bar, rows, shown, sort)
