"""Which columns a list shows, and in which order: arranged by dragging, remembered for each user."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit_sortables import sort_items

from crm_core.services import preference_service
from ui.data import load, saving
from ui.listing.lister import Lister

SHOWN, HIDDEN = "Shown, in this order", "Not shown"


def columns(screen: str, lister: Lister[Any, Any]) -> list[str]:
    """The ids of a list's columns to show."""
    return arranged(screen, lister.columns, lister.shown_at_first)


def arranged(screen: str, known: Mapping[str, str], first: Sequence[str]) -> list[str]:
    """The ids to show: of an opened view, or as the user arranged them, or else as at first.

    The first of all always stays where it is.
    """
    kept = load(preference_service.find_preference, _name(screen)) or {}
    wanted = st.session_state.get(_name(screen)) or kept.get("columns", [])
    found = [name for name in wanted if name in known]
    always, *others = first
    return [always, *(name for name in found if name != always)] if found else [always, *others]


def show_for_now(screen: str, shown: Sequence[str] | None) -> None:
    """Show these columns until the user arranges them or leaves; nobody's arrangement changes."""
    st.session_state[_name(screen)] = list(shown) if shown else None


def button(screen: str, lister: Lister[Any, Any], shown: Sequence[str]) -> None:
    """Opens the arranging of a list's columns."""
    arrange_button("Columns", screen, lister.columns, shown)


def arrange_button(label: str, screen: str, known: Mapping[str, str], shown: Sequence[str]) -> None:
    """Opens the arranging of what the label says."""
    if st.button(label, key=f"{screen} columns button", icon=":material/view_column:"):
        st.dialog(label)(_arrange)(screen, known, shown)


def _arrange(screen: str, known: Mapping[str, str], shown: Sequence[str]) -> None:
    always, *movable = shown
    st.caption(f"Drag them where you want them. “{known[always]}” comes first. Nobody else's change.")
    arranged = sort_items(
        [
            {"header": SHOWN, "items": [known[name] for name in movable]},
            {"header": HIDDEN, "items": [label for name, label in known.items() if name not in shown]},
        ],
        multi_containers=True,
        key=f"{screen} arrangement {'-'.join(shown)}",
    )
    by_label = {label: name for name, label in known.items()}
    chosen = [always, *(by_label[label] for label in arranged[0]["items"])]
    with st.container(horizontal=True):
        if st.button("Save", type="primary", on_click=_keep, args=(screen, chosen)):
            st.rerun()
        if st.button("As at first", on_click=_keep, args=(screen, None)):
            st.rerun()


def _keep(screen: str, shown: Sequence[str] | None) -> None:
    show_for_now(screen, None)
    with saving("Arrangement saved.") as session:
        preference_service.set_preference(
            session, _name(screen), None if shown is None else {"columns": list(shown)}
        )


def _name(screen: str) -> str:
    return f"{screen} columns"
