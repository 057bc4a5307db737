"""Which leads are meant."""

from collections.abc import Sequence

from pydantic import Field
from sqlalchemy import ColumnElement

from crm_core.filters.base import RecordFilter, Text
from crm_core.models import Lead, LeadStatus
from crm_core.moment import Moment
from crm_core.schemas.fields import Label


class LeadFilter(RecordFilter[Lead]):
    """Leads; `text` occurs in their name, their company's name or their e-mail address."""

    model = Lead
    searched = {"id": (Lead, ("name", "company_name", "email"))}

    text: Text = Field(
        default="",
        description="Occurs in the name, the company's name or the e-mail address, in upper or lower case.",
    )
    statuses: frozenset[LeadStatus] = frozenset()
    sources: frozenset[Label] = frozenset()

    def _on_more(self, row: type[Lead], moment: Moment) -> Sequence[ColumnElement[bool]]:
        found = []
        if self.statuses:
            found.append(row.status.in_(self.statuses))
        if self.sources:
            found.append(row.source.in_(self.sources))
        return found


EVERY_LEAD = LeadFilter()
