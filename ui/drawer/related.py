"""What belongs to a record, in its drawer: each record a click away."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from crm_core.filters import OpportunityFilter
from crm_core.services import opportunity_service
from ui import colors, drawer, words
from ui.data import load, workspace

SHOWN = 10

ICONS = {"company": ":material/domain:", "contact": ":material/person:"}


def link(kind: str, record_id: int, name: str | None, *, more: str | None = None) -> None:
    """Opens a company or a contact; `more` says something about it."""
    about = f" :gray[· {words.literal(more, limit=60)}]" if more else ""
    st.button(
        words.literal(name, limit=80) + about,
        key=f"related {kind} {record_id}",
        icon=ICONS[kind],
        type="tertiary",
        on_click=drawer.go,
        args=(kind, record_id),
    )


def new_button(label: str, kind: str, draft: str, values: Mapping[str, Any]) -> None:
    """Opens the form of something new that begins with these values; `draft` is the key of its form."""

    def open_() -> None:
        drawer.open_new(kind, draft, values)
        drawer.saved()

    st.button(label, key=f"related new {kind}", icon=":material/add:", on_click=open_)


def deals(where: OpportunityFilter, total: int) -> None:
    """The most valuable of the deals, each to be opened; of `total` in all."""
    space = workspace()
    for row in load(opportunity_service.get_rows, where, limit=SHOWN) if total else ():
        known = row.expected_value is not None
        worth = words.literal(words.money(row.expected_value, space)) if known else "no value"
        badge = f":{colors.BADGES[row.stage]}-badge[{row.stage.label}]"
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.button(
                words.literal(row.name, limit=80),
                key=f"related deal {row.id}",
                type="tertiary",
                on_click=drawer.go,
                args=("opportunity", row.id),
            )
            st.markdown(f":small[{worth}] {badge}", width="content")
    if total > SHOWN:
        st.caption(f"and {words.deals(total - SHOWN, space, 'more')}")
