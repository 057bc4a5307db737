"""Which companies are meant."""

from collections.abc import Sequence

from pydantic import Field
from sqlalchemy import ColumnElement

from crm_core.filters.base import WORDS, RecordFilter, Text
from crm_core.models import Company
from crm_core.moment import Moment
from crm_core.schemas.fields import StoredLabel


class CompanyFilter(RecordFilter[Company]):
    """Companies; each word of `text` occurs in their name or their domain."""

    model = Company
    searched = {"id": (Company, ("folded_name", "folded_domain"))}

    text: Text = Field(default="", description=WORDS.format("name or domain"))
    industries: frozenset[StoredLabel] = frozenset()
    countries: frozenset[StoredLabel] = frozenset()

    def _on_more(self, row: type[Company], moment: Moment) -> Sequence[ColumnElement[bool]]:
        found = []
        if self.industries:
            found.append(row.industry.in_(self.industries))
        if self.countries:
            found.append(row.country.in_(self.countries))
        return found


EVERY_COMPANY = CompanyFilter()
