"""Builders: a test names only what it cares about."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from crm_core.database import instant
from crm_core.models import (
    Base,
    Company,
    Contact,
    Lead,
    Opportunity,
    OpportunityStage,
    Team,
    User,
)

PROBABILITIES = {
    OpportunityStage.QUALIFICATION: 10,
    OpportunityStage.DISCOVERY: 25,
    OpportunityStage.PROPOSAL: 50,
    OpportunityStage.NEGOTIATION: 75,
    OpportunityStage.CLOSED_WON: 100,
    OpportunityStage.CLOSED_LOST: 0,
}

Row = TypeVar("Row", bound=Base)


class Make:
    """Creates records in a session; each has its id when it is returned."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def opportunity(self, **answers: Any) -> Opportunity:
        stage = answers.setdefault("stage", OpportunityStage.QUALIFICATION)
        answers.setdefault("name", "Solar roof")
        answers.setdefault("probability", PROBABILITIES[stage])
        if stage.is_closed:
            closed_at = answers.setdefault("closed_at", instant(self.session))
            answers.setdefault("created_at", closed_at - timedelta(days=30))
            answers.setdefault("actual_close_date", closed_at.date())
            answers.setdefault("credited_owner_id", answers.get("owner_id"))
        return self._add(Opportunity(**answers))

    def won(self, value: int | str | None = None, **answers: Any) -> Opportunity:
        worth = None if value is None else Decimal(value)
        return self.opportunity(stage=OpportunityStage.CLOSED_WON, expected_value=worth, **answers)

    def lost(self, value: int | str | None = None, **answers: Any) -> Opportunity:
        worth = None if value is None else Decimal(value)
        return self.opportunity(stage=OpportunityStage.CLOSED_LOST, expected_value=worth, **answers)

    def company(self, name: str = "Acme", **answers: Any) -> Company:
        return self._add(Company(name=name, **answers))

    def contact(self, name: str = "Ada Lovelace", **answers: Any) -> Contact:
        return self._add(Contact(name=name, **answers))

    def lead(self, name: str = "Grace Hopper", **answers: Any) -> Lead:
        return self._add(Lead(name=name, **answers))

    def user(self, name: str = "Rita Rep", **answers: Any) -> User:
        return self._add(User(name=name, **answers))

    def team(self, name: str = "North", **answers: Any) -> Team:
        return self._add(Team(name=name, **answers))

    def _add(self, row: Row) -> Row:
        self.session.add(row)
        self.session.flush()
        return row
