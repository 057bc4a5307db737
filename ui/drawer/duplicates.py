"""Who a new lead may be already, shown while it is typed. It says so, and forbids nothing."""

import streamlit as st

from crm_core.services import lead_service
from crm_core.services.duplicates import Duplicate
from ui import drawer, words
from ui.data import load
from ui.drawer.form import Draft

ICONS = {"lead": ":material/person_add:", "contact": ":material/contacts:"}


def show(draft: Draft) -> None:
    """Those with the same e-mail, phone, or name and company as stand in the form; a click opens one.

    What was typed is there again when the form is opened the next time.
    """
    found = load(
        lead_service.find_duplicates,
        name=draft.typed("name") or "",
        email=draft.typed("email"),
        phone=draft.typed("phone"),
        company_name=draft.typed("company_name"),
    )
    if not found:
        return
    with st.container(border=True, gap="xsmall", key="duplicates"):
        st.markdown(":material/group: **You may know this person already:**")
        for duplicate in found:
            _link(duplicate)


def _link(duplicate: Duplicate) -> None:
    who = " · ".join(filter(None, (duplicate.name, duplicate.company_name)))
    st.button(
        f"{words.literal(who, limit=100)} :gray[{duplicate.kind} · {duplicate.rule.label}]",
        key=f"duplicate {duplicate.kind} {duplicate.id}",
        icon=ICONS[duplicate.kind],
        type="tertiary",
        on_click=drawer.go,
        args=(duplicate.kind, duplicate.id),
    )
