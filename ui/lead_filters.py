"""The filters of leads, for every screen that shows some."""

import streamlit as st

from crm_core.filters import LeadFilter
from crm_core.models import LeadStatus
from crm_core.services import lead_service
from ui.data import load
from ui.listing.filter_bar import FilterBar

MINE = "mine"
ONLY = {MINE: "Mine"}


def show(bar: FilterBar) -> LeadFilter:
    """The fields in a row, the rarer ones behind a button; returns which leads they mean."""
    text = bar.search("Name, e-mail or phone")
    statuses = bar.several("status", "Status", {status: status.label for status in LeadStatus}, "Any status")
    owner_place = st.container(width="content")
    with st.popover("More filters", icon=":material/tune:", key=f"{bar.prefix} more filters"):
        only = bar.flags("only", "Only", ONLY)
        sources = bar.words("source", "Source", load(lead_service.get_sources), "Every source")
        created_from, created_to = bar.days("created", "Created")
    with owner_place:
        owners = bar.owners(or_mine=MINE in only)
    return bar.understood(
        LeadFilter(
            text=text,
            statuses=statuses,
            owners=owners,
            sources=sources,
            created_from=created_from,
            created_to=created_to,
        )
    )
