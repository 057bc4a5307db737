"""Which opportunities are meant: one object for the list, the chart, the export and the API."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, or_, select

from crm_core.columns import lowered
from crm_core.models import Company, Contact, Opportunity, OpportunityStage, Outcome, User
from crm_core.periods import Calendar, Period


class OpportunityFilter(BaseModel):
    """Conditions that must all hold; an empty filter matches every opportunity that was not deleted.

    Several values of one field are alternatives. Days are the workspace's, values its currency's, both ends
    of a range included. `owners` and `teams` mean who a deal counts for: the owner of an open one, the owner
    at the close of a closed one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = ""
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
        self, deal: type[Opportunity], *, calendar: Calendar, today: date
    ) -> list[ColumnElement[bool]]:
        """The SQL conditions on `deal`: the model itself, or what `history.as_of` made of it."""
        return [
            deal.deleted_at.is_(None),
            *self._on_what(deal),
            *self._on_worth(deal),
            *self._on_when(deal, calendar, today),
        ]

    def _on_what(self, deal: type[Opportunity]) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.text.strip():
            found.append(_mentions(deal, self.text.strip()))
        if self.stages:
            found.append(deal.stage.in_(self.stages))
        if self.is_open is not None:
            found.append(deal.closed_at.is_(None) if self.is_open else deal.closed_at.is_not(None))
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

    def closed_in(self, period: Period, outcome: Outcome) -> "OpportunityFilter":
        """This filter, narrowed to deals that ended like that in the period."""
        changes = {
            "outcomes": frozenset({outcome}),
            "closed_from": period.start,
            "closed_to": period.last_day,
        }
        return self.model_copy(update=changes)


EVERYTHING = OpportunityFilter()


def _mentions(deal: type[Opportunity], words: str) -> ColumnElement[bool]:
    """The text occurs in the deal's, its company's or its contact's name, in whatever case."""
    wanted = words.lower()
    companies = select(Company.id).where(lowered(Company.name).contains(wanted, autoescape=True))
    contacts = select(Contact.id).where(lowered(Contact.name).contains(wanted, autoescape=True))
    return or_(
        lowered(deal.name).contains(wanted, autoescape=True),
        deal.company_id.in_(companies),
        deal.contact_id.in_(contacts),
    )
