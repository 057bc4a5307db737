"""Which leads are meant."""

from collections.abc import Sequence

from pydantic import Field
from sqlalchemy import ColumnElement

from crm_core.filters.base import WORDS, RecordFilter, Text
from crm_core.models import Lead, LeadStatus
from crm_core.moment import Moment
from crm_core.schemas.fields import StoredLabel


class LeadFilter(RecordFilter[Lead]):
    """Leads; each word of `text` occurs in their name, their company's name or their e-mail address.

    A phone number, or a part of one, finds those who have it, in any notation.
    """

    model = Lead
    searched = {"id": (Lead, ("folded_name", "folded_company_name", "folded_email"))}
    dialed = {"id": (Lead, ("phone_digits",))}

    text: Text = Field(
        default="",
        description=WORDS.format("name, company's name or e-mail address") + " Phone numbers find it, too.",
    )
    statuses: frozenset[LeadStatus] = frozenset()
    sources: frozenset[StoredLabel] = frozenset()

    def _on_more(self, row: type[Lead], moment: Moment) -> Sequence[ColumnElement[bool]]:
        found = []
        if self.statuses:
            found.append(row.status.in_(self.statuses))
        if self.sources:
            found.append(row.source.in_(self.sources))
        return found


EVERY_LEAD = LeadFilter()
