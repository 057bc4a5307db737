"""A chart in a card, whose bars open exactly the deals they count; its numbers as rows do the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import streamlit as st

from crm_core.analytics.attention import Attention
from crm_core.analytics.breakdowns import LeftOut, OwnerRate, Segment, StageTime
from crm_core.filters import OpportunityFilter
from crm_core.reporting import charts
from crm_core.reporting import tiles as figures
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.services.settings_service import Workspace
from ui import drawer, opportunity_filters, opportunity_list, words
from ui.listing import table
from ui.listing.table import Cell, Column, Row

MOST_DRAWN = 200
"""Charts that are kept; those that were shown longest ago are forgotten."""


@dataclass(frozen=True)
class Line:
    """A bar as a row: what it is called, what it says, and its deals."""

    label: str
    cells: Sequence[str]
    where: OpportunityFilter | None


@dataclass(frozen=True)
class Note:
    """A sentence below a title; with `where` it begins with a link to these deals, called `label`."""

    text: str
    label: str = ""
    where: OpportunityFilter | None = None


Numbers = Sequence[Segment] | Sequence[OwnerRate] | Sequence[StageTime]
"""What a chart shows."""

Draw = Callable[[Any, Workspace], charts.Drawn]
"""Draws a chart of such numbers."""


def show(
    title: str,
    draw: Draw,
    numbers: Numbers,
    space: Workspace,
    lines: Sequence[Line],
    heads: Sequence[str],
    *,
    note: Note | None = None,
) -> None:
    """The card. A click on a bar or on a row goes to the list of exactly its deals.

    The note stands below the title.
    """
    with st.container(border=True, height="stretch"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(title, width="stretch")
            rows = st.popover(
                "Numbers", key=f"numbers {title}", type="tertiary", icon=":material/table:", on_change="rerun"
            )
        with rows:
            if rows.open:
                _rows(title, lines, heads)
        if note is not None:
            _note(note)
        if not lines:
            st.caption("Nothing was counted in this period.")
            return
        in_words = charts.text(
            title, [line.label for line in lines], [" ".join(line.cells) for line in lines]
        )
        drawn = _drawn(draw, tuple(numbers), space)
        if not any(line.where for line in lines):
            st.vega_lite_chart(spec=drawn, alt=in_words)
            return
        clicked: Any = st.vega_lite_chart(spec=drawn, key=f"chart {title}", on_select="rerun", alt=in_words)
    for each in clicked["selection"][charts.CLICKED]:
        where = lines[int(each["row"])].where
        if where is not None:
            opportunity_filters.go(where)


@lru_cache(maxsize=MOST_DRAWN)
def _drawn(draw: Draw, numbers: Numbers, space: Workspace) -> dict[str, Any]:
    """The chart as a browser draws it. Altair takes 15 ms to check one, so what shows the same is kept."""
    chart = draw(numbers, space)
    told: dict[str, Any] = chart.to_dict()
    return told | {"datasets": {told["data"]["name"]: chart.data}}


def show_segments(
    title: str,
    draw: Draw,
    segments: Sequence[Segment],
    space: Workspace,
    *,
    labels: Sequence[str],
    head: str,
    note: Note | None = None,
) -> None:
    """`show` for segments of deals; the labels are what they are called as rows, under that head."""
    heads = (head, "Deals", "Value", "Without a value")
    show(title, draw, segments, space, lines_of(segments, space, labels), heads, note=note)


def as_of(text: str) -> Note | None:
    """As of when what is open is told, if that is another day than today."""
    return Note(text) if text else None


def left_out(found: LeftOut, space: Workspace, text: str) -> Note | None:
    """That so many deals are left out, with a link to them; None if there are none."""
    label = figures.left_out(found, space)
    return Note(text, label, found.where) if label else None


def without_rate(rates: Sequence[OwnerRate]) -> Note | None:
    """Why there are no rates, if so."""
    text = figures.without_rate(rates)
    return Note(text) if text else None


def _note(note: Note) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        if note.where is not None:
            opportunity_filters.link(note.where, note.label, icon=":material/table_rows:")
        st.caption(note.text, width="content")


def lines_of(segments: Sequence[Segment], space: Workspace, labels: Sequence[str]) -> list[Line]:
    """Segments as rows: count, value, and how many have none."""
    return [
        Line(
            label,
            [
                words.number(segment.deals, space),
                words.money(segment.value, space),
                words.number(segment.without_value, space),
            ],
            segment.where if segment.deals else None,
        )
        for label, segment in zip(labels, segments, strict=True)
    ]


def lines_of_rates(rates: Sequence[OwnerRate], space: Workspace) -> list[Line]:
    """Rates as rows: the rate, how many were won, and over how many."""
    return [
        Line(
            words.one_line(each.label),
            [
                words.percent(each.rate, space),
                words.number(each.rate.hits, space),
                words.number(each.rate.n, space),
            ],
            each.where,
        )
        for each in rates
    ]


def lines_of_times(times: Sequence[StageTime], space: Workspace) -> list[Line]:
    """Times in stages as rows; a deal that came back has stayed twice."""
    return [
        Line(
            each.stage.label,
            [
                words.NONE if each.median_days is None else words.decimal(each.median_days, space),
                words.number(each.stays, space),
                words.number(each.running, space),
                words.number(each.deals, space),
            ],
            each.where if each.deals else None,
        )
        for each in times
    ]


def attention(found: Attention, space: Workspace, *, on: date, note: str = "") -> None:
    """How many deals need what on that day, each a link to them, and those worth most.

    The note stands below the title.
    """
    with st.container(border=True, height="stretch"):
        st.subheader("Needs attention")
        if note:
            st.caption(note)
        with st.container(horizontal=True, gap="small"):
            for need in found.needs:
                if need.totals.deals:
                    label = f"{need.need.label}: {words.number(need.totals.deals, space)}"
                    opportunity_filters.link(need.where, label)
        if not found.cards:
            st.caption("Nothing is overdue, stale, without a next step or about to close.")
            return
        opportunity_list.show_few(
            "attention", [card.deal for card in found.cards], on_open=_open, shown=ATTENTION, on=on
        )


def recent(deals: Sequence[OpportunityResponse]) -> None:
    """The deals created last."""
    with st.container(border=True, height="stretch"):
        st.subheader("Recent opportunities")
        opportunity_list.show_few("recent", deals, on_open=_open, shown=RECENT)


ATTENTION = ("name", "value", "stage", "expected_close", "owner")
RECENT = ("name", "value", "stage", "created", "owner")


def _open(deal_id: int) -> None:
    drawer.open_("opportunity", deal_id)


def _rows(title: str, lines: Sequence[Line], heads: Sequence[str]) -> None:
    columns = [
        Column(str(number), head, "right" if number else "left", sortable=False)
        for number, head in enumerate(heads)
    ]
    rows = [
        Row(
            number,
            0,
            line.label,
            {str(place): Cell(text) for place, text in enumerate((line.label, *line.cells))},
        )
        for number, line in enumerate(lines)
    ]

    def opened(number: int) -> None:
        where = lines[number].where
        if where is not None:
            opportunity_filters.go_later(where)

    table.show(rows, columns, key=f"rows {title}", label=title, on_open=opened)
