"""Which contacts are meant."""

from collections.abc import Sequence

from pydantic import Field
from sqlalchemy import ColumnElement, or_, select

from crm_core import history
from crm_core.columns import contains
from crm_core.filters.base import RecordFilter, Text
from crm_core.models import Company, Contact
from crm_core.moment import Moment
from crm_core.schemas.fields import Id


class ContactFilter(RecordFilter[Contact]):
    """Contacts; `text` occurs in their name, their e-mail address or their company's name."""

    model = Contact

    text: Text = Field(
        default="",
        description="Occurs in the name, the e-mail address or the company's name, in upper or lower case.",
    )
    companies: frozenset[Id] = Field(default=frozenset(), description="Ids of companies.")

    def _mentions(self, row: type[Contact], wanted: str, moment: Moment) -> ColumnElement[bool]:
        company = history.as_of(Company, moment.as_of)
        return or_(
            contains(row.name, wanted),
            contains(row.email, wanted),
            row.company_id.in_(select(company.id).where(contains(company.name, wanted))),
        )

    def _on_more(self, row: type[Contact], moment: Moment) -> Sequence[ColumnElement[bool]]:
        return [row.company_id.in_(self.companies)] if self.companies else []


EVERY_CONTACT = ContactFilter()
