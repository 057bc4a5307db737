"""The list of companies: what it shows of each."""

from datetime import date

from crm_core.schemas.company import CompanyResponse
from crm_core.services.settings_service import Workspace
from crm_core.sorting import CompanySort
from ui import words
from ui.listing.lister import Lister
from ui.listing.table import Cell

COLUMNS: dict[str, str] = {
    "name": "Name",
    "domain": "Domain",
    "industry": "Industry",
    "country": "Country",
    "owner": "Owner",
    "created": "Created",
    "changed": "Last change",
}


def cell(column: str, company: CompanyResponse, space: Workspace, _: date) -> Cell:
    """What a company shows in a column."""
    if column == "created":
        return Cell(words.day(company.created_on, space))
    if column == "changed":
        return Cell(words.day(space.calendar.day_of(company.updated_at), space))
    texts = {
        "name": company.name,
        "domain": company.domain,
        "industry": company.industry,
        "country": company.country,
        "owner": company.owner_name,
    }
    return Cell(words.one_line(texts[column] or words.NONE))


COMPANIES = Lister(
    kind="company",
    label="Companies",
    columns=COLUMNS,
    shown_at_first=list(COLUMNS),
    orders=CompanySort,
    cell=cell,
    falling=frozenset({"changed", "created"}),
)
