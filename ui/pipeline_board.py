"""The pipeline as a board: what its cards show, and what becomes of a card that is dropped."""

from collections.abc import Mapping, Sequence

import streamlit as st

from crm_core.analytics import board as library
from crm_core.analytics.board import CLOSED, CardOrder, GroupBy
from crm_core.analytics.cards import Card as DealCard
from crm_core.filters import OpportunityFilter
from crm_core.models import OPEN_STAGES, OpportunityStage
from crm_core.periods import PeriodKind
from crm_core.services import board_service
from crm_core.services.settings_service import Workspace
from ui import board, close_dialog, colors, drawer, empty, messages, opportunity_dialog, words
from ui.board import Card, Column, Handlers, Move, Text
from ui.colors import Badge
from ui.data import load, look_again, saving, today, workspace
from ui.listing.filter_bar import FilterBar
from ui.outbox import Redraw

KEY = "pipeline"

EVERY = 4
"""Seconds until what others change shows by itself."""

SCREEN: Redraw = "app"
"""Dialogs, the drawer and the filters are not on the board."""

BOARD: Redraw = [KEY, messages.FRAGMENT]
"""The board, and below it what was done, with the button that takes it back."""

MORE = 25
"""Cards that “show more” adds."""

PARTS = {
    "name": "Name",
    "company": "Company",
    "value": "Value",
    "expected_close": "Expected close",
    "next_step": "Next step",
    "days_in_stage": "Days in stage",
    "signs": "Stale, no next step, pushed",
    "owner": "Owner",
    "probability": "Probability",
    "contact": "Contact",
}
"""What a card can show; a person arranges which, and in which order."""

PARTS_AT_FIRST = ["name", "company", "value", "expected_close", "days_in_stage", "signs", "owner"]


def shown() -> dict[str, int]:
    """How many cards each column shows, where somebody asked for more."""
    asked: dict[str, int] = st.session_state.setdefault(f"{KEY} shown", {})
    return asked


@st.fragment(key=KEY, run_every=EVERY)
def draw(
    bar: FilterBar, where: OpportunityFilter, group_by: GroupBy, order: CardOrder, parts: Sequence[str]
) -> None:
    """The board of the filter's deals, drawn anew by itself to show what others change.

    No dialog and no field that somebody types in is drawn with it.
    """
    look_again()
    columns = load(
        library.board,
        where,
        group_by=group_by,
        order=order,
        by_hand=load(board_service.find_orders, group_by),
        shown=shown() | ({CLOSED: 0} if _is_folded() else {}),
        closed_in=workspace().calendar.period(PeriodKind.QUARTER, today()),
    )
    if any(column.deals for column in columns):
        show(bar, columns, group_by, order, parts)
    elif where.is_narrowed:
        empty.nothing_matches(bar)
    else:
        empty.no_opportunities()


def show(
    bar: FilterBar,
    columns: Sequence[library.Column],
    group_by: GroupBy,
    order: CardOrder,
    parts: Sequence[str],
) -> None:
    """The columns with their cards; every drop is saved at once, or refused and taken back."""
    space = workspace()
    targets = {column.key: column.label for column in columns if not column.is_closed}
    board.show(
        [_column(column, _actions(column, targets), space) for column in columns],
        [_card(card, column.key, parts, space) for column in columns for card in column.cards],
        _handlers(bar, columns, group_by, order),
        key=KEY,
        label="Pipeline",
    )


def _column(column: library.Column, actions: list[dict[str, str]], space: Workspace) -> Column:
    known = {"deals": column.deals, "without_value": column.without_value}
    left = column.deals - len(column.cards)
    weighted = words.total(column.weighted, space, **known)
    unknown = f"\n{words.number(column.without_value, space)} without a value" if column.without_value else ""
    return Column(
        id=column.key,
        label=words.one_line(column.label, limit=60),
        color=_color(column),
        count=words.number(column.deals, space),
        worth=words.total(column.value, space, **known),
        note=_won_and_lost(column, space) if column.is_closed else f"weighted {weighted}{unknown}",
        more=f"Show {words.number(min(left, MORE), space)} more of {words.number(left, space)}"
        if left > 0
        else "",
        folded=column.is_closed and _is_folded(),
        foldable=column.is_closed,
        addable=column.key in OPEN_STAGES,
        actions=actions,
    )


def _won_and_lost(column: library.Column, space: Workspace) -> str:
    quarter = space.calendar.quarter_label(today())
    return f"{words.number(column.won, space)} won, {words.number(column.lost, space)} lost in {quarter}"


def _color(column: library.Column) -> Badge:
    if column.key in OPEN_STAGES:
        return colors.BADGES[OpportunityStage(column.key)]
    return "red" if column.key == "overdue" else "gray"


def _card(card: DealCard, column: str, parts: Sequence[str], space: Workspace) -> Card:
    deal = card.deal
    lines = {
        "company": Text(words.one_line(deal.company_name or ""), "faint"),
        "contact": Text(words.one_line(deal.contact_name or ""), "faint"),
        "value": Text(
            words.money(deal.expected_value, space) if deal.expected_value is not None else "no value"
        ),
        "expected_close": _when(card, space),
        "next_step": Text(words.one_line(deal.next_step or "")),
        "days_in_stage": Text(f"{words.counted_as(card.days_in_stage, space, 'day')} in stage", "faint"),
        "probability": Text(f"probability {words.share(deal.probability / 100, space)}", "faint"),
    }
    owner = words.one_line(deal.owner_name or "")
    has_owner = "owner" in parts and owner
    return Card(
        id=deal.id,
        version=deal.version,
        column=column,
        name=words.one_line(deal.name),
        lines=[lines[part] for part in parts if part in lines and lines[part].text],
        signs=_signs(card, space) if "signs" in parts else [],
        initials=words.initials(owner) if has_owner else "",
        owner=owner if has_owner else "",
    )


def _when(card: DealCard, space: Workspace) -> Text:
    deal = card.deal
    if deal.actual_close_date is not None:
        return Text(f"{deal.stage.label.split()[-1]} {words.day(deal.actual_close_date, space)}", "faint")
    if deal.expected_close_date is None:
        return Text("no date", "faint")
    told = words.day(deal.expected_close_date, space)
    return Text(f"{told} · overdue", "late") if card.is_overdue else Text(told)


def _signs(card: DealCard, space: Workspace) -> list[Text]:
    if card.deal.stage.is_closed:
        return []
    return [
        *([Text("stale", "warn")] if card.is_stale else []),
        *([Text("no next step", "warn")] if card.has_no_next_step else []),
        *([Text(f"pushed {words.number(card.pushes, space)}×", "late")] if card.pushes else []),
    ]


def _actions(column: library.Column, targets: Mapping[str, str]) -> list[dict[str, str]]:
    """What the menu of each card in the column offers."""
    opened = [{"id": "open", "label": "Open and edit"}]
    if column.is_closed:
        return opened
    moves = [
        {"id": f"move:{key}", "label": f"Move to {words.one_line(label, limit=40)}"}
        for key, label in targets.items()
        if key != column.key
    ]
    return [*opened, *moves, {"id": "close", "label": "Close as won or lost…"}]


def _handlers(
    bar: FilterBar, columns: Sequence[library.Column], group_by: GroupBy, order: CardOrder
) -> Handlers:
    labels = {column.key: column.label for column in columns}

    def drop(deal_id: int, version: int, to: str) -> Redraw:
        if to == CLOSED:
            close_dialog.ask_later(deal_id)
            return SCREEN
        done = f"Moved to {words.literal(labels.get(to, to), limit=60)}."
        with saving(done, undoable=True) as session:
            board_service.drop(session, deal_id, group_by=group_by, to=to, expected_version=version)
        return BOARD

    def moved(move: Move) -> Redraw:
        if move.to not in labels:
            messages.refused(board_service.NoSuchColumn())
            return BOARD
        redraw = drop(move.id, move.version, move.to) if move.to != move.from_ else BOARD
        if move.to != CLOSED and (move.to == move.from_ or order is CardOrder.BY_HAND):
            _keep_order(group_by, move)
            if order is not CardOrder.BY_HAND:  # put between others: from now on it is ordered by hand
                bar.choose("order", CardOrder.BY_HAND.value)
                return SCREEN
        return redraw

    def acted(deal_id: int, version: int, action: str) -> Redraw:
        if action.startswith("move:"):
            return drop(deal_id, version, action.removeprefix("move:"))
        if action == "close":
            close_dialog.ask_later(deal_id)
            return SCREEN
        return opened(deal_id) if action == "open" else None

    def opened(deal_id: int) -> Redraw:
        drawer.open_("opportunity", deal_id)
        return SCREEN

    def added(stage: str) -> Redraw:
        opportunity_dialog.open_new_in(stage)
        return SCREEN

    def more(column: str) -> Redraw:
        shown()[column] = shown().get(column, MORE) + MORE
        return None

    def folded(_column: str) -> Redraw:
        st.session_state[f"{KEY} closed"] = not _is_folded()
        return None

    return Handlers(moved, opened, acted, added, more, folded)


def _keep_order(group_by: GroupBy, move: Move) -> None:
    with saving("Ordered by hand.") as session:
        board_service.keep_order(session, group_by, move.to, move.ids)


def _is_folded() -> bool:
    return bool(st.session_state.get(f"{KEY} closed", True))
