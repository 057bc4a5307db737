"""The drawer of one record, at the right of any screen: which one is in the address, as `?opportunity=12`.

Each kind registers what it shows; `show` draws the one that the address names.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.errors import CrmError
from crm_core.schemas.fields import LARGEST_ID, Schema
from ui import messages, words
from ui.data import attempt, look_again, refused, undo
from ui.drawer import form, keys
from ui.drawer.form import Draft

NEW = "new"
WIDTH = 560

KINDS = ("opportunity", "lead", "company", "contact")

SAVE = "drawer_save"

NOTHING: Mapping[str, Any] = {}


class Told(Protocol):
    """A record as it is."""

    version: int

    def model_dump(self) -> dict[str, Any]: ...


DONE = "done in a drawer"

CHANGED = "a drawer changed something"

WANTED = "drawer wanted"
"""The kind and id of what a callback opened, None where it closed; until the screen is drawn."""


def open_(kind: str, record_id: int | str) -> None:
    """Show this record, or with `NEW` a form for one that is yet to be; for a callback."""
    form.keep_all()
    _point_to((kind, str(record_id)))


def open_new(kind: str, draft: str, suggested: Mapping[str, Any] = NOTHING) -> None:
    """Show the form of a new record, which begins with what is suggested; for a callback.

    `draft` is the key of its form; what was typed there before is there again.
    """
    form.suggest(draft, suggested)
    open_(kind, NEW)


def go(kind: str, record_id: int | str) -> None:
    """Show another record instead of this one; for a callback within a drawer."""
    open_(kind, record_id)
    saved()


def is_open() -> bool:
    """Whether the address asks for any."""
    return any(kind in st.query_params for kind in KINDS)


def close() -> None:
    """Show none; for a callback. What was typed and not saved is there again when it is opened again."""
    form.keep_all()
    _point_to(None)


def show(drawers: Mapping[str, Callable[[int | None], None]]) -> None:
    """The drawer that the address asks for: each kind's function gets a record's id, None for a new one."""
    st.session_state.pop(CHANGED, None)  # the whole screen is being drawn now
    if WANTED in st.session_state:
        _point_to(st.session_state[WANTED])
        del st.session_state[WANTED]
    for kind, draw in drawers.items():
        told = st.query_params.get(kind)
        if told is None:
            continue
        if told == NEW:
            draw(None)
        elif told.isascii() and told.isdecimal() and len(told) <= 10 and 0 < int(told) <= LARGEST_ID:
            draw(int(told))
        else:
            st.query_params.pop(kind, None)
            continue
        return


def _point_to(wanted: tuple[str, str] | None) -> None:
    """Let the address name this drawer, or none.

    A run that this one replaces may yet put back the address that it began with, so it is said again when
    the screen is drawn.
    """
    st.session_state[WANTED] = wanted
    for kind in KINDS:
        if wanted is None or kind != wanted[0]:
            st.query_params.pop(kind, None)
    if wanted is not None and st.query_params.get(wanted[0]) != wanted[1]:
        st.query_params[wanted[0]] = wanted[1]


def saved() -> None:
    """Something was changed in the drawer, so the screen behind it is drawn anew as well."""
    st.session_state[CHANGED] = True


def draw_screen_anew() -> None:
    """Begin a drawer with this: what happened in its last run shows behind it too."""
    look_again()
    if st.session_state.pop(CHANGED, False):
        st.rerun()


def begin() -> None:
    """`draw_screen_anew` for the drawer of a record, in which something may just have been done."""
    draw_screen_anew()
    messages.show_inside(_taken_back)


def _taken_back(transaction_id: int) -> None:
    undo(transaction_id)
    saved()


def save(
    draft: Draft,
    schema: type[Schema],
    change: Callable[[Session, Any, int], object],
    done: str,
    *,
    told: Callable[[Session], Told],
    version: int | None = None,
) -> None:
    """Save what was typed, or keep it with what is wrong beside it; for a callback.

    `change` gets the session, the changes as the schema has them, and the version they are based on. That is
    what `told` says there is now, unless somebody else has changed the same fields meanwhile.
    """
    changes = draft.checked(schema)
    if changes is None:
        messages.not_saved(draft.key, draft.sentence)
    if changes is None or not draft.touched:
        return

    def action(session: Session) -> None:
        now = told(session)
        is_overtaken = form.is_overtaken(draft, now.model_dump(), now.version)
        change(session, changes, version or (draft.version if is_overtaken else now.version))

    _conclude(draft, attempt(action, done=done))


def create(
    draft: Draft, schema: type[Schema], add: Callable[[Session, Any], Any], kind: str, done: str
) -> None:
    """Create what was typed, once however often it is sent, and show it; for a callback."""
    request_id, record_id = st.session_state.get("created", (None, 0))
    if request_id == draft.request_id:
        open_(kind, record_id)  # a second click, which may have cut short what the first one has begun
        return
    draft_fields = draft.checked(schema, request_id=draft.request_id)
    if draft_fields is None:
        messages.not_saved(draft.key, draft.sentence)
        return
    created: list[int] = []
    refusal = attempt(lambda session: created.append(add(session, draft_fields).id), done=done)
    _conclude(draft, refusal)
    if refusal is None:
        st.session_state["created"] = (draft.request_id, created[0])
        open_(kind, created[0])


def act(action: Callable[[Session], object], done: str, *, once: Hashable) -> bool:
    """Do something with the record at once, to be taken back by a button; a toast says if it is refused.

    What is the same `once` again is a second click, and nothing happens.
    """
    if st.session_state.get(DONE) == once:
        return False
    refusal = attempt(action, done=done, undoable=True)
    if refusal is not None:
        messages.refused(refusal)
    else:
        st.session_state[DONE] = once
    saved()
    return refusal is None


def buttons(draft: Draft, on_save: Callable[[], None], label: str) -> None:
    """Save and Discard, as far as there is anything to save or to throw away."""
    messages.beside(draft.key)
    if draft.refusal:
        st.error(words.literal(draft.refusal, limit=1000), icon=":material/block:")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(label, key=SAVE, type="primary", on_click=on_save, shortcut="Ctrl+Enter")
        if draft.touched:
            st.button("Discard changes", key="drawer_discard", on_click=form.forget, args=(draft.key,))
            st.caption("Not saved yet")
    keys.save_with_enter(SAVE)


def conflict(
    draft: Draft,
    now: Mapping[str, Any],
    version: int,
    say: Callable[[str, Any], str],
    on_save: Callable[[int], None],
) -> None:
    """Somebody saved other values meanwhile: both side by side, and what to do.

    `now` and `version` are the record as it is; `say` writes a field's value for people.
    """
    mine = draft.changes()
    st.warning(
        words.literal(
            draft.refusal or "Somebody changed this meanwhile. Yours is not saved yet.", limit=1000
        ),
        icon=":material/difference:",
    )
    st.table(
        [
            {
                "Field": draft.labels[name],
                "Yours": words.literal(say(name, mine.get(name, draft.base.get(name))), limit=1000),
                "Saved meanwhile": words.literal(say(name, now.get(name)), limit=1000),
            }
            for name in draft.labels
            if name in mine or now.get(name) != draft.base.get(name)
        ],
        hide_index=True,
    )
    with st.container(horizontal=True):
        st.button("Save mine", key="conflict_mine", type="primary", on_click=on_save, args=(version,))
        st.button("Keep theirs", key="conflict_theirs", on_click=form.forget, args=(draft.key,))


def gone(refusal: CrmError) -> None:
    """What a drawer says whose record is not to be found."""
    refused(refusal)
    if st.button("Close", on_click=close):
        st.rerun()


def asks_first(
    label: str, question: str, on_confirm: Callable[[], None], *, key: str, icon: str, confirm: str
) -> None:
    """A button that asks before it does something; the key is the record's own."""
    with st.popover(label, icon=icon, key=key):
        st.markdown(question)
        st.button(confirm, key=f"confirm {label}", type="primary", on_click=on_confirm)


def _conclude(draft: Draft, refusal: CrmError | None) -> None:
    if refusal is not None:
        draft.refusal = str(refusal)
        messages.not_saved(draft.key, draft.refusal)
        return
    form.forget(draft.key)
    saved()
