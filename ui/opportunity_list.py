"""The list of deals: what it shows, what it adds up to, and which cells are edited in their place."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal

import streamlit as st
from pydantic import ValidationError

from crm_core.analytics.pipeline import ListTotals
from crm_core.errors import InvalidInput
from crm_core.models import OPEN_STAGES
from crm_core.schemas.opportunity import OpportunityResponse, OpportunityUpdate
from crm_core.services import opportunity_service
from crm_core.services.settings_service import Workspace
from crm_core.sorting import OpportunitySort
from ui import colors, messages, words
from ui.data import first_sentence, saving, today, workspace
from ui.listing import table
from ui.listing.filter_bar import owner_labels
from ui.listing.lister import Lister
from ui.listing.table import Cell, Column, Edit, Editor, Row

COLUMNS: dict[str, str] = {
    "name": "Name",
    "company": "Company",
    "value": "Value",
    "stage": "Stage",
    "probability": "Probability",
    "expected_close": "Expected close",
    "owner": "Owner",
    "days_in_stage": "Days in stage",
    "next_step": "Next step",
    "changed": "Last change",
    "contact": "Contact",
    "next_step_date": "Next step on",
    "source": "Source",
    "created": "Created",
    "closed": "Closed",
}


def cell(column: str, deal: OpportunityResponse, space: Workspace, today: date) -> Cell:
    """What a deal shows in a column."""
    texts = {
        "name": deal.name,
        "company": deal.company_name,
        "contact": deal.contact_name,
        "source": deal.source,
    }
    days = {
        "next_step_date": deal.next_step_date,
        "closed": deal.actual_close_date,
        "created": deal.created_on,
    }
    if column in texts:
        return Cell(words.one_line(texts[column] or words.NONE))
    if column in days:
        return Cell(words.day(days[column], space))
    if column == "changed":
        return Cell(words.day(space.calendar.day_of(deal.updated_at), space))
    return SPECIAL[column](deal, space, today)


FIELDS = {
    "value": "expected_value",
    "expected_close": "expected_close_date",
    "owner": "owner_id",
    "next_step": "next_step",
}
"""The columns that are edited, and what they are called in a deal."""

SPECIAL: dict[str, Callable[[OpportunityResponse, Workspace, date], Cell]] = {
    "value": lambda deal, space, _: Cell(
        words.money(deal.expected_value, space), value=words.amount(deal.expected_value, space)
    ),
    "stage": lambda deal, _, __: Cell(deal.stage.label, color=colors.BADGES[deal.stage]),
    "probability": lambda deal, space, _: Cell(words.share(deal.probability / 100, space)),
    "expected_close": lambda deal, space, today: _expected_close(deal, space, today),
    "owner": lambda deal, _, __: Cell(
        words.one_line(deal.owner_name or words.NONE), value=str(deal.owner_id or "")
    ),
    "days_in_stage": lambda deal, space, today: Cell(
        words.number(max((today - deal.stage_entered_on).days, 0), space)
    ),
    "next_step": lambda deal, _, __: Cell(
        words.one_line(deal.next_step or words.NONE), value=deal.next_step or ""
    ),
}
"""Columns that are more than a text or a day, or that are edited."""


def _expected_close(deal: OpportunityResponse, space: Workspace, today: date) -> Cell:
    on = deal.expected_close_date
    value = on.isoformat() if on else ""
    if on is not None and on < today and deal.stage in OPEN_STAGES:
        return Cell(f"{words.day(on, space)} · overdue", tone="late", value=value)
    return Cell(words.day(on, space), value=value)


OPPORTUNITIES = Lister(
    kind="opportunity",
    label="Opportunities",
    columns=COLUMNS,
    shown_at_first=list(COLUMNS)[:10],
    orders=OpportunitySort,
    cell=cell,
    numbers=frozenset({"value", "probability", "days_in_stage"}),
    falling=frozenset({"value", "probability", "days_in_stage", "changed", "created", "closed"}),
)


def show_totals(totals: ListTotals) -> None:
    """Count, value and weighted value of the whole filtered list, never of the page."""
    space = workspace()
    known = {"deals": totals.deals, "without_value": totals.without_value}
    value = words.literal(words.total(totals.value, space, **known))
    weighted = words.literal(words.total(totals.weighted, space, **known))
    unknown = words.number(totals.without_value, space)
    left_out = f" :gray[· {unknown} without a value]" if totals.without_value else ""
    st.markdown(
        f"**{words.deals(totals.deals, space)}** · worth **{value}** · weighted **{weighted}**{left_out}",
        help="Of everything that matches the filters, on whatever page. Weighted: value × probability of the"
        " open deals.",
    )


def tell_past(as_of: datetime) -> None:
    """That the list is from a past day."""
    space = workspace()
    day = words.literal(words.day(space.calendar.day_of(as_of), space))
    st.info(
        f"Deals as they were at the end of {day}. What you open is shown as it is today, and can be changed"
        " there.",
        icon=":material/history:",
    )


def show_few(
    key: str,
    deals: Sequence[OpportunityResponse],
    *,
    on_open: Callable[[int], None],
    shown: Sequence[str] = ("name", "value", "stage"),
    on: date | None = None,
) -> None:
    """Some deals beside other things, in the order they are given; a click opens one. They are as of that
    day, or now.
    """
    space, day = workspace(), on or today()
    rows = [
        Row(
            deal.id,
            deal.version,
            words.one_line(deal.name),
            {name: cell(name, deal, space, day) for name in shown},
        )
        for deal in deals
    ]
    heads = [
        Column(name, COLUMNS[name], "right" if name == "value" else "left", sortable=False) for name in shown
    ]
    table.show(rows, heads, key=key, label="Deals", on_open=on_open)


def editors() -> dict[str, Editor]:
    """What can be changed in the table, and how."""
    people = [("", words.NONE), *((str(key), name) for key, name in owner_labels().items())]
    return {
        "value": Editor("money", limit=30),
        "expected_close": Editor("date"),
        "next_step": Editor("text", limit=500),
        "owner": Editor("choice", choices=people),
    }


def save(edit: Edit) -> None:
    """One cell, at the version that was on screen; for a callback."""
    try:
        changes = _changes(edit)
    except InvalidInput as refusal:
        messages.refused(refusal)
        return
    with saving("Saved.", undoable=True) as session:
        opportunity_service.update_opportunity(session, edit.id, changes, expected_version=edit.version)


def _changes(edit: Edit) -> OpportunityUpdate:
    """What the cell's text means. Raises `InvalidInput` for what it can't."""
    typed = edit.value.strip()
    try:
        return OpportunityUpdate(**{FIELDS[edit.column]: _meant(edit.column, typed)})
    except ValidationError as refusal:
        raise InvalidInput(f"“{typed}” was not saved. {first_sentence(refusal)}") from refusal
    except InvalidInput as refusal:
        raise InvalidInput(f"“{typed}” was not saved. {refusal}") from refusal
    except ValueError:
        raise InvalidInput(f"“{typed}” is nobody here. Choose an owner.") from None
    except KeyError:
        raise InvalidInput("This can't be changed in the table. Open the deal instead.") from None


def _meant(column: str, typed: str) -> str | int | Decimal | None:
    if column == "value":
        return words.read_amount(typed, workspace())
    if column == "owner":
        return int(typed) if typed else None
    return typed or None
