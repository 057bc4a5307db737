"""Which opportunities are meant."""

from collections.abc import Sequence

from pydantic import Field
from sqlalchemy import ColumnElement, or_, select

from crm_core import history
from crm_core.filters.base import RecordFilter, Text, Users, contains
from crm_core.models import CLOSED_STAGES, Company, Contact, Opportunity, OpportunityStage, Outcome
from crm_core.moment import Moment
from crm_core.schemas.fields import Amount, Day, Id, Label


class OpportunityFilter(RecordFilter[Opportunity]):
    """Opportunities, by any of their facts; see `RecordFilter` for what holds of every filter.

    `text` occurs in the deal's, its company's or its contact's name. `owners` and `teams` mean who a deal
    counts for: the owner of an open one, the owner at the close of a closed one.
    """

    model = Opportunity

    text: Text = Field(
        default="",
        description="Occurs in the deal's, its company's or its contact's name, in upper or lower case.",
    )
    owners: frozenset[Id] = Field(
        default=frozenset(),
        description="Ids of users: who owns an open deal, who owned a closed one at its close; for figures"
        " about creations who owned it then.",
    )
    stages: frozenset[OpportunityStage] = frozenset()
    is_open: bool | None = Field(default=None, description="In an open stage, or in a closed one.")
    outcomes: frozenset[Outcome] = Field(default=frozenset(), description="Closed, and how.")
    companies: frozenset[Id] = Field(default=frozenset(), description="Ids of companies.")
    contacts: frozenset[Id] = Field(default=frozenset(), description="Ids of contacts.")
    sources: frozenset[Label] = frozenset()
    close_reasons: frozenset[Id] = Field(default=frozenset(), description="Ids of reasons to close.")
    value_from: Amount | None = Field(
        default=None, description="Worth this or more; not where the value is unknown."
    )
    value_to: Amount | None = Field(
        default=None, description="Worth this or less; not where the value is unknown."
    )
    without_value: bool = Field(default=False, description="Only those whose value is unknown.")
    expected_from: Day | None = Field(default=None, description="Expected to close on this day or later.")
    expected_to: Day | None = Field(default=None, description="Expected to close on this day or earlier.")
    without_date: bool = Field(default=False, description="Only those without an expected close date.")
    overdue: bool = Field(default=False, description="Only open ones whose expected close date has passed.")
    stale: bool = Field(
        default=False, description="Only open ones untouched for longer than their stage allows."
    )
    closed_from: Day | None = Field(default=None, description="Closed on this day or later.")
    closed_to: Day | None = Field(default=None, description="Closed on this day or earlier.")

    def _mentions(self, row: type[Opportunity], wanted: str, moment: Moment) -> ColumnElement[bool]:
        company, contact = history.as_of(Company, moment.as_of), history.as_of(Contact, moment.as_of)
        return or_(
            contains(row.name, wanted),
            row.company_id.in_(select(company.id).where(contains(company.name, wanted))),
            row.contact_id.in_(select(contact.id).where(contains(contact.name, wanted))),
        )

    def _counts_for(self, row: type[Opportunity], users: Users) -> ColumnElement[bool]:
        return row.counts_for(users)

    def _on_more(self, row: type[Opportunity], moment: Moment) -> Sequence[ColumnElement[bool]]:
        return [*self._on_stage(row), *self._on_links(row), *self._on_worth(row), *self._on_time(row, moment)]

    def _on_stage(self, row: type[Opportunity]) -> Sequence[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.stages:
            found.append(row.stage.in_(self.stages))
        if self.is_open is not None:
            found.append(row.stage.not_in(CLOSED_STAGES) if self.is_open else row.stage.in_(CLOSED_STAGES))
        if self.outcomes:
            found.append(row.stage.in_(OpportunityStage.of(outcome) for outcome in self.outcomes))
        return found

    def _on_links(self, row: type[Opportunity]) -> Sequence[ColumnElement[bool]]:
        asked = (
            (row.company_id, self.companies),
            (row.contact_id, self.contacts),
            (row.source, self.sources),
            (row.close_reason_id, self.close_reasons),
        )
        return [column.in_(wanted) for column, wanted in asked if wanted]

    def _on_worth(self, row: type[Opportunity]) -> Sequence[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.value_from is not None:
            found.append(row.expected_value >= self.value_from)
        if self.value_to is not None:
            found.append(row.expected_value <= self.value_to)
        if self.without_value:
            found.append(row.expected_value.is_(None))
        return found

    def _on_time(self, row: type[Opportunity], moment: Moment) -> Sequence[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.expected_from is not None:
            found.append(row.expected_close_date >= self.expected_from)
        if self.expected_to is not None:
            found.append(row.expected_close_date <= self.expected_to)
        if self.without_date:
            found.append(row.expected_close_date.is_(None))
        if self.overdue:
            found.append(row.overdue(moment.today))
        if self.stale:
            found.append(row.stale(moment.stale_before, moment.as_of))
        if self.closed_from is not None:
            found.append(row.closed_at >= moment.calendar.start_of(self.closed_from))
        if self.closed_to is not None:
            found.append(row.closed_at <= moment.calendar.end_of(self.closed_to))
        return found


EVERYTHING = OpportunityFilter()
