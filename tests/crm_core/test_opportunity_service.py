"""What can be done with a deal, what is refused, and in which words."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from crm_core.database import instant
from crm_core.errors import InvalidInput, NotFound
from crm_core.filters import OpportunityFilter
from crm_core.models import (
    CLOSED_STAGES,
    OPEN_STAGES,
    CloseReason,
    OpportunityStage,
    Outcome,
    Settings,
    StageSettings,
)
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services.opportunity_service import (
    CloseNeedsOutcome,
    ImpossibleCloseDate,
    LossNeedsReason,
    OpportunityIsClosed,
    OpportunityIsOpen,
    OpportunityNotFound,
    OpportunitySort,
    ReasonNeedsNote,
    ReopenNeedsOpenStage,
    TooEarlyToWin,
    WrongReason,
    close_opportunity,
    count_opportunities,
    create_opportunity,
    delete_opportunity,
    get_opportunities,
    get_opportunity,
    move_opportunity,
    reopen_opportunity,
    restore_opportunity,
    update_opportunity,
)
from tests.conftest import NOW

S = OpportunityStage
TODAY = NOW.date()
A_DAY = timedelta(days=1)


def reason(session, outcome: Outcome, label: str) -> int:
    return session.query(CloseReason.id).filter_by(outcome=outcome, label=label).scalar()


@pytest.mark.parametrize(("stage", "probability"), zip(OPEN_STAGES, [10, 25, 50, 75], strict=True))
def test_a_new_deal_gets_its_stages_probability(session, stage, probability):
    deal = create_opportunity(session, OpportunityCreate(name="Solar roof", stage=stage))

    assert (deal.stage, deal.probability, deal.version, deal.created_at) == (stage, probability, 1, NOW)


def test_a_probability_that_is_given_is_kept(session):
    deal = create_opportunity(session, OpportunityCreate(name="Solar roof", probability=33))

    assert deal.probability == 33


def test_a_request_sent_twice_creates_one_deal(session):
    draft = OpportunityCreate(name="Solar roof", request_id="r-1")

    assert create_opportunity(session, draft) is create_opportunity(session, draft)


@pytest.mark.parametrize("closed", CLOSED_STAGES)
def test_no_deal_is_created_closed(session, closed):
    with pytest.raises(CloseNeedsOutcome, match="Close it as won or lost instead"):
        create_opportunity(session, OpportunityCreate(name="Solar roof", stage=closed))


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


def test_what_is_not_sent_stays_and_null_empties(session, make):
    deal = make.opportunity(expected_value=Decimal(100), next_step="Call")

    update_opportunity(session, deal.id, OpportunityUpdate(expected_value=None, name="Solar park"))

    assert (deal.name, deal.expected_value, deal.next_step) == ("Solar park", None, "Call")


@pytest.mark.parametrize("field", ["name", "stage", "probability"])
def test_a_required_field_can_not_be_emptied(field):
    with pytest.raises(ValidationError):
        OpportunityUpdate(**{field: None})


@pytest.mark.parametrize("there", OPEN_STAGES)
@pytest.mark.parametrize("here", OPEN_STAGES)
def test_an_open_deal_moves_freely_and_its_probability_follows(session, make, here, there):
    deal = make.opportunity(stage=here, probability=42)

    move_opportunity(session, deal.id, to=there)

    follows = {S.QUALIFICATION: 10, S.DISCOVERY: 25, S.PROPOSAL: 50, S.NEGOTIATION: 75}
    assert (deal.stage, deal.probability) == (there, 42 if here is there else follows[there])


def test_a_probability_given_with_the_move_wins(session, make):
    deal = make.opportunity()

    update_opportunity(session, deal.id, OpportunityUpdate(stage=S.PROPOSAL, probability=66))

    assert (deal.stage, deal.probability) == (S.PROPOSAL, 66)


def test_the_probability_stays_where_the_workspace_wants_it_so(session, make):
    session.get_one(Settings, 1).probability_follows_stage = False
    deal = make.opportunity(probability=42)

    move_opportunity(session, deal.id, to=S.NEGOTIATION)

    assert deal.probability == 42


@pytest.mark.parametrize("closed", CLOSED_STAGES)
def test_no_move_closes_a_deal(session, make, closed):
    deal = make.opportunity(name="Solar roof", stage=S.NEGOTIATION)

    with pytest.raises(CloseNeedsOutcome, match="“Solar roof”"):
        move_opportunity(session, deal.id, to=closed)
    with pytest.raises(CloseNeedsOutcome):
        update_opportunity(session, deal.id, OpportunityUpdate(stage=closed))

    assert deal.stage is S.NEGOTIATION


@pytest.mark.parametrize("closed", CLOSED_STAGES)
def test_a_closed_deal_stays_closed(session, make, closed):
    deal = make.opportunity(name="Solar roof", stage=closed)

    with pytest.raises(OpportunityIsClosed, match=f"“Solar roof” is already {closed.label}. Reopen it first"):
        move_opportunity(session, deal.id, to=S.PROPOSAL)
    with pytest.raises(OpportunityIsClosed):
        close_opportunity(session, deal.id, outcome=Outcome.WON)
    with pytest.raises(OpportunityIsClosed):
        update_opportunity(session, deal.id, OpportunityUpdate(probability=50))


def test_the_words_of_a_closed_deal_can_be_corrected(session, make):
    deal = make.won(100)

    update_opportunity(session, deal.id, OpportunityUpdate(name="Solar park", expected_value=200))

    assert (deal.name, deal.expected_value, deal.stage) == ("Solar park", 200, S.CLOSED_WON)


@pytest.mark.parametrize("stage", [S.PROPOSAL, S.NEGOTIATION])
def test_a_late_deal_can_be_won(session, make, stage):
    owner = make.user()
    deal = make.opportunity(stage=stage, owner_id=owner.id, expected_close_date=TODAY + A_DAY)

    close_opportunity(session, deal.id, outcome=Outcome.WON)

    assert (deal.stage, deal.probability) == (S.CLOSED_WON, 100)
    assert (deal.closed_at, deal.actual_close_date) == (instant(session), TODAY)
    assert (deal.credited_owner_id, deal.expected_close_date) == (owner.id, TODAY + A_DAY)


@pytest.mark.parametrize("stage", [S.QUALIFICATION, S.DISCOVERY])
def test_an_early_deal_can_not_be_won(session, make, stage):
    deal = make.opportunity(stage=stage)

    with pytest.raises(TooEarlyToWin, match="Deals are won from proposal or negotiation: move it first"):
        close_opportunity(session, deal.id, outcome=Outcome.WON)


def test_from_where_deals_are_won_is_the_workspaces_choice(session, make):
    session.get_one(StageSettings, S.QUALIFICATION).can_be_won = True
    deal = make.opportunity()

    close_opportunity(session, deal.id, outcome=Outcome.WON)

    assert deal.is_won


@pytest.mark.parametrize("stage", OPEN_STAGES)
def test_every_open_deal_can_be_lost_for_a_reason(session, make, stage):
    deal = make.opportunity(stage=stage)

    close_opportunity(
        session, deal.id, outcome=Outcome.LOST, reason_id=reason(session, Outcome.LOST, "Price")
    )

    assert (deal.stage, deal.probability) == (S.CLOSED_LOST, 0)


def test_a_loss_needs_a_reason(session, make):
    deal = make.opportunity()

    with pytest.raises(LossNeedsReason, match="choose a reason"):
        close_opportunity(session, deal.id, outcome=Outcome.LOST)


@pytest.mark.parametrize("note", [None, "", "  "])
def test_the_reason_other_needs_a_note(session, make, note):
    deal, other = make.opportunity(), reason(session, Outcome.LOST, "Other")

    with pytest.raises(ReasonNeedsNote, match="“Other” says little"):
        close_opportunity(session, deal.id, outcome=Outcome.LOST, reason_id=other, note=note)


def test_a_reason_belongs_to_its_outcome(session, make):
    deal, luck = make.opportunity(), reason(session, Outcome.WON, "Product fit")

    with pytest.raises(WrongReason, match="is no reason for a lost deal"):
        close_opportunity(session, deal.id, outcome=Outcome.LOST, reason_id=luck)
    with pytest.raises(NotFound):
        close_opportunity(session, deal.id, outcome=Outcome.LOST, reason_id=99)


def test_a_deal_is_not_closed_in_the_future(session, make):
    deal = make.opportunity(stage=S.PROPOSAL)

    with pytest.raises(ImpossibleCloseDate, match="in the future"):
        close_opportunity(session, deal.id, outcome=Outcome.WON, on=TODAY + A_DAY)


def test_a_deal_is_not_closed_before_it_was_created(session, make):
    deal = make.opportunity(stage=S.PROPOSAL, created_at=NOW - A_DAY)

    with pytest.raises(ImpossibleCloseDate, match="was created on 2026-03-17"):
        close_opportunity(session, deal.id, outcome=Outcome.WON, on=TODAY - 2 * A_DAY)


def test_a_past_day_counts_from_its_last_second(session, make):
    deal = make.opportunity(stage=S.PROPOSAL, created_at=NOW - 9 * A_DAY)

    close_opportunity(session, deal.id, outcome=Outcome.WON, on=TODAY - A_DAY)

    assert deal.closed_at == datetime(2026, 3, 17, 23, 59, 59, tzinfo=UTC)
    assert deal.actual_close_date == TODAY - A_DAY


def test_a_deal_created_in_the_last_second_of_a_day_can_be_closed_on_it(session, make):
    created = datetime(2026, 3, 17, 23, 59, 59, 500_000, tzinfo=UTC)
    deal = make.opportunity(stage=S.PROPOSAL, created_at=created)

    close_opportunity(session, deal.id, outcome=Outcome.WON, on=created.date())
    session.flush()

    assert (deal.closed_at, deal.actual_close_date) == (created, created.date())


def test_today_is_the_workspaces(session, make):
    session.get_one(Settings, 1).time_zone = "Pacific/Kiritimati"
    deal = make.opportunity(stage=S.PROPOSAL)

    close_opportunity(session, deal.id, outcome=Outcome.WON)

    assert deal.actual_close_date == TODAY + A_DAY


@pytest.mark.parametrize("to", OPEN_STAGES)
def test_a_reopened_deal_is_as_if_it_was_never_closed(session, make, to):
    deal = make.won(100, owner_id=make.user().id, close_reason_id=1, close_note="Great")

    reopen_opportunity(session, deal.id, to=to)
    session.flush()

    assert (deal.stage, deal.closed_at, deal.actual_close_date) == (to, None, None)
    assert (deal.close_reason_id, deal.close_note, deal.credited_owner_id) == (None, None, None)


def test_an_open_deal_is_not_reopened(session, make):
    with pytest.raises(OpportunityIsOpen, match="is open already"):
        reopen_opportunity(session, make.opportunity().id, to=S.PROPOSAL)


@pytest.mark.parametrize("closed", CLOSED_STAGES)
def test_a_deal_is_not_reopened_into_a_closed_stage(session, make, closed):
    with pytest.raises(ReopenNeedsOpenStage):
        reopen_opportunity(session, make.won().id, to=closed)


def test_a_deleted_deal_is_gone_until_it_is_restored(session, make):
    deal = make.opportunity()

    delete_opportunity(session, deal.id)
    with pytest.raises(OpportunityNotFound, match="it may have been deleted"):
        get_opportunity(session, deal.id)
    assert (get_opportunities(session), count_opportunities(session)) == ([], 0)

    restore_opportunity(session, deal.id)
    assert get_opportunity(session, deal.id) is deal
    assert count_opportunities(session) == 1


def test_what_does_not_exist_is_not_restored(session):
    with pytest.raises(OpportunityNotFound):
        restore_opportunity(session, 99)


@pytest.mark.parametrize("sort", OpportunitySort)
def test_pages_in_any_order_hold_every_deal_once(session, make, sort):
    company, owner = make.company(), make.user()
    for number in range(7):
        whose = {"company_id": company.id, "owner_id": owner.id} if number % 2 else {}
        make.opportunity(name="Deal", expected_value=Decimal(number // 3) if number else None, **whose)

    pages = [get_opportunities(session, sort=sort, limit=3, offset=offset) for offset in (0, 3, 6)]

    assert sorted(deal.id for page in pages for deal in page) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("sort", [OpportunitySort.VALUE, OpportunitySort.VALUE_DESCENDING])
def test_unknown_values_come_last(session, make, sort):
    for value in (None, 5, 3):
        make.opportunity(expected_value=value and Decimal(value))

    values = [deal.expected_value for deal in get_opportunities(session, sort=sort)]

    assert values == ([3, 5, None] if sort is OpportunitySort.VALUE else [5, 3, None])


def test_a_list_shows_the_names_of_company_and_owner(session, make):
    make.opportunity(company_id=make.company("Acme").id, owner_id=make.user("Rita Rep").id)

    (deal,) = get_opportunities(session)

    assert (deal.company_name, deal.owner_name) == ("Acme", "Rita Rep")


@pytest.mark.parametrize("text", ["ROOF", "acme", "ada", "50%"])
def test_a_search_looks_at_deal_company_and_contact(session, make, text):
    company, contact = make.company("Acme"), make.contact("Ada Lovelace")
    wanted = make.opportunity(name="Solar roof 50%", company_id=company.id, contact_id=contact.id)
    make.opportunity(name="Wind park 500")

    found = get_opportunities(session, OpportunityFilter(text=text))

    assert [deal.id for deal in found] == [wanted.id]


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (201, 0), (10, -1)])
def test_a_page_has_a_sensible_size(session, limit, offset):
    with pytest.raises(InvalidInput):
        get_opportunities(session, limit=limit, offset=offset)
