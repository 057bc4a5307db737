"""Which contacts are meant."""

from collections.abc import Sequence

from pydantic import Field
from sqlalchemy import ColumnElement

from crm_core.filters.base import RecordFilter, Text
from crm_core.models import Company, Contact
from crm_core.moment import Moment
from crm_core.schemas.fields import Id


class ContactFilter(RecordFilter[Contact]):
    """Contacts; `text` occurs in their name, their e-mail address or their company's name."""

    model = Contact
    searched = {"id": (Contact, ("name", "email")), "company_id": (Company, ("name",))}

    text: Text = Field(
        default="",
        description="Occurs in the name, the e-mail address or the company's name, in upper or lower case.",
    )
    companies: frozenset[Id] = Field(default=frozenset(), description="Ids of companies.")

    def _on_more(self, row: type[Contact], moment: Moment) -> Sequence[ColumnElement[bool]]:
        return [row.company_id.in_(self.companies)] if self.companies else []


EVERY_CONTACT = ContactFilter()
