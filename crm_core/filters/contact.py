"""Which contacts are meant."""

from collections.abc import Sequence

from pydantic import Field
from sqlalchemy import ColumnElement

from crm_core.filters.base import WORDS, RecordFilter, Text
from crm_core.models import Company, Contact
from crm_core.moment import Moment
from crm_core.schemas.fields import Id


class ContactFilter(RecordFilter[Contact]):
    """Contacts; each word of `text` occurs in their name, their e-mail address or their company's name.

    A phone number, or a part of one, finds those who have it, in any notation.
    """

    model = Contact
    searched = {
        "id": (Contact, ("folded_name", "folded_email", "folded_other_emails")),
        "company_id": (Company, ("folded_name",)),
    }
    dialed = {"id": (Contact, ("phone_digits", "other_phone_digits"))}

    text: Text = Field(
        default="",
        description=WORDS.format("name, e-mail address or company's name") + " Phone numbers find it, too.",
    )
    companies: frozenset[Id] = Field(default=frozenset(), description="Ids of companies.")

    def _on_more(self, row: type[Contact], moment: Moment) -> Sequence[ColumnElement[bool]]:
        return [row.company_id.in_(self.companies)] if self.companies else []


EVERY_CONTACT = ContactFilter()
