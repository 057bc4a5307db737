"""Which companies are meant."""

from collections.abc import Sequence

from pydantic import Field
from sqlalchemy import ColumnElement

from crm_core.filters.base import RecordFilter, Text
from crm_core.models import Company
from crm_core.moment import Moment
from crm_core.schemas.fields import Label


class CompanyFilter(RecordFilter[Company]):
    """Companies; `text` occurs in their name or their domain."""

    model = Company
    searched = {"id": (Company, ("name", "domain"))}

    text: Text = Field(default="", description="Occurs in the name or the domain, in upper or lower case.")
    industries: frozenset[Label] = frozenset()
    countries: frozenset[Label] = frozenset()

    def _on_more(self, row: type[Company], moment: Moment) -> Sequence[ColumnElement[bool]]:
        found = []
        if self.industries:
            found.append(row.industry.in_(self.industries))
        if self.countries:
            found.append(row.country.in_(self.countries))
        return found


EVERY_COMPANY = CompanyFilter()
