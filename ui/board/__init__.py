"""Columns of cards that people drag, by mouse, pen, touch and keyboard, on `st.components.v2`.

Why it is a component of our own: docs/decisions/0006-the-board-is-a-component-of-our-own.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from ui.colors import Badge

HERE = Path(__file__).parent

Tone = Literal["late", "warn", "faint", ""]

_board = st.components.v2.component(
    "board",
    html='<div class="frame"><div class="board" role="group"></div>'
    '<div class="said" role="status" aria-live="assertive"></div></div>\n',
    css=(HERE / "board.css").read_text(),
    js=(HERE / "board.js").read_text(),
)


@dataclass(frozen=True)
class Column:
    """What stands above the cards, counted over all of them; `more` offers those that are not loaded.

    `actions` are what the menu of each of its cards offers, by id.
    """

    id: str
    label: str
    color: Badge
    count: str
    worth: str
    note: str = ""
    more: str = ""
    folded: bool = False
    foldable: bool = False
    addable: bool = True
    actions: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Text:
    """A line or a sign on a card."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Card:
    """One deal at a version."""

    id: int
    version: int
    column: str
    name: str
    lines: list[Text] = field(default_factory=list)
    signs: list[Text] = field(default_factory=list)
    initials: str = ""
    owner: str = ""

    def told(self) -> dict[str, Any]:
        """As the component gets it; what `asdict` would do for hundreds of them in ten times the time."""
        return vars(self) | {"lines": list(map(vars, self.lines)), "signs": list(map(vars, self.signs))}


@dataclass(frozen=True)
class Move:
    """A card that was dropped; `ids` are the loaded cards of the column it came to, in their new order."""

    id: int
    version: int
    from_: str
    to: str
    ids: list[int]


@dataclass(frozen=True)
class Handlers:
    """What happens when somebody does something; each in a callback, before the screen is drawn again."""

    moved: Callable[[Move], None]
    opened: Callable[[int], None]
    acted: Callable[[int, int, str], None]
    added: Callable[[str], None]
    more: Callable[[str], None]
    folded: Callable[[str], None]


def show(
    columns: Sequence[Column],
    cards: Sequence[Card],
    handlers: Handlers,
    *,
    key: str,
    label: str,
    drawing: int = 0,
) -> None:
    """Draw the board; the cards stand in each column in the order they are given.

    A board that shows the same is the same message, which Streamlit does not send again. So the number that
    tells the answer to what somebody did changes with that and not with every drawing; another `drawing` is
    sent in any case.
    """
    serial = f"{key} serial"

    def told(event: str) -> dict[str, Any]:
        st.session_state[serial] = st.session_state.get(serial, 0) + 1  # a refused card has to go back
        payload: dict[str, Any] = st.session_state[key][event]
        return payload

    def moved() -> None:
        what = told("moved")
        handlers.moved(Move(int(what["id"]), int(what["version"]), what["from"], what["to"], what["ids"]))

    def acted() -> None:
        what = told("acted")
        handlers.acted(int(what["id"]), int(what["version"]), str(what["action"]))

    _board(
        key=key,
        data={
            "label": label,
            "columns": [asdict(column) for column in columns],
            "cards": [card.told() for card in cards],
            "serial": st.session_state.get(serial, 0),
            "drawing": drawing,
        },
        on_moved_change=moved,
        on_acted_change=acted,
        on_opened_change=lambda: handlers.opened(int(told("opened")["id"])),
        on_added_change=lambda: handlers.added(str(told("added")["column"])),
        on_more_change=lambda: handlers.more(str(told("more")["column"])),
        on_folded_change=lambda: handlers.folded(str(told("folded")["column"])),
    )
