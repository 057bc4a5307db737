"""Saved views of a list: filters, order and columns under a name, private or shared."""

from collections.abc import Sequence

import streamlit as st

from crm_core.schemas.saved_view import SavedViewCreate, SavedViewResponse, SavedViewUpdate, ViewDefinition
from crm_core.services import saved_view_service
from ui import messages, visit, words
from ui.data import attempt, load, saving
from ui.listing import arrangement
from ui.listing.filter_bar import FilterBar


def begin(bar: FilterBar) -> None:
    """Whoever comes to the list, with no filter in the address, begins with their default view, if any.

    Stands before the bar's fields are drawn, so that they begin with it.
    """
    is_filtered = bar.is_exact or any(name.startswith(f"{bar.prefix}_") for name in st.query_params)
    if is_filtered or visit.is_by_history() or not visit.has_just_come():
        return
    default = load(saved_view_service.find_default, bar.prefix)
    if default is not None:
        bar.begin_with(default.definition.query)
        arrangement.show_for_now(bar.prefix, default.definition.columns)


def menu(bar: FilterBar, shown: Sequence[str]) -> None:
    """Opens saved views, and saves what is on screen as another; `shown` are the columns."""
    with st.popover("Views", icon=":material/bookmark:", key=f"{bar.prefix} views"):
        views = load(saved_view_service.get_views, bar.prefix)
        for view in views:
            _entry(bar, view)
            if complaints := bar.complaints(view.definition.query):
                st.caption(words.literal(" · ".join(complaints), limit=200))
        if not views:
            st.caption("None yet. Set filters, an order and columns, then give them a name here.")
        _save(bar, shown)


def _entry(bar: FilterBar, view: SavedViewResponse) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.button(
            words.literal(view.name, limit=60),
            key=f"view {view.id}",
            icon=":material/share:" if view.is_shared else ":material/bookmark:",
            type="tertiary",
            on_click=_open,
            args=(bar, view),
        )
        if not view.is_own:
            st.caption(f"by {words.literal(view.owner_name, limit=30)}", width="content")
            return
        st.button(
            "Default" if view.is_default else "Make default",
            key=f"view {view.id} default",
            icon=":material/star:",
            type="tertiary",
            help="Open the list without it" if view.is_default else "Open the list with it, for you",
            on_click=_make_default,
            args=(view,),
        )
        st.button(
            "Delete",
            key=f"view {view.id} delete",
            icon=":material/delete:",
            type="tertiary",
            on_click=_delete,
            args=(view,),
        )


def _save(bar: FilterBar, shown: Sequence[str]) -> None:
    key = f"{bar.prefix} save view"

    def save() -> None:
        name = (st.session_state[f"{key} name"] or "").strip()
        definition = ViewDefinition(query=bar.query(), columns=list(shown))
        if st.session_state.get(f"{key} done") == (name, definition):
            return  # a second click
        refusal = attempt(
            lambda session: saved_view_service.create_view(
                session,
                SavedViewCreate(
                    screen=bar.prefix,
                    name=name,
                    definition=definition,
                    is_shared=st.session_state[f"{key} shared"],
                    is_default=st.session_state[f"{key} default"],
                ),
            ),
            done=f"View “{words.literal(name, limit=60)}” saved.",
        )
        st.session_state[f"{key} refusal"] = None if refusal is None else str(refusal)
        if refusal is not None:
            messages.not_saved(key, str(refusal))
        else:
            messages.settled(key)
            st.session_state[f"{key} done"] = (name, definition)

    messages.beside(key)
    with st.form(key, border=False):
        st.text_input("Save what is shown as", max_chars=100, required=True, key=f"{key} name")
        st.checkbox("Everybody can use it", key=f"{key} shared")
        st.checkbox("Open the list with it", key=f"{key} default")
        st.form_submit_button("Save view", on_click=save)
    if refusal := st.session_state.get(f"{key} refusal"):
        st.error(words.literal(refusal, limit=300))


def _open(bar: FilterBar, view: SavedViewResponse) -> None:
    bar.set(view.definition.query)
    arrangement.show_for_now(bar.prefix, view.definition.columns)


def _make_default(view: SavedViewResponse) -> None:
    name = words.literal(view.name, limit=60)
    opens = "no longer opens" if view.is_default else "opens"
    done = f"For you, the list {opens} with “{name}”."
    with saving(done) as session:
        saved_view_service.update_view(session, view.id, SavedViewUpdate(is_default=not view.is_default))


def _delete(view: SavedViewResponse) -> None:
    with saving(f"View “{words.literal(view.name, limit=60)}” deleted.") as session:
        saved_view_service.delete_view(session, view.id)
