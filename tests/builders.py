"""Builders: a test names only what it cares about."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core.database import instant
from crm_core.history import calendar_of
from crm_core.models import (
    Base,
    CloseReason,
    Company,
    Contact,
    Lead,
    Note,
    Opportunity,
    OpportunityStage,
    Outcome,
    Role,
    Target,
    TargetPeriod,
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


@dataclass(frozen=True)
class People:
    """The ids of Rita, a rep; Nora, of her team; Mia, their manager; and Otto, a rep of another team."""

    rita: int
    nora: int
    mia: int
    otto: int


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
            answers.setdefault("actual_close_date", calendar_of(self.session).day_of(closed_at))
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

    def target(self, amount: int = 100, **answers: Any) -> Target:
        answers.setdefault("period", TargetPeriod.MONTH)
        answers.setdefault("starts_on", date(2026, 3, 1))
        return self._add(Target(amount=Decimal(amount), **answers))

    def people(self) -> People:
        north, south = self.team("North").id, self.team("South").id
        return People(
            rita=self.user("Rita Rep", team_id=north).id,
            nora=self.user("Nora North", team_id=north).id,
            mia=self.user("Mia Manager", team_id=north, role=Role.MANAGER).id,
            otto=self.user("Otto Other", team_id=south).id,
        )

    def note(self, text: str = "Called her.", **answers: Any) -> Note:
        answers.setdefault("created_at", instant(self.session))
        return self._add(Note(text=text, **answers))

    def _add(self, row: Row) -> Row:
        self.session.add(row)
        self.session.flush()
        return row


def reason_id(session: Session, label: str, outcome: Outcome = Outcome.LOST) -> int:
    """The key of one of the reasons that every workspace starts with."""
    chosen = select(CloseReason.id).where(CloseReason.outcome == outcome, CloseReason.label == label)
    return session.scalars(chosen).one()


def stored(session: Session, *tables: type[Base]) -> dict[str, list[tuple[Any, ...]]]:
    """What the session's database holds in those tables, by default in all of them."""
    session.flush()
    wanted = [table.__table__ for table in tables] or Base.metadata.sorted_tables
    return {
        table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
        for table in wanted
    }
