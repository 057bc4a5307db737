"""The list of leads: what it shows, how many there are, and which cells are edited in their place."""

from collections.abc import Callable
from datetime import date

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.errors import InvalidInput
from crm_core.models import LeadStatus
from crm_core.schemas.lead import LeadResponse, LeadUpdate
from crm_core.services import lead_service
from crm_core.services.settings_service import Workspace
from crm_core.sorting import LeadSort
from ui import colors, messages, words
from ui.data import attempt, workspace
from ui.listing import lister
from ui.listing.filter_bar import owner_labels
from ui.listing.lister import Lister
from ui.listing.table import Cell, Edit, Editor

COLUMNS: dict[str, str] = {
    "name": "Name",
    "company": "Company",
    "status": "Status",
    "source": "Source",
    "owner": "Owner",
    "email": "E-mail",
    "phone": "Phone",
    "estimated_value": "Estimated value",
    "created": "Created",
    "changed": "Last change",
    "job_title": "Job title",
}

FREE_STATUSES = [status for status in LeadStatus if status is not LeadStatus.CONVERTED]
"""Those that somebody sets; a conversion sets the other one."""


def cell(column: str, lead: LeadResponse, space: Workspace, _: date) -> Cell:
    """What a lead shows in a column."""
    texts = {
        "name": lead.name,
        "company": lead.company_name,
        "source": lead.source,
        "email": lead.email,
        "phone": lead.phone,
        "job_title": lead.job_title,
    }
    if column in texts:
        return Cell(words.one_line(texts[column] or words.NONE))
    if column == "created":
        return Cell(words.day(lead.created_on, space))
    if column == "changed":
        return Cell(words.day(space.calendar.day_of(lead.updated_at), space))
    return EDITED[column](lead, space)


EDITED: dict[str, Callable[[LeadResponse, Workspace], Cell]] = {
    "status": lambda lead, _: Cell(
        lead.status.label,
        color=colors.LEADS[lead.status],
        value=lead.status,
        fixed=lead.status is LeadStatus.CONVERTED,
    ),
    "owner": lambda lead, _: Cell(
        words.one_line(lead.owner_name or words.NONE), value=str(lead.owner_id or "")
    ),
    "estimated_value": lambda lead, space: Cell(
        words.money(lead.estimated_value, space), value=words.amount(lead.estimated_value, space)
    ),
}
"""Columns that can be edited."""

FIELDS = {"status": "status", "owner": "owner_id"}
"""What a choice in a column sets."""


LEADS = Lister(
    kind="lead",
    label="Leads",
    columns=COLUMNS,
    shown_at_first=list(COLUMNS)[:10],
    orders=LeadSort,
    cell=cell,
    numbers=frozenset({"estimated_value"}),
    falling=frozenset({"estimated_value", "created", "changed"}),
    unsortable=frozenset({"phone", "job_title"}),
)


def show_count(total: int) -> None:
    """How many the whole filtered list has, never the page."""
    st.markdown(
        f"**{words.counted_as(total, workspace(), 'lead')}**",
        help="All that match the filters, on whatever page.",
    )


def editors() -> dict[str, Editor]:
    """What can be changed in the table, and how."""
    people = [("", words.NONE), *((str(key), name) for key, name in owner_labels().items())]
    return {
        "status": Editor("choice", choices=[(status.value, status.label) for status in FREE_STATUSES]),
        "owner": Editor("choice", choices=people),
        "estimated_value": Editor("money", limit=30),
    }


def save(edit: Edit) -> None:
    """One cell, at the version that was on screen; for a callback."""
    space = workspace()  # before the transaction: it reads

    def change(session: Session) -> None:
        lead_service.update_lead(session, edit.id, _changes(edit, space), expected_version=edit.version)

    refusal = attempt(change, done="Saved.", undoable=True)
    if refusal is not None:
        messages.refused(refusal)


def _changes(edit: Edit, space: Workspace) -> LeadUpdate:
    """What the cell's text means. Raises `InvalidInput` and `ValidationError` for what it can't."""
    if edit.column == "estimated_value":
        return LeadUpdate(estimated_value=lister.amount_in(edit, space))
    if edit.column in FIELDS:
        return LeadUpdate.model_validate({FIELDS[edit.column]: edit.value or None})
    raise InvalidInput("This can't be changed in the table. Open the lead instead.")
