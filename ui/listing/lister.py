"""A list of records on its screen: its columns, the order, and one page of it as a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar

from crm_core.errors import InvalidInput
from crm_core.services.settings_service import Workspace
from crm_core.sorting import Sort
from ui import drawer, words
from ui.data import today, workspace
from ui.listing import table
from ui.listing.filter_bar import FilterBar
from ui.listing.table import Cell, Column, Edit, Editor, Row


class Listed(Protocol):
    """A record as a row of a list."""

    id: int
    name: str
    version: int


S = TypeVar("S", bound=Sort)
L = TypeVar("L", bound=Listed)


@dataclass(frozen=True)
class Lister(Generic[L, S]):
    """What the lists of one kind of record have in common.

    `columns` are called as the orders that they sort by, with what stands above them; the first few are shown
    at first. `cell` writes a record's cell in a column. A first click on one of the `falling` puts the most,
    or the latest, on top.
    """

    kind: str
    label: str
    columns: Mapping[str, str]
    shown_at_first: Sequence[str]
    orders: type[S]
    cell: Callable[[str, L, Workspace, date], Cell]
    numbers: frozenset[str] = frozenset()
    falling: frozenset[str] = frozenset()
    unsortable: frozenset[str] = field(default=frozenset())

    def show(
        self,
        bar: FilterBar,
        rows: Sequence[L],
        shown: Sequence[str],
        sort: S,
        *,
        editors: Mapping[str, Editor] | None = None,
        on_edit: Callable[[Edit], None] | None = None,
        selectable: bool = False,
        as_of: datetime | None = None,
    ) -> list[int]:
        """One page: a click on a row opens it, on a head sorts the whole list. Returns who is selected.

        `as_of` is the past instant that the rows are from.
        """
        space = workspace()
        day = space.calendar.day_of(as_of) if as_of else today()
        return table.show(
            [
                Row(
                    row.id,
                    row.version,
                    words.one_line(row.name),
                    {name: self.cell(name, row, space, day) for name in shown},
                )
                for row in rows
            ],
            [self._column(name, sort, (editors or {}).get(name)) for name in shown],
            key=bar.prefix,
            label=self.label,
            selectable=selectable,
            on_open=lambda record_id: drawer.open_(self.kind, record_id),
            on_sort=lambda column: bar.sort_by(self.sorted_by(column, sort)),
            on_edit=on_edit,
        )

    def sorted_by(self, column: str, sort: S) -> S:
        """The order that a click on a column's head asks for; a second click turns it round."""
        if sort.column == column:
            return self.orders(sort.reversed)
        return self.orders(f"-{column}" if column in self.falling else column)

    def _column(self, name: str, sort: S, editor: Editor | None) -> Column:
        direction: Any = "descending" if sort.is_descending else "ascending"
        return Column(
            id=name,
            label=self.columns[name],
            align="right" if name in self.numbers else "left",
            sorted=direction if sort.column == name else None,
            sortable=name not in self.unsortable,
            editor=editor,
        )


def amount_in(edit: Edit, space: Workspace) -> Decimal | None:
    """The amount that was typed into a cell; the refusal quotes it, for the cell shows the old one again.

    Raises `InvalidInput`.
    """
    typed = edit.value.strip()
    try:
        return words.read_amount(typed, space)
    except InvalidInput as refusal:
        raise InvalidInput(f"“{typed}” was not saved. {refusal}") from refusal
