"""Changing many at once, deals above all: those selected, or all that match; all of them, or none.

What was chosen is read when the button is pressed: an impatient click may still meet the button that an
earlier drawing has left, which knows of earlier choices.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.filters import OpportunityFilter, RecordFilter
from crm_core.models import OPEN_STAGES, OpportunityStage, Outcome
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import opportunity_service
from ui import close_dialog, messages, words
from ui.data import attempt, load, workspace
from ui.drawer import choices
from ui.listing import table


@dataclass(frozen=True)
class Kind:
    """What is changed: what it is called, and how the library finds, assigns and deletes many."""

    noun: str
    find_ids: Callable[[Session, Any], list[int]]
    assign: Callable[..., object]
    delete: Callable[..., object]
    gone: str


DEALS = Kind(
    "deal",
    opportunity_service.find_opportunity_ids,
    opportunity_service.assign_opportunities,
    opportunity_service.delete_opportunities,
    "They leave every list and figure, and it can be undone.",
)


@dataclass(frozen=True)
class Chosen:
    """The records that a button is about; without `ids` those that match `where` when it is pressed.

    `versions` are those that are on screen, `drawn` tells which selection it was.
    """

    kind: Kind
    key: str
    ids: list[int] | None
    versions: dict[int, int]
    where: RecordFilter[Any]
    count: int
    drawn: int

    @property
    def told(self) -> str:
        return words.counted_as(self.count, workspace(), self.kind.noun)

    def change(self, done: str, change: Callable[[Session, list[int], dict[int, int]], object]) -> None:
        """Do it to all of them in one transaction, which can be taken back."""
        if table.selections(self.key) != self.drawn:
            return  # a second click

        def action(session: Session) -> None:
            ids = self.kind.find_ids(session, self.where) if self.ids is None else self.ids
            change(session, ids, {key: self.versions[key] for key in ids if key in self.versions})

        refusal = attempt(action, done=done, undoable=True)
        if refusal is None:
            table.clear_selection(self.key)
        else:
            messages.refused(refusal)


def show(
    key: str, selected: list[int], versions: dict[int, int], where: OpportunityFilter, total: int
) -> None:
    """What can be done with the selected deals; `versions` are those that are on screen.

    With all that match chosen, the deals are those that match when it is done.
    """
    bar(DEALS, key, selected, versions, where, total, (assign, _move, _reschedule, _lose, delete))


def bar(
    kind: Kind,
    key: str,
    selected: list[int],
    versions: dict[int, int],
    where: RecordFilter[Any],
    total: int,
    actions: Sequence[Callable[[Chosen], None]],
) -> None:
    """The actions in a row, for the selected or for all that match; nothing while none is selected.

    They stand at the bottom of the window, in sight from every row, and move none of them.
    """
    if not selected:
        return
    space = workspace()
    with st.bottom, st.container(horizontal=True, vertical_alignment="center", key=f"{key}_bulk"):
        is_all = False
        if len(selected) < total:
            label = f"All {words.counted_as(total, space, kind.noun)} that match"
            is_all = st.checkbox(label, key=f"{key} all {hash(where)}")
        count = total if is_all else len(selected)
        st.markdown(f"**{words.counted_as(count, space, kind.noun)}**", width="content")
        ids = None if is_all else selected
        chosen = Chosen(kind, key, ids, versions, where, count, table.selections(key))
        for action in actions:
            action(chosen)


def assign(chosen: Chosen) -> None:
    """Gives them to one owner, or to nobody."""
    key = f"{chosen.key} assign"
    with st.popover("Assign", icon=":material/person:", key=key):
        names = words.told_apart(choices.owners())
        st.selectbox(
            "To",
            list(names),
            index=None,
            format_func=lambda each: names.get(each, str(each)),
            placeholder="Nobody",
            key=f"{key} to",
        )

        def give() -> None:
            owner_id = st.session_state[f"{key} to"]
            name = words.literal(names.get(owner_id), limit=60) if owner_id else "nobody"
            chosen.change(
                f"{chosen.told} assigned to {name}.",
                lambda session, ids, versions: chosen.kind.assign(
                    session, ids, owner_id=owner_id, expected_versions=versions
                ),
            )

        st.button(f"Assign {chosen.told}", key=f"{key} confirm", type="primary", on_click=give)


def delete(chosen: Chosen) -> None:
    """Deletes them, after a question."""
    with st.popover("Delete", icon=":material/delete:", key=f"{chosen.key} delete"):
        st.markdown(f"Delete {chosen.told}? {chosen.kind.gone}")
        st.button(
            f"Delete {chosen.told}",
            type="primary",
            on_click=lambda: chosen.change(
                f"{chosen.told} deleted.",
                lambda session, ids, versions: chosen.kind.delete(session, ids, expected_versions=versions),
            ),
        )


def _move(chosen: Chosen) -> None:
    key = f"{chosen.key} move"

    def move() -> None:
        stage = OpportunityStage(st.session_state[f"{key} to"])
        chosen.change(
            f"{chosen.told} moved to {stage.label.lower()}.",
            lambda session, ids, versions: opportunity_service.update_opportunities(
                session, ids, OpportunityUpdate(stage=stage), expected_versions=versions
            ),
        )

    with st.popover("Move", icon=":material/arrow_forward:", key=key):
        st.radio("To", OPEN_STAGES, format_func=lambda each: each.label, key=f"{key} to")
        st.button(f"Move {chosen.told}", key=f"{key} confirm", type="primary", on_click=move)


def _reschedule(chosen: Chosen) -> None:
    key, space = f"{chosen.key} reschedule", workspace()

    def reschedule() -> None:
        on: date | None = st.session_state[f"{key} on"]
        told = words.day(on, space) if on else "no date"
        chosen.change(
            f"{chosen.told} expected to close: {words.literal(told)}.",
            lambda session, ids, versions: opportunity_service.update_opportunities(
                session, ids, OpportunityUpdate(expected_close_date=on), expected_versions=versions
            ),
        )

    with st.popover("Set close date", icon=":material/event:", key=key):
        st.date_input("Expected close", None, format=words.day_format(space), key=f"{key} on")
        st.button(f"Set for {chosen.told}", key=f"{key} confirm", type="primary", on_click=reschedule)


def _lose(chosen: Chosen) -> None:
    key = f"{chosen.key} lose"

    def lose() -> None:
        reason_id, note = st.session_state[f"{key} reason"], st.session_state[f"{key} note"]
        chosen.change(
            f"{chosen.told} closed as lost.",
            lambda session, ids, versions: opportunity_service.close_opportunities(
                session,
                ids,
                outcome=Outcome.LOST,
                reason_id=reason_id,
                note=note or None,
                expected_versions=versions,
            ),
        )

    with st.popover("Close as lost", icon=":material/flag:", key=key):
        reasons = words.told_apart(load(close_dialog.close_reasons, Outcome.LOST))
        st.selectbox(
            "Reason",
            list(reasons),
            index=None,
            format_func=lambda each: words.one_line(reasons.get(each, str(each))),
            key=f"{key} reason",
        )
        st.text_input("Note", max_chars=500, key=f"{key} note")
        st.button(f"Close {chosen.told} as lost", key=f"{key} confirm", type="primary", on_click=lose)
