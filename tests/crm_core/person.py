"""Somebody who works with deals by chance: creates, moves, closes, assigns, notes, imports."""

import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import history
from crm_core.models import (
    CLOSED_STAGES,
    OPEN_STAGES,
    CloseReason,
    Company,
    Note,
    Opportunity,
    OpportunityStage,
    Outcome,
    StageSettings,
    Team,
    User,
)
from crm_core.schemas.lead import LeadUpdate
from crm_core.services import lead_service
from crm_core.services import opportunity_service as services
from tests.builders import Make
from tests.conftest import NOW

A_DAY = timedelta(days=1)

OFTEN = ("may_move", "may_edit", "may_create")
OPEN, CLOSED = Opportunity.is_open, ~Opportunity.is_open
LOST_FOR = select(CloseReason).where(CloseReason.outcome == Outcome.LOST).order_by(CloseReason.id)


class Person:
    """Does something by chance."""

    def __init__(self, session: Session, chance: random.Random) -> None:
        self.session, self.chance = session, chance
        self.make, self.now = Make(session), session.info["at"]

    def do(self, often: Sequence[str] = OFTEN) -> str:
        names = [name for name in sorted(vars(Person)) if name.startswith("may_")]
        name = self.chance.choice([*names, *often])
        getattr(self, name)()
        return name

    def id_of(self, model: type, *which) -> int | None:
        ids = self.session.scalars(select(model.id).where(*which).order_by(model.id)).all()
        return self.chance.choice(ids) if ids else None

    def deal(self, *which) -> int | None:
        return self.id_of(Opportunity, Opportunity.deleted_at.is_(None), *which)

    def stage(self) -> OpportunityStage:
        return self.chance.choice(OPEN_STAGES)

    def money(self) -> Decimal:
        return Decimal(self.chance.randrange(10**6)) / 100

    def reason(self) -> int:
        return self.chance.choice(self.session.scalars(LOST_FOR).all()).id

    def may_create(self):
        told = {
            "owner_id": self.id_of(User),
            "company_id": self.id_of(Company),
            "created_at": self.now - self.chance.randrange(40) * A_DAY,
            "expected_value": self.chance.choice([None, self.money()]),
        }
        stage = self.chance.choice([self.stage(), *CLOSED_STAGES])
        if stage.is_closed:
            told["closed_at"] = self.now
        if stage is OpportunityStage.CLOSED_LOST:
            told["close_reason_id"] = self.reason()
        self.make.opportunity(stage=stage, **told)

    def may_edit(self):
        if (deal_id := self.deal()) is not None:
            deal = self.session.get_one(Opportunity, deal_id)
            deal.expected_value = self.money()
            deal.expected_close_date = NOW.date() + self.chance.randrange(-30, 60) * A_DAY
            deal.next_step = self.chance.choice([None, "Call"])

    def may_move(self):
        if (deal := self.deal(OPEN)) is not None:
            services.move_opportunity(self.session, deal, to=self.stage())

    def may_win(self):
        if (deal := self.deal(Opportunity.stage == OpportunityStage.NEGOTIATION)) is not None:
            services.close_opportunity(self.session, deal, outcome=Outcome.WON)

    def may_lose(self):
        if (deal := self.deal(OPEN)) is not None:
            other = select(CloseReason.id).where(CloseReason.needs_note)
            reason, note = self.session.scalars(LOST_FOR).first().id, "Too late"
            assert self.session.scalars(other).all()
            services.close_opportunity(self.session, deal, outcome=Outcome.LOST, reason_id=reason, note=note)

    def may_reopen(self):
        if (deal := self.deal(CLOSED)) is not None:
            services.reopen_opportunity(self.session, deal, to=self.stage())

    def may_delete(self):
        if (deal := self.deal()) is not None:
            services.delete_opportunity(self.session, deal)

    def may_assign_all(self):
        ids = self.session.scalars(select(Opportunity.id).where(Opportunity.deleted_at.is_(None))).all()
        services.assign_opportunities(self.session, ids, owner_id=self.id_of(User))

    def may_note(self):
        self.session.add(Note(text="Called", opportunity_id=self.deal(), created_at=self.now))

    def may_touch_a_lead(self):
        lead_service.update_lead(self.session, self.make.lead().id, LeadUpdate(name="Ada"))

    def may_rename_a_company(self):
        company = self.session.get_one(Company, self.id_of(Company))
        company.name = self.chance.choice(["Solar", "Wind"])

    def may_move_to_a_team(self):
        self.session.get_one(User, self.id_of(User)).team_id = self.id_of(Team)

    def may_count_a_reason(self):
        reason = self.session.get_one(CloseReason, self.reason())
        reason.counts = not reason.counts

    def may_set_a_limit(self):
        limits = select(StageSettings).where(StageSettings.stale_after_days.is_not(None))
        found = self.session.scalars(limits.order_by(StageSettings.stage)).all()
        self.chance.choice(found).stale_after_days = self.chance.randrange(1, 40)

    def may_import(self):
        state = {
            "id": history.next_id(self.session, Opportunity),
            "name": "Old",
            "stage": self.stage(),
            "probability": 50,
            "created_at": self.now - 90 * A_DAY,
            "expected_value": self.money(),
        }
        later = state | {"stage": self.stage()}
        states = [(self.now - 90 * A_DAY, state), (self.now - 20 * A_DAY, later)]
        history.insert_with_past(self.session, Opportunity, [states])
