"""How a deal is created, changed, deleted and restored, and which probability it has."""

from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from crm_core.errors import NotFound
from crm_core.models import OPEN_STAGES, OpportunityStage, Settings, StageSettings
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.schemas.settings import SettingsUpdate, StageSettingsUpdate
from crm_core.services import settings_service
from crm_core.services.opportunity_service import (
    count_opportunities,
    create_opportunity,
    delete_opportunity,
    get_opportunity,
    get_rows,
    move_opportunity,
    reopen_opportunity,
    restore_opportunity,
    update_opportunities,
    update_opportunity,
)
from crm_core.services.records import (
    BelongsToDeleted,
    OwnerIsInactive,
    RecordNotFound,
    RequestOfSomebodyElse,
)
from tests.builders import Make, stored
from tests.conftest import NOW
from tests.crm_core.importing.conftest import every_row

S = OpportunityStage
A_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("stage", "probability"),
    [(S.QUALIFICATION, 10), (S.DISCOVERY, 25), (S.PROPOSAL, 50), (S.NEGOTIATION, 75)],
)
def test_a_new_deal_gets_its_stages_probability(session, stage, probability):
    deal = create_opportunity(session, OpportunityCreate(name="Solar roof", stage=stage))

    assert (deal.stage, deal.probability, deal.version, deal.created_at) == (stage, probability, 1, NOW)


@pytest.mark.parametrize("probability", [0, 33, 100])
def test_a_probability_that_is_given_is_kept(session, probability):
    deal = create_opportunity(session, OpportunityCreate(name="Solar roof", probability=probability))

    assert deal.probability == probability


def test_a_request_sent_twice_creates_one_deal(session):
    draft = OpportunityCreate(name="Solar roof", request_id="r-1")

    assert create_opportunity(session, draft) is create_opportunity(session, draft)


def test_a_request_sent_twice_creates_one_deal_even_if_it_was_changed_and_deleted_since(database):
    draft = OpportunityCreate(name="Solar roof", request_id="r-1")
    with database.write(at=NOW) as session:
        first = create_opportunity(session, draft).id
        delete_opportunity(session, first)

    with database.write() as session:
        assert create_opportunity(session, draft).id == first


def test_the_request_of_somebody_else_is_not_answered(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        session.get_one(Settings, 1).visibility = "own"
        rita, sam = make.user("Rita").id, make.user("Sam").id
        create_opportunity(session, OpportunityCreate(name="Sam's", owner_id=sam, request_id="r-1"))

    with (
        database.write(actor=rita) as session,
        pytest.raises(RequestOfSomebodyElse, match="Send another one"),
    ):
        create_opportunity(session, OpportunityCreate(name="Rita's", request_id="r-1"))


@pytest.mark.parametrize("field", ["company_id", "contact_id", "owner_id"])
def test_a_deal_points_only_to_what_is_there(session, make, field):
    deal = make.opportunity()

    with pytest.raises(NotFound, match=r"There is no .* 99; it may have been deleted"):
        create_opportunity(session, OpportunityCreate(name="Solar roof", **{field: 99}))
    with pytest.raises(NotFound):
        update_opportunity(session, deal.id, OpportunityUpdate(**{field: 99}))


def test_a_deal_does_not_point_to_a_deleted_company(session, make):
    company = make.company(deleted_at=NOW)

    with pytest.raises(NotFound):
        create_opportunity(session, OpportunityCreate(name="Solar roof", company_id=company.id))


def test_a_deal_is_not_given_to_somebody_who_left(session, make):
    deal, ina = make.opportunity(), make.user("Ina", is_active=False)
    before = stored(session)

    with pytest.raises(OwnerIsInactive, match=r"Ina no longer works here\. Choose another owner"):
        create_opportunity(session, OpportunityCreate(name="Solar roof", owner_id=ina.id))
    with pytest.raises(OwnerIsInactive):
        update_opportunity(session, deal.id, OpportunityUpdate(owner_id=ina.id, name="Mine"))

    assert stored(session) == before


def test_the_deal_of_somebody_who_left_can_be_changed(session, make):
    ina = make.user("Ina", is_active=False)
    deal = make.opportunity(owner_id=ina.id)

    update_opportunity(session, deal.id, OpportunityUpdate(name="Solar park", owner_id=ina.id))

    assert (deal.name, deal.owner_id) == ("Solar park", ina.id)


def test_what_is_not_sent_stays_and_null_empties(session, make):
    deal = make.opportunity(expected_value=Decimal(100), next_step="Call")

    update_opportunity(session, deal.id, OpportunityUpdate(expected_value=None, name="Solar park"))

    assert (deal.name, deal.expected_value, deal.next_step) == ("Solar park", None, "Call")


@pytest.mark.parametrize("field", ["name", "stage", "probability"])
def test_a_required_field_can_not_be_emptied(field):
    with pytest.raises(ValidationError):
        OpportunityUpdate(**{field: None})


def test_a_probability_given_with_the_move_wins(session, make):
    deal = make.opportunity()

    update_opportunity(session, deal.id, OpportunityUpdate(stage=S.PROPOSAL, probability=66))

    assert (deal.stage, deal.probability) == (S.PROPOSAL, 66)


@pytest.mark.parametrize("probability", [0, 10, 50, 100])
@pytest.mark.parametrize("follows", [True, False])
def test_a_probability_given_with_the_move_wins_even_if_it_is_the_present_one(
    session, make, follows, probability
):
    session.get_one(Settings, 1).probability_follows_stage = follows
    one, two, three = (make.opportunity(probability=10) for _ in range(3))

    changes = OpportunityUpdate(stage=S.PROPOSAL, probability=probability)
    update_opportunity(session, one.id, changes)
    update_opportunities(session, [two.id], changes)
    move_opportunity(session, three.id, to=S.PROPOSAL, probability=probability)

    assert {(deal.stage, deal.probability) for deal in (one, two, three)} == {(S.PROPOSAL, probability)}


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


def test_a_deleted_deal_is_gone_until_it_is_restored(session, make):
    deal = make.opportunity()

    delete_opportunity(session, deal.id)
    with pytest.raises(RecordNotFound, match="it may have been deleted"):
        get_opportunity(session, deal.id)
    assert (get_rows(session), count_opportunities(session)) == ([], 0)

    restore_opportunity(session, deal.id)
    assert get_opportunity(session, deal.id) is deal
    assert count_opportunities(session) == 1


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


def test_what_does_not_exist_is_not_restored(session):
    with pytest.raises(RecordNotFound):
        restore_opportunity(session, 99)
