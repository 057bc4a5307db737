"""Columns of cards that people drag, by mouse, pen, touch and keyboard, on `st.components.v2`.

Why it is a component of our own: docs/decisions/0006-the-board-is-a-component-of-our-own.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from pydantic import Field

from crm_core.services.board_service import MOST_PLACED
from ui import outbox
from ui.colors import Badge
from ui.outbox import Handler, Name, Number, Redraw, Said

HERE = Path(__file__).parent

Tone = Literal["late", "warn", "faint", ""]

_board = st.components.v2.component(
    "board",
    html='<div class="frame"></div>\n',
    css=(HERE / "board.css").read_text(),
    js=outbox.script(HERE / "board.js"),
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


class Move(Said):
    """A card that was dropped; `ids` are the first cards of the column it came to, in their new order."""

    id: Number
    version: Number
    from_: Name = Field(alias="from")
    to: Name
    ids: list[Number] = Field(max_length=MOST_PLACED)


class Opened(Said):
    """A card."""

    id: Number


class Acted(Said):
    """What was chosen in a card's menu."""

    id: Number
    version: Number
    action: Name


class InColumn(Said):
    """A column whose button was pressed."""

    column: Name


@dataclass(frozen=True)
class Handlers:
    """What happens when somebody does something, and what is then drawn anew.

    Each in a callback, before the screen is drawn again.
    """

    moved: Callable[[Move], Redraw]
    opened: Callable[[int], Redraw]
    acted: Callable[[int, int, str], Redraw]
    added: Callable[[str], Redraw]
    more: Callable[[str], Redraw]
    folded: Callable[[str], Redraw]


def show(
    columns: Sequence[Column], cards: Sequence[Card], handlers: Handlers, *, key: str, label: str
) -> None:
    """Draw the board; the cards stand in each column in the order they are given."""
    _board(
        key=key,
        data=outbox.addressed(
            key,
            {
                "label": label,
                "columns": [asdict(column) for column in columns],
                "cards": [card.told() for card in cards],
            },
            answered=outbox.answered(key),
        ),
        on_told_change=outbox.on_told(
            key,
            {
                "moved": Handler(Move, handlers.moved),
                "opened": Handler(Opened, lambda card: handlers.opened(card.id)),
                "acted": Handler(Acted, lambda card: handlers.acted(card.id, card.version, card.action)),
                "added": _of_columns(columns, "addable", handlers.added),
                "more": _of_columns(columns, "more", handlers.more),
                "folded": _of_columns(columns, "foldable", handlers.folded),
            },
        ),
    )


def _of_columns(columns: Sequence[Column], offers: str, do: Callable[[str], Redraw]) -> Handler[InColumn]:
    """What a button does, in the columns that have it."""
    known = {column.id for column in columns if getattr(column, offers)}
    return Handler(InColumn, lambda pressed: do(pressed.column) if pressed.column in known else None)
