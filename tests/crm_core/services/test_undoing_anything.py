"""Many actions, one after the other, of which some are undone: nothing else is touched."""

import random
from contextlib import suppress

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import check
from crm_core.database import instant
from crm_core.errors import CrmError, InvalidInput
from crm_core.models import (
    LOCAL_USER_ID,
    OPEN_STAGES,
    Company,
    Contact,
    Lead,
    LeadStatus,
    Opportunity,
    OpportunityStage,
    Outcome,
    Record,
)
from crm_core.schemas.company import CompanyCreate, CompanyUpdate
from crm_core.schemas.contact import ContactCreate, ContactUpdate
from crm_core.schemas.lead import LeadCreate, LeadUpdate
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services import company_service, contact_service, lead_service, opportunity_service
from crm_core.services.undo_service import NothingToUndo, current_transaction
from tests import forms
from tests.crm_core.services.actions import all_rows, rows, undone

S = OpportunityStage


class Player:
    """Does anything, with any record, and often what is refused."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def act(self, session: Session) -> None:
        for _ in range(self.chance.randint(1, 4)):
            with suppress(CrmError):
                self.chance.choice([self.create, self.change, self.sell, self.many, self.delete, self.merge])(
                    session
                )

    def one(self, session: Session, model: type[Record]) -> int:
        ids = list(session.scalars(select(model.id).order_by(model.id)))
        if not ids:
            raise InvalidInput("None yet.")
        return self.chance.choice(ids)

    def maybe(self, session: Session, model: type[Record]) -> int | None:
        return self.one(session, model) if self.chance.random() < 0.7 else None

    def create(self, session: Session) -> None:
        match self.chance.randrange(4):
            case 0:
                company_service.create_company(session, CompanyCreate(name="Acme"))
            case 1:
                email = f"ada@{self.chance.randrange(9)}.example"
                draft = ContactCreate(name="Ada", company_id=self.maybe(session, Company), email=email)
                contact_service.create_contact(session, draft)
            case 2:
                draft = LeadCreate(name="Grace", status=LeadStatus.QUALIFIED, company_name="Wind park")
                lead_service.create_lead(session, draft)
            case 3:
                opportunity_service.create_opportunity(
                    session,
                    OpportunityCreate(
                        name="Roof",
                        company_id=self.maybe(session, Company),
                        contact_id=self.maybe(session, Contact),
                        stage=self.chance.choice(OPEN_STAGES),
                    ),
                )

    def change(self, session: Session) -> None:
        name = self.chance.choice(["A", "B"])
        match self.chance.randrange(4):
            case 0:
                company_service.update_company(session, self.one(session, Company), CompanyUpdate(name=name))
            case 1:
                changes = ContactUpdate(name=name, company_id=self.maybe(session, Company))
                contact_service.update_contact(session, self.one(session, Contact), changes)
            case 2:
                lead_service.update_lead(session, self.one(session, Lead), LeadUpdate(name=name))
            case 3:
                changes = OpportunityUpdate(
                    expected_value=self.chance.randrange(9), company_id=self.maybe(session, Company)
                )
                opportunity_service.update_opportunity(session, self.one(session, Opportunity), changes)

    def sell(self, session: Session) -> None:
        match self.chance.randrange(4):
            case 0:
                opportunity_service.convert_lead_to_opportunity(session, self.one(session, Lead))
            case 1:
                to = self.chance.choice(OPEN_STAGES)
                opportunity_service.move_opportunity(session, self.one(session, Opportunity), to=to)
            case 2:
                outcome, reason = self.chance.choice([(Outcome.WON, None), (Outcome.LOST, 7)])
                opportunity_service.close_opportunity(
                    session, self.one(session, Opportunity), outcome=outcome, reason_id=reason
                )
            case 3:
                opportunity_service.reopen_opportunity(session, self.one(session, Opportunity), to=S.PROPOSAL)

    def many(self, session: Session) -> None:
        deals = {self.one(session, Opportunity) for _ in range(3)}
        opportunity_service.update_opportunities(session, deals, OpportunityUpdate(source="Fair"))

    def merge(self, session: Session) -> None:
        merge, model = self.chance.choice(
            [(company_service.merge_companies, Company), (contact_service.merge_contacts, Contact)]
        )
        merge(session, self.one(session, model), self.one(session, model))

    def delete(self, session: Session) -> None:
        delete, restore, model = self.chance.choice(
            [
                (company_service.delete_company, company_service.restore_company, Company),
                (contact_service.delete_contact, contact_service.restore_contact, Contact),
                (lead_service.delete_lead, lead_service.restore_lead, Lead),
                (
                    opportunity_service.delete_opportunity,
                    opportunity_service.restore_opportunity,
                    Opportunity,
                ),
            ]
        )
        self.chance.choice([delete, restore])(session, self.one(session, model))


@pytest.mark.parametrize("seed", range(forms.either(2, 6)))
def test_all_that_was_done_is_undone(database, seed):
    player, past, count = Player(seed), [], 0
    for _ in range(40):
        before = all_rows(database)
        with database.write(actor=LOCAL_USER_ID) as session:
            player.act(session)
            action = current_transaction(session)
        after = all_rows(database)
        if action is None:
            assert after == before
            continue
        if player.chance.random() < 0.5:
            try:
                again = undone(database, action)
            except NothingToUndo:
                assert {key: after[key] for key in before} == before
                continue
            count += 1
            back = all_rows(database)
            assert {key: back[key] for key in before} == before
            assert all(back[key]["deleted_at"] for key in back.keys() - before.keys())
            if player.chance.random() < 0.5:
                undone(database, again)
                assert all_rows(database) == after
        with database.read() as session:
            past.append((instant(session), rows(session)))

    assert count > 5
    assert check.findings(database) == []
    with database.read() as session:
        for at, then in past:
            assert rows(session, at) == then
