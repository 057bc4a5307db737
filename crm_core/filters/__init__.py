"""Which records are meant: one object for the list, the chart, the export and the API."""

from crm_core.filters.base import FieldsDoNotApply, RecordFilter
from crm_core.filters.company import EVERY_COMPANY, CompanyFilter
from crm_core.filters.contact import EVERY_CONTACT, ContactFilter
from crm_core.filters.lead import EVERY_LEAD, LeadFilter
from crm_core.filters.opportunity import EVERYTHING, OpportunityFilter

__all__ = [
    "EVERYTHING",
    "EVERY_COMPANY",
    "EVERY_CONTACT",
    "EVERY_LEAD",
    "CompanyFilter",
    "ContactFilter",
    "FieldsDoNotApply",
    "LeadFilter",
    "OpportunityFilter",
    "RecordFilter",
]
