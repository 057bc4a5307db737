"""Changing many leads at once: those that were selected, or all that match; all of them, or none."""

import streamlit as st

from crm_core.errors import CrmError
from crm_core.filters import LeadFilter
from crm_core.models import LeadStatus
from crm_core.schemas.conversion import How
from crm_core.schemas.lead import LeadUpdate
from crm_core.services import lead_service, opportunity_service
from ui import words
from ui.data import load, workspace
from ui.lead_list import FREE_STATUSES
from ui.listing import bulk
from ui.listing.bulk import Chosen, Kind

KIND = Kind(
    "lead",
    lead_service.find_lead_ids,
    lead_service.assign_leads,
    lead_service.delete_leads,
    "They leave every list and figure; deals that they became stay. It can be undone.",
)


def show(key: str, selected: list[int], versions: dict[int, int], where: LeadFilter, total: int) -> None:
    """What can be done with the selected leads; `versions` are those that are on screen."""
    bulk.bar(KIND, key, selected, versions, where, total, (bulk.assign, _set_status, _convert, bulk.delete))


def _set_status(chosen: Chosen) -> None:
    key = f"{chosen.key} set status"

    def set_() -> None:
        status = LeadStatus(st.session_state[f"{key} to"])
        chosen.change(
            f"{chosen.told}: {status.label.lower()}.",
            lambda session, ids, versions: lead_service.update_leads(
                session, ids, LeadUpdate(status=status), expected_versions=versions
            ),
        )

    with st.popover("Set status", icon=":material/flag:", key=key):
        st.radio("To", FREE_STATUSES, format_func=lambda each: each.label, key=f"{key} to")
        st.button(f"Set for {chosen.told}", key=f"{key} confirm", type="primary", on_click=set_)


def _convert(chosen: Chosen) -> None:
    """Makes a deal of each; what it would make of the selected ones is shown first."""
    opened = st.popover(
        "Convert", icon=":material/handshake:", key=f"{chosen.key} convert", on_change="rerun"
    )
    with opened:
        if not opened.open:
            return
        st.markdown(
            "Each becomes a deal with its company and its contact. Only qualified leads can be converted."
        )
        if chosen.ids is not None:
            _summary(chosen.ids)
        st.button(
            f"Convert {chosen.told}",
            type="primary",
            on_click=lambda: chosen.change(
                f"{chosen.told} converted.",
                lambda session, ids, versions: opportunity_service.convert_leads(
                    session, ids, expected_versions=versions
                ),
            ),
        )


def _summary(ids: list[int]) -> None:
    """How many companies and contacts are new and how many are known, and which leads can't be converted."""
    plans, refusals = [], []
    for lead_id in ids:
        try:
            plans.append(load(opportunity_service.preview_conversion, lead_id))
        except CrmError as refusal:
            refusals.append(str(refusal))
    space = workspace()
    for noun in ("company", "contact"):
        found = [getattr(plan, noun).how for plan in plans]
        new = words.counted_as(found.count(How.CREATED), space, f"new {noun}")
        st.markdown(f"* {new}, {words.number(found.count(How.MATCHED), space)} known already")
    for sentence in dict.fromkeys(refusals):
        st.error(words.literal(sentence, limit=300), icon=":material/block:")
