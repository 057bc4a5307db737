"""Which opportunities are meant: one object for the list, the chart, the export and the API."""

from datetime import date, datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from crm_core import history
from crm_core.columns import lowered
from crm_core.models import (
    CLOSED_STAGES,
    Company,
    Contact,
    Opportunity,
    OpportunityStage,
    Outcome,
    User,
)
from crm_core.periods import Calendar
from crm_core.schemas.fields import StoredText


class OpportunityFilter(BaseModel):
    """Conditions that must all hold; an empty filter matches every opportunity that was not deleted.

    Several values of one field are alternatives. Days are the workspace's, values its currency's, both ends
    of a range included. `owners` and `teams` mean who a deal counts for: the owner of an open one, the owner
    at the close of a closed one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: StoredText = ""
    stages: frozenset[OpportunityStage] = frozenset()
    is_open: bool | None = None
    outcomes: frozenset[Outcome] = frozenset()
    owners: frozenset[int] = frozenset()
    teams: frozenset[int] = frozenset()
    companies: frozenset[int] = frozenset()
    sources: frozenset[str] = frozenset()
    close_reasons: frozenset[int] = frozenset()
    value_from: Decimal | None = None
    value_to: Decimal | None = None
    without_value: bool = False
    expected_from: date | None = None
    expected_to: date | None = None
    without_date: bool = False
    overdue: bool = False
    created_from: date | None = None
    created_to: date | None = None
    closed_from: date | None = None
    closed_to: date | None = None

    def conditions(
        self, deal: type[Opportunity], *, calendar: Calendar, today: date, as_of: datetime | None = None
    ) -> list[ColumnElement[bool]]:
        """The SQL conditions on `deal`, which is what `history.as_of` made of the model for that instant.

        Names of companies and contacts are those of that instant too; members of a team are those of now.
        """
        return [
            deal.deleted_at.is_(None),
            *self._on_words(deal, as_of),
            *self._on_what(deal),
            *self._on_worth(deal),
            *self._on_when(deal, calendar, today),
        ]

    def _on_words(self, deal: type[Opportunity], as_of: datetime | None) -> list[ColumnElement[bool]]:
        """The text occurs in the deal's, its company's or its contact's name, in whatever case."""
        if not (wanted := self.text.strip().lower()):
            return []
        company, contact = history.as_of(Company, as_of), history.as_of(Contact, as_of)
        return [
            or_(
                _mentions(deal.name, wanted),
                deal.company_id.in_(select(company.id).where(_mentions(company.name, wanted))),
                deal.contact_id.in_(select(contact.id).where(_mentions(contact.name, wanted))),
            )
        ]

    def _on_what(self, deal: type[Opportunity]) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.stages:
            found.append(deal.stage.in_(self.stages))
        if self.is_open is not None:
            found.append(deal.stage.not_in(CLOSED_STAGES) if self.is_open else deal.stage.in_(CLOSED_STAGES))
        if self.outcomes:
            found.append(deal.stage.in_(OpportunityStage.of(outcome) for outcome in self.outcomes))
        if self.owners:
            found.append(deal.counts_for(self.owners))
        if self.teams:
            members = select(User.id).where(User.team_id.in_(self.teams))
            found.append(deal.counts_for(members))
        if self.companies:
            found.append(deal.company_id.in_(self.companies))
        if self.sources:
            found.append(deal.source.in_(self.sources))
        if self.close_reasons:
            found.append(deal.close_reason_id.in_(self.close_reasons))
        return found

    def _on_worth(self, deal: type[Opportunity]) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.value_from is not None:
            found.append(deal.expected_value >= self.value_from)
        if self.value_to is not None:
            found.append(deal.expected_value <= self.value_to)
        if self.without_value:
            found.append(deal.expected_value.is_(None))
        return found

    def _on_when(self, deal: type[Opportunity], calendar: Calendar, today: date) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.expected_from is not None:
            found.append(deal.expected_close_date >= self.expected_from)
        if self.expected_to is not None:
            found.append(deal.expected_close_date <= self.expected_to)
        if self.without_date:
            found.append(deal.expected_close_date.is_(None))
        if self.overdue:
            found.append(deal.overdue(today))
        if self.created_from is not None:
            found.append(deal.created_at >= calendar.start_of(self.created_from))
        if self.created_to is not None:
            found.append(deal.created_at <= calendar.end_of(self.created_to))
        if self.closed_from is not None:
            found.append(deal.closed_at >= calendar.start_of(self.closed_from))
        if self.closed_to is not None:
            found.append(deal.closed_at <= calendar.end_of(self.closed_to))
        return found

    @property
    def is_narrowed(self) -> bool:
        """Whether it lets anything less through than everything."""
        return self != EVERYTHING


EVERYTHING = OpportunityFilter()


def _mentions(name: InstrumentedAttribute[str], wanted: str) -> ColumnElement[bool]:
    return lowered(name).contains(wanted, autoescape=True)
