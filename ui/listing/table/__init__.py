"""A page of records as a real HTML table: rows are opened, selected and edited by their ids.

Streamlit's own grid tells positions, which mean other records after a change, and draws on a canvas, where
neither the browser's search nor the Tab key gets (docs/decisions/0005-lists-are-tables-of-our-own.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from pydantic import Field

from ui import outbox
from ui.outbox import Handler, Name, Number, Said

LONGEST_TEXT = 100_000

MOST_ROWS = 10_000

HERE = Path(__file__).parent

_table = st.components.v2.component(
    "table",
    html='<div class="frame"></div>\n',
    css=(HERE / "table.css").read_text(),
    js=outbox.script(HERE / "table.js"),
)


@dataclass(frozen=True)
class Editor:
    """How a cell is changed in its place; `choices` are values and what they are called."""

    kind: Literal["text", "money", "date", "choice"]
    limit: int | None = None
    choices: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Column:
    """What stands above the cells, and what a click there does."""

    id: str
    label: str
    align: Literal["left", "right"] = "left"
    sorted: Literal["ascending", "descending"] | None = None
    sortable: bool = True
    editor: Editor | None = None


@dataclass(frozen=True)
class Cell:
    """A text as it is shown; `value` is what an editor begins with, and a `fixed` cell has none."""

    text: str
    color: str | None = None
    tone: Literal["late", "faint"] | None = None
    value: str = ""
    fixed: bool = False


@dataclass(frozen=True)
class Row:
    """One record at a version; `name` is what it is called for who can't see the table."""

    id: int
    version: int
    name: str
    cells: dict[str, Cell]


class Edit(Said):
    """A cell that somebody changed, in the record as it was at that version."""

    id: Number
    version: Number
    column: Name
    value: str = Field(max_length=LONGEST_TEXT)


class Opened(Said):
    """A row."""

    id: Number


class Sorted(Said):
    """The column whose head was clicked."""

    column: Name


class Selected(Said):
    """The rows that are ticked, on the selection with that number."""

    ids: list[Number] = Field(max_length=MOST_ROWS)
    cleared: int


def show(
    rows: Sequence[Row],
    columns: Sequence[Column],
    *,
    key: str,
    label: str,
    on_open: Callable[[int], None],
    on_sort: Callable[[str], None] = lambda _: None,
    on_edit: Callable[[Edit], None] | None = None,
    selectable: bool = False,
) -> list[int]:
    """Draw the rows; returns the ids of those that are selected.

    `on_sort` gets the id of a column. Cells can be edited only with `on_edit`.
    """

    def sort(head: Sorted) -> None:
        if any(column.id == head.column and column.sortable for column in columns):
            on_sort(head.column)

    def edit(cell: Edit) -> None:
        if on_edit is not None and any(column.id == cell.column for column in columns):
            on_edit(cell)

    cleared = selections(key)
    shown = _table(
        key=key,
        data=outbox.addressed(
            key,
            {
                "label": label,
                "columns": [_plain(column) for column in columns],
                "rows": [_plain(row) for row in rows],
                "selectable": selectable,
                "editing": on_edit is not None,
                "cleared": cleared,
            },
            answered=outbox.changed(key),  # what was only opened does not send the rows again
        ),
        default={"selected": None},
        on_selected_change=_nothing,
        on_told_change=outbox.on_told(
            key,
            {
                "opened": Handler(Opened, lambda row: on_open(row.id)),
                "sorted": Handler(Sorted, sort),
                "edited": Handler(Edit, edit),
            },
        ),
    )
    selected = outbox.understood(Selected, shown.selected) if shown.selected else None
    if selected is None or selected.cleared != cleared:
        return []
    ids = set(selected.ids)
    return [row.id for row in rows if row.id in ids]


def clear_selection(key: str) -> None:
    """Let nothing be selected at the next drawing."""
    st.session_state[f"{key} cleared"] = selections(key) + 1


def selections(key: str) -> int:
    """How many selections were used up so far, which tells the present one from the one before."""
    return int(st.session_state.get(f"{key} cleared", 0))


def _plain(shown: Column | Row) -> dict[str, Any]:
    """As JSON, without what is not set."""
    return {
        name: _plain_value(value) for name, value in vars(shown).items() if value not in (None, False, ())
    }


def _plain_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain_value(inner) for name, inner in value.items()}
    if isinstance(value, Cell | Editor):
        return {name: inner for name, inner in vars(value).items() if inner not in (None, False, "", ())}
    return value


def _nothing() -> None:
    """Selecting only draws the screen anew."""
