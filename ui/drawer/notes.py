"""The notes on a record, and a field to write another."""

from uuid import uuid4

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.schemas.note import NoteCreate, NoteResponse
from crm_core.services import note_service
from ui import drawer, messages, words
from ui.data import attempt, load, workspace
from ui.drawer import keys

ADD = "add_note"


def show(kind: str, record_id: int) -> None:
    """Newest first, with those from others that belong to it. What was begun outlives a closed drawer."""
    subject = {f"{kind}_id": record_id}
    slot = f"note {kind} {record_id}"
    request_id: str = st.session_state.setdefault(slot, uuid4().hex)
    key = f"{slot} {request_id}"
    st.text_area("New note", key=key, max_chars=100_000, persist_state="session", height=96)

    def add() -> None:
        text = st.session_state.get(key) or ""
        if not text.strip() or st.session_state.get(slot) != request_id:
            return

        def write(session: Session) -> None:
            note_service.add_note(session, NoteCreate(text=text, request_id=request_id, **subject))

        refusal = attempt(write, done="Note added.")
        if refusal is not None:
            messages.refused(refusal)
        else:
            st.session_state.pop(slot, None)
            st.session_state.pop(key, None)
        drawer.saved()

    st.button("Add note", key=ADD, on_click=add, help="Ctrl + Enter")
    keys.save_with_enter(ADD)
    space = workspace()
    for note in load(note_service.get_notes, **subject):
        with st.container(border=True, gap="xxsmall"):
            who = words.literal(note.author_name or "The system", limit=60)
            when = words.literal(words.moment(note.created_at, space))
            st.markdown(f"**{who}** :gray[· {when}{_from(note, kind, record_id)}]")
            st.text(words.lines(note.text))


def _from(note: NoteResponse, kind: str, record_id: int) -> str:
    """Where a note comes from that is on another record: on a lead, or on what was merged."""
    if getattr(note, f"{kind}_id") == record_id:
        return ""
    noun = "the lead " if note.lead_id is not None else ""
    return f" · from {noun}“{words.literal(note.record_name, limit=60)}”"
