"""What became of a record, newest first: what was changed, from what, to what, by whom and when."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import streamlit as st

from crm_core.models import Source
from crm_core.services.settings_service import Workspace
from crm_core.timeline import FieldChange, HistoryEntry, RecordEntry
from ui import words
from ui.data import load, workspace

FROM_WHERE = {Source.UI: "", Source.API: " · API", Source.IMPORT: " · import", Source.SYSTEM: " · system"}

PERCENT = {"probability"}

LEFT_OUT = {"closed_at"}
"""The closing day says more: it is what somebody entered."""


ENTRIES = 50
"""Changes that are shown at first, and that each click shows more of."""

ABOUT = {"company": "company", "contact": "contact", "opportunity": "deal", "lead": "from the lead"}
"""What is said before the name of a record that another one's timeline tells of."""


def show_whole(kind: str, record_id: int, get_page: Callable[..., list[RecordEntry]]) -> None:
    """What became of a record and of others that belong to it, and more of it on request.

    `get_page` gets the session, the record's id, `limit` and `offset`.
    """
    slot = f"{kind} {record_id} timeline"
    shown: int = st.session_state.get(slot, ENTRIES)
    found: list[RecordEntry] = []
    for offset in range(0, shown, ENTRIES):
        found += load(get_page, record_id, limit=ENTRIES, offset=offset)
    is_own = [(each.kind, each.record_id) == (kind, record_id) for each in found]
    about = [
        "" if own else f"{ABOUT[each.kind]} “{each.name}”" for each, own in zip(found, is_own, strict=True)
    ]
    show([each.entry for each in found], workspace(), about=about)
    if len(found) == shown:
        st.button("Show older", on_click=st.session_state.update, args=({slot: shown + ENTRIES},))


def show(entries: Sequence[HistoryEntry], space: Workspace, *, about: Sequence[str] = ()) -> None:
    """Each change with its day; `about` names the record of each that is about another one."""
    if not entries:
        st.caption("Nothing was changed yet.")
    for position, entry in enumerate(entries):
        who = words.literal(entry.actor_name or "The system", limit=60)
        when = words.literal(words.day(entry.on, space) if entry.on else words.moment(entry.at, space))
        whose = f" · {words.literal(about[position], limit=60)}" if about and about[position] else ""
        head = f"**{who}** :gray[· {when}{FROM_WHERE[entry.source]}{whose}]"
        note = [words.literal(entry.note, limit=300)] if entry.note else []
        st.markdown("  \n".join([head, *note, *_lines(entry, space)]))


def say(value: Any, space: Workspace, *, name: str = "") -> str:
    """A value of any field, as people write it."""
    if value in (None, "", ()):
        return words.NONE
    if isinstance(value, tuple):
        return words.one_line(", ".join(value), limit=120)
    if isinstance(value, Enum):
        return str(getattr(value, "label", value.value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return words.money(value, space)
    if isinstance(value, datetime):
        return words.moment(value, space)
    if isinstance(value, date):
        return words.day(value, space)
    if name in PERCENT:
        return words.share(value / 100, space)
    return words.one_line(str(value), limit=120)


def _lines(entry: HistoryEntry, space: Workspace) -> list[str]:
    return [_line(change, space) for change in entry.changes if change.field not in LEFT_OUT]


def _line(change: FieldChange, space: Workspace) -> str:
    if change.field == "deleted_at":
        return "deleted" if change.after else "restored"
    label = change.label.capitalize()
    after = words.literal(change.after_name or say(change.after, space, name=change.field), limit=120)
    if change.before in (None, ()):
        return f"{label}: {after}"
    before = words.literal(change.before_name or say(change.before, space, name=change.field), limit=120)
    return f"{label}: {before} :material/arrow_forward: {after}"
