"""Made-up deals: what each of them is, and how it usually passes the stages."""

from dataclasses import dataclass
from datetime import date, timedelta
from math import inf
from random import Random
from typing import Any, NamedTuple

from crm_core.demo import prices
from crm_core.demo.closing import Closing
from crm_core.demo.companies import Customer
from crm_core.demo.people import Rep, Staff
from crm_core.demo.stories import DEAL, Action, Chapter, Life
from crm_core.demo.words import DESCRIPTIONS, INDUSTRIES, NEXT_STEPS, SCOPES
from crm_core.demo.workdays import Workdays, friday_at_latest
from crm_core.models import OpportunityStage
from crm_core.periods import ONE_DAY


class Habit(NamedTuple):
    """How deals pass a stage: working days in it (median), days to go as foreseen, and how often it ends how.

    `back` is the share of those neither lost nor won that is sent back; the others move on.
    """

    days: float
    foreseen: int
    lost: float
    won: float
    back: float


HABITS = {
    OpportunityStage.QUALIFICATION: Habit(days=10, foreseen=75, lost=0.22, won=0, back=0),
    OpportunityStage.DISCOVERY: Habit(days=15, foreseen=56, lost=0.19, won=0, back=0.04),
    OpportunityStage.PROPOSAL: Habit(days=17, foreseen=34, lost=0.2, won=0.06, back=0.09),
    OpportunityStage.NEGOTIATION: Habit(days=13, foreseen=18, lost=0.17, won=0.71, back=1),
}

PLANNED = 0.4
"""How often a deal that enters a stage has a next step at once."""

NO_NEXT_STEP = {"next_step": None, "next_step_date": None}


@dataclass(frozen=True)
class Business:
    """What every deal's life depends on."""

    workdays: Workdays
    staff: Staff
    closing: Closing
    probabilities: dict[OpportunityStage, int]


@dataclass
class Deal:
    """A deal on its way: its life so far, who has it, and the chances it takes."""

    business: Business
    chapter: Chapter
    life: Life
    rep: Rep
    customer: Customer

    @property
    def chance(self) -> Random:
        return self.chapter.chance

    @property
    def stage(self) -> OpportunityStage:
        stage: OpportunityStage = self.life.row["stage"]
        return stage

    def change(self, position: float, **changes: Any) -> None:
        """The owner changes the deal."""
        self.life.change(self.chapter.act(position, self.rep.id), **changes)

    def enter(self, position: float, stage: OpportunityStage, **changes: Any) -> None:
        """The deal comes into an open stage; what was to be done next is replaced, or done."""
        has_plan = self.chance.random() < PLANNED
        self.change(
            position,
            stage=stage,
            probability=self.business.probabilities[stage],
            **(self.next_step(position) if has_plan else NO_NEXT_STEP),
            **changes,
        )

    def due(self) -> float:
        """Where in time the expected close date passes; infinitely far without one, or when it is to come."""
        expected: date | None = self.life.row["expected_close_date"]
        return inf if expected is None else self.business.workdays.position_of(expected + ONE_DAY)

    def foreseen(self, position: float, stage: OpportunityStage | None = None) -> date:
        """When the deal is hoped to close, seen from there: a working day, often the last of a month."""
        days = max(HABITS[stage or self.stage].foreseen * self.chance.lognormvariate(0, 0.45), 6)
        day = self.business.workdays.day(position) + timedelta(days=int(days))
        if self.chance.random() < 0.35:
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1) - ONE_DAY
        return friday_at_latest(day)

    def next_step(self, position: float) -> dict[str, Any]:
        """What the owner wants to do next, and when."""
        day = self.business.workdays.day(position) + timedelta(days=self.chance.randint(2, 12))
        return {"next_step": self.chance.choice(NEXT_STEPS), "next_step_date": friday_at_latest(day)}


def begin(
    business: Business,
    chapter: Chapter,
    deal_id: int,
    action: Action,
    *,
    rep: Rep,
    customer: Customer,
    contact_id: int | None,
    lead_id: int | None,
    source: str | None,
) -> Deal:
    """A deal as it is created."""
    chance = chapter.chance
    stage = OpportunityStage.QUALIFICATION
    life = Life(
        DEAL,
        deal_id,
        action,
        owner_id=rep.id,
        name=_name(customer, chance),
        company_id=customer.id,
        contact_id=contact_id,
        lead_id=lead_id,
        stage=stage,
        probability=business.probabilities[stage],
        expected_value=prices.first_estimate(INDUSTRIES[customer.industry].usual_value, chance),
        source=source,
        description=chance.choice(DESCRIPTIONS) if chance.random() < 0.12 else None,
    )
    deal = Deal(business, chapter, life, rep, customer)
    if chance.random() < 0.85:
        life.row["expected_close_date"] = deal.foreseen(action.position)
    return deal


def _name(customer: Customer, chance: Random) -> str:
    offer = chance.choice(INDUSTRIES[customer.industry].offers)
    scope = f", {chance.choice(SCOPES)}" if chance.random() < 0.65 else ""
    return f"{customer.name} – {offer}{scope}"
