"""The filters of contacts."""

import streamlit as st

from crm_core.filters import ContactFilter
from ui.listing.filter_bar import FilterBar


def show(bar: FilterBar) -> ContactFilter:
    """The fields in a row, the company behind a button; returns which contacts they mean."""
    text = bar.search("Name, e-mail or phone")
    owners = bar.owners()
    with st.popover("Company", icon=":material/domain:", key=f"{bar.prefix} company"):
        companies = bar.companies()
    return bar.understood(ContactFilter(text=text, owners=owners, companies=companies))
