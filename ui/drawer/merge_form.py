"""Making one record of two, in the drawer of either: which other, what would become of it, and doing it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.errors import CrmError
from crm_core.services.merging import MergePreview
from ui import drawer, words
from ui.data import attempt, load, refused, workspace
from ui.drawer import choices, form

NOUNS = {"contacts": "contact", "opportunities": "deal", "notes": "note"}
"""What the tables of a preview hold."""

OFFERED = 50
WIDTH = 440
DONE = "merged"


class Mergeable(Protocol):
    """A record as it is, that can be made one with another."""

    id: int
    name: str
    version: int


R = TypeVar("R", bound=Mergeable)


@dataclass(frozen=True)
class Merging(Generic[R]):
    """How two records of one kind are made one.

    `labels` are the fields that people fill; `find` gives the records that a text occurs in, `describe` what
    tells two of the same name apart; `merge` gets the session, the id of the record that stays, the other's,
    and the versions of both.
    """

    kind: str
    labels: Mapping[str, str]
    find: Callable[[str], list[R]]
    describe: Callable[[R], str | None]
    told: Callable[[Session, int], R]
    preview: Callable[[Session, int, int], MergePreview]
    merge: Callable[[Session, int, int, int, int], object]

    def button(self, record: R) -> None:
        """Opens the search for the other record, and with one chosen, what would happen."""
        key = f"merge {self.kind} {record.id} {record.version}"
        with st.popover("Merge", icon=":material/merge:", key=key), st.container(width=WIDTH):
            st.markdown(f"The same {self.kind} twice? Merge the two into one.")
            other_id = self._other(record)
            if other_id is None:
                return
            try:
                other = load(self.told, other_id)
            except CrmError as refusal:
                refused(refusal)
                return
            self._confirm(record, *self._direction(record, other))

    def _other(self, record: R) -> int | None:
        key = f"merge {self.kind} {record.id}"
        looked_for = st.text_input(
            f"Find the other {self.kind}",
            record.name.split()[0][:200],
            key=f"{key} search",
            live=True,
            max_chars=200,
            icon=":material/search:",
        )
        found = [row for row in self.find(words.one_line(looked_for or "")) if row.id != record.id]
        if not found:
            st.caption(f"No other {self.kind} found. Try another word.")
            return None
        told = {row.id: self._told_apart(row) for row in found}
        chosen: int | None = st.selectbox(
            f"The other {self.kind}",
            list(told),
            index=None,
            format_func=lambda each: told.get(each, str(each)),
            placeholder=f"Choose among {len(told)}",
            filter_mode="contains",
            key=f"{key} other",
        )
        return chosen

    def _told_apart(self, row: R) -> str:
        parts = (words.one_line(row.name, limit=60), words.one_line(self.describe(row) or "", limit=60))
        return " · ".join([*filter(None, parts), f"#{row.id}"])

    def _direction(self, record: R, other: R) -> tuple[R, R]:
        """Which of them stays, and which goes into it."""
        both = {record.id: record, other.id: other}
        kept_id = st.radio(
            "Which one stays?",
            list(both),
            format_func=lambda each: (
                words.literal(self._told_apart(both[each]), limit=140)
                + (" (this one)" if each == record.id else "")
            ),
            key=f"merge {self.kind} {record.id} with {other.id} stays",
        )
        return (record, other) if kept_id == record.id else (other, record)

    def _confirm(self, record: R, kept: R, merged: R) -> None:
        key = f"merge {self.kind} {merged.id} into {kept.id}"
        try:
            preview = load(self.preview, kept.id, merged.id)
        except CrmError as refusal:
            refused(refusal)
            return
        self._tell(preview, kept, merged)
        if refusal_told := st.session_state.get(f"{key} refusal"):
            st.error(words.literal(refusal_told, limit=1000), icon=":material/block:")
        st.button(
            f"Merge into “{words.literal(kept.name, limit=40)}”",
            key=key,
            type="primary",
            on_click=self._do,
            args=(record, kept, merged, f"{key} refusal"),
        )

    def _tell(self, preview: MergePreview, kept: R, merged: R) -> None:
        """What moves, what is filled in or added, what is given up, and what becomes of the two."""
        space = workspace()
        stays, goes = (words.literal(each.name, limit=60) for each in (kept, merged))
        moving = [
            words.counted_as(count, space, NOUNS[table]) for table, count in preview.moves.items() if count
        ]
        what = f"{_listed(moving)}, including any deleted ones" if moving else "nothing"
        lines = [f"**Moves**: {what}."]
        for heading, fields in (
            ("Filled in", preview.fills),
            ("Added", preview.adds),
            ("Given up", preview.losses),
        ):
            if fields:
                lines.append(f"**{heading}**: {self._said(fields)}")
        st.markdown("  \n".join(lines))
        st.caption(f"“{goes}” leaves every list, and “{stays}” stays. You can undo this right afterwards.")

    def _said(self, fields: Mapping[str, Any]) -> str:
        """The fields by their labels, each with its value."""
        return " · ".join(
            f"{self.labels[name]}: {words.literal(choices.say(name, value), limit=120)}"
            for name, value in fields.items()
        )

    def _do(self, record: R, kept: R, merged: R, slot: str) -> None:
        this = (self.kind, kept.id, merged.id, merged.version)
        if st.session_state.get(DONE) == this:
            return  # a second click
        stays, goes = (words.literal(each.name, limit=60) for each in (kept, merged))
        refusal = attempt(
            lambda session: self.merge(session, kept.id, merged.id, kept.version, merged.version),
            done=f"“{goes}” is merged into “{stays}”.",
            undoable=True,
        )
        st.session_state[slot] = None if refusal is None else str(refusal)
        drawer.saved()
        if refusal is None:
            st.session_state[DONE] = this
            form.forget(f"{self.kind} {merged.id}")
            if kept.id != record.id:
                drawer.open_(self.kind, kept.id)


def say_merged(kind: str) -> None:
    """Say in a record's drawer that the address asks for one that was merged into it."""
    st.caption(f"The {kind} behind this link was merged into this one.")


def _listed(parts: list[str]) -> str:
    """“3 contacts, 2 deals and 1 note”."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
