"""Brings in deals from a CSV file of another program, with the past that its dates tell.

`mapping` says what the columns mean, `table` reads the rows, `answers` what a row says field by field (with
`cells` for dates and amounts, and `lookups` for keys), `deals` makes deals of the rows, `plan` finds out what
is there already, `histories` which states a deal was in, `opportunities` writes them, `report` tells.
"""

from crm_core.importing.mapping import Mapping, find_mapping, shipped_names
from crm_core.importing.opportunities import MOST_NEW_REASONS, import_opportunities
from crm_core.importing.report import ImportReport, Refusal

__all__ = [
    "MOST_NEW_REASONS",
    "ImportReport",
    "Mapping",
    "Refusal",
    "find_mapping",
    "import_opportunities",
    "shipped_names",
]
