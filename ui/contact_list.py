"""The list of contacts: what it shows of each."""

from datetime import date

from crm_core.schemas.contact import ContactResponse
from crm_core.services.settings_service import Workspace
from crm_core.sorting import ContactSort
from ui import words
from ui.listing.lister import Lister
from ui.listing.table import Cell

COLUMNS: dict[str, str] = {
    "name": "Name",
    "company": "Company",
    "job_title": "Job title",
    "email": "E-mail",
    "phone": "Phone",
    "owner": "Owner",
    "changed": "Last change",
    "created": "Created",
}


def cell(column: str, contact: ContactResponse, space: Workspace, _: date) -> Cell:
    """What a contact shows in a column."""
    if column == "created":
        return Cell(words.day(contact.created_on, space))
    if column == "changed":
        return Cell(words.day(space.calendar.day_of(contact.updated_at), space))
    texts = {
        "name": contact.name,
        "company": contact.company_name,
        "job_title": contact.job_title,
        "email": contact.email,
        "phone": contact.phone,
        "owner": contact.owner_name,
    }
    return Cell(words.one_line(texts[column] or words.NONE))


CONTACTS = Lister(
    kind="contact",
    label="Contacts",
    columns=COLUMNS,
    shown_at_first=list(COLUMNS)[:7],
    orders=ContactSort,
    cell=cell,
    falling=frozenset({"changed", "created"}),
    unsortable=frozenset({"phone"}),
)
