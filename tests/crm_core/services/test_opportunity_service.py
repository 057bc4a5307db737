"""What only deals have: a probability that follows their stage, and a company and a contact to come back to.

What is the same for every kind of record is in test_every_noun.py.
"""

from datetime import timedelta
from itertools import product

import pytest
from pydantic import ValidationError

from crm_core.models import OPEN_STAGES, OpportunityStage, Settings, StageSettings
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.schemas.settings import SettingsUpdate, StageSettingsUpdate
from crm_core.services import settings_service
from crm_core.services.opportunity_service import (
    create_opportunity,
    get_opportunity,
    move_opportunity,
    reopen_opportunity,
    restore_opportunity,
    update_opportunities,
    update_opportunity,
)
from crm_core.services.records import BelongsToDeleted
from tests.builders import Make
from tests.conftest import NOW
from tests.crm_core.importing.conftest import every_row

S = OpportunityStage
A_DAY = timedelta(days=1)


def test_a_new_deal_gets_its_stages_probability(session):
    expected = {S.QUALIFICATION: 10, S.DISCOVERY: 25, S.PROPOSAL: 50, S.NEGOTIATION: 75}

    for stage, probability in expected.items():
        deal = create_opportunity(session, OpportunityCreate(name="Solar roof", stage=stage))
        assert (deal.stage, deal.probability, deal.version, deal.created_at) == (stage, probability, 1, NOW)


def test_a_probability_that_is_given_stays(session):
    for probability in (0, 33, 100):
        draft = OpportunityCreate(name="Solar roof", probability=probability)
        assert create_opportunity(session, draft).probability == probability


def test_a_required_field_can_not_be_emptied():
    for field in ("name", "stage", "probability"):
        with pytest.raises(ValidationError, match=field):
            OpportunityUpdate(**{field: None})


def test_a_probability_given_with_the_move_wins(session, make):
    deal = make.opportunity()

    update_opportunity(session, deal.id, OpportunityUpdate(stage=S.PROPOSAL, probability=66))

    assert (deal.stage, deal.probability) == (S.PROPOSAL, 66)


def test_a_probability_given_with_the_move_wins_even_if_it_is_the_present_one(session, make):
    for follows, probability in product((True, False), (0, 10, 50, 100)):
        session.get_one(Settings, 1).probability_follows_stage = follows
        deals = one, two, three = [make.opportunity(probability=10) for _ in range(3)]

        changes = OpportunityUpdate(stage=S.PROPOSAL, probability=probability)
        update_opportunity(session, one.id, changes)
        update_opportunities(session, [two.id], changes)
        move_opportunity(session, three.id, to=S.PROPOSAL, probability=probability)

        assert [(deal.stage, deal.probability) for deal in deals] == [(S.PROPOSAL, probability)] * 3


def test_a_probability_changes_without_the_stage(session, make):
    deal = make.opportunity(stage=S.PROPOSAL)

    update_opportunity(session, deal.id, OpportunityUpdate(probability=66))
    assert (deal.stage, deal.probability) == (S.PROPOSAL, 66)
    move_opportunity(session, deal.id, to=S.PROPOSAL, probability=67)
    assert (deal.stage, deal.probability) == (S.PROPOSAL, 67)


def test_the_probability_stays_where_the_workspace_wants_it_so(session, make):
    session.get_one(Settings, 1).probability_follows_stage = False
    deal, other = make.opportunity(probability=42), make.opportunity(probability=43)

    move_opportunity(session, deal.id, to=S.NEGOTIATION)
    update_opportunity(session, other.id, OpportunityUpdate(stage=S.NEGOTIATION))

    assert (deal.probability, other.probability) == (42, 43)


def test_without_following_new_and_reopened_deals_still_get_a_probability(session, make):
    session.get_one(Settings, 1).probability_follows_stage = False

    assert create_opportunity(session, OpportunityCreate(name="New", stage=S.PROPOSAL)).probability == 50
    assert reopen_opportunity(session, make.won().id, to=S.DISCOVERY).probability == 25
    assert reopen_opportunity(session, make.lost().id, to=S.DISCOVERY, probability=7).probability == 7


@pytest.mark.parametrize("stage", OPEN_STAGES)
def test_a_changed_default_touches_no_deal_and_holds_from_then_on(database, stage):
    with database.write(at=NOW) as session:
        deals = [Make(session).opportunity(stage=here).id for here in OpportunityStage]
    before = every_row(database)

    with database.write(at=NOW + A_DAY) as session:
        settings_service.update_stage_settings(session, stage, StageSettingsUpdate(default_probability=64))
    after = every_row(database)
    assert (after["opportunities"], after["opportunity_versions"]) == (
        before["opportunities"],
        before["opportunity_versions"],
    )

    with database.write(at=NOW + 2 * A_DAY) as session:
        start = S.PROPOSAL if stage is not S.PROPOSAL else S.DISCOVERY
        moved = Make(session).opportunity(stage=start)
        assert move_opportunity(session, moved.id, to=stage).probability == 64
        assert create_opportunity(session, OpportunityCreate(name="New", stage=stage)).probability == 64
        assert reopen_opportunity(session, deals[-1], to=stage).probability == 64


def test_what_a_transaction_decides_holds_for_the_moves_after_it(session, make):
    first, second, third = (make.opportunity(probability=10) for _ in range(3))

    move_opportunity(session, first.id, to=S.PROPOSAL)
    settings_service.update_stage_settings(session, S.PROPOSAL, StageSettingsUpdate(default_probability=64))
    move_opportunity(session, second.id, to=S.PROPOSAL)
    settings_service.update_settings(session, SettingsUpdate(probability_follows_stage=False))
    move_opportunity(session, third.id, to=S.PROPOSAL)

    assert [deal.probability for deal in (first, second, third)] == [50, 64, 10]


def test_a_changed_switch_touches_no_deal(database):
    with database.write(at=NOW) as session:
        deal = Make(session).opportunity(probability=42).id
    before = every_row(database)

    for follows in (False, True):
        with database.write() as session:
            settings_service.update_settings(session, SettingsUpdate(probability_follows_stage=follows))

    assert every_row(database)["opportunities"] == before["opportunities"]
    with database.read() as session:
        assert get_opportunity(session, deal).probability == 42
        assert session.get_one(StageSettings, S.QUALIFICATION).default_probability == 10


def test_a_deal_is_not_restored_without_its_company_and_contact(session, make):
    company, contact = make.company("Acme"), make.contact("Ada")
    deal = make.opportunity(name="Solar roof", company_id=company.id, contact_id=contact.id, deleted_at=NOW)
    company.deleted_at = contact.deleted_at = NOW

    words = "“Solar roof” belongs to the company “Acme”, which was deleted. Restore the company first"
    with pytest.raises(BelongsToDeleted, match=words):
        restore_opportunity(session, deal.id)
    company.deleted_at = None
    with pytest.raises(BelongsToDeleted, match="Restore the contact first"):
        restore_opportunity(session, deal.id)
    contact.deleted_at = None
    assert restore_opportunity(session, deal.id).deleted_at is None
