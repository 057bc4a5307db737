"""What a drop on a column changes, what it is refused, and the order that is kept for each user."""

from datetime import date, timedelta

import pytest

from crm_core.analytics.board import CardOrder, GroupBy, board
from crm_core.errors import InvalidInput, NotAllowed, NotSignedIn
from crm_core.models import OPEN_STAGES, OpportunityStage
from crm_core.services import opportunity_service
from crm_core.services.board_service import (
    MOST_PLACED,
    LaterIsNoDay,
    NoSuchColumn,
    NothingIsPlannedOverdue,
    SizeFollowsFromValue,
    drop,
    find_orders,
    keep_order,
)
from crm_core.services.opportunity_service import CloseNeedsOutcome, OpportunityIsClosed
from crm_core.services.records import ChangedMeanwhile, OwnerIsInactive, RecordNotFound
from tests.builders import Make, stored
from tests.conftest import NOW

S = OpportunityStage
A_DAY = timedelta(days=1)
TODAY = NOW.date()


def columns_of(session, deal, group_by):
    """The keys of the columns that the deal is in."""
    return [
        column.key
        for column in board(session, group_by=group_by)
        if deal.id in {card.deal.id for card in column.cards}
    ]


def test_on_a_stage_a_deal_moves(session, make):
    deal = make.opportunity(stage=S.QUALIFICATION)

    drop(session, deal.id, group_by=GroupBy.STAGE, to="proposal")

    assert (deal.stage, deal.probability) == (S.PROPOSAL, 50)
    assert columns_of(session, deal, GroupBy.STAGE) == ["proposal"]


def test_on_an_owner_a_deal_is_assigned(session, make):
    deal, rita = make.opportunity(), make.user("Rita").id

    drop(session, deal.id, group_by=GroupBy.OWNER, to=str(rita))
    assert (deal.owner_id, columns_of(session, deal, GroupBy.OWNER)) == (rita, [str(rita)])

    drop(session, deal.id, group_by=GroupBy.OWNER, to="none")
    assert (deal.owner_id, columns_of(session, deal, GroupBy.OWNER)) == (None, ["none"])


def test_on_a_month_a_deal_is_expected_by_its_last_day(session, make):
    for before, to, after in (
        (TODAY - A_DAY, "2026-03", date(2026, 3, 31)),
        (None, "2026-03", date(2026, 3, 31)),
        (TODAY, "2026-04", date(2026, 4, 30)),
        (TODAY, "2027-02", date(2027, 2, 28)),
        (TODAY, "2028-02", date(2028, 2, 29)),
        (TODAY, "none", None),
        (date(2029, 1, 5), "2026-12", date(2026, 12, 31)),
    ):
        deal = make.opportunity(expected_close_date=before)
        drop(session, deal.id, group_by=GroupBy.CLOSE_MONTH, to=to)
        assert (before, to, deal.expected_close_date) == (before, to, after)


def test_where_it_is_already_nothing_changes(session, make, subtests):
    ada = make.user("Ada").id
    for group_by, to, answers in (
        (GroupBy.STAGE, "proposal", {"stage": S.PROPOSAL}),
        (GroupBy.STAGE, "closed", {"stage": S.CLOSED_WON}),
        (GroupBy.STAGE, "closed", {"stage": S.CLOSED_LOST}),
        (GroupBy.OWNER, "none", {}),
        (GroupBy.OWNER, str(ada), {"owner_id": ada}),
        (GroupBy.CLOSE_MONTH, "2026-03", {"expected_close_date": TODAY}),
        (GroupBy.CLOSE_MONTH, "overdue", {"expected_close_date": TODAY - A_DAY}),
        (GroupBy.CLOSE_MONTH, "later", {"expected_close_date": date(2027, 3, 1)}),
        (GroupBy.CLOSE_MONTH, "none", {}),
        (GroupBy.SIZE, "2000-5000", {"expected_value": 2_000}),
        (GroupBy.SIZE, "5000-", {"expected_value": 5_000}),
        (GroupBy.SIZE, "none", {}),
    ):
        with subtests.test(group_by=group_by, to=to):
            deal = make.opportunity(**answers, name="Roof")
            before = stored(session)
            drop(session, deal.id, group_by=group_by, to=to, expected_version=deal.version)
            assert stored(session) == before


REFUSED = [
    (GroupBy.STAGE, "closed", {}, CloseNeedsOutcome, "Close it as won or lost"),
    (GroupBy.STAGE, "closed_won", {}, CloseNeedsOutcome, "Close it as won or lost"),
    (GroupBy.STAGE, "proposal", {"stage": S.CLOSED_WON}, OpportunityIsClosed, "Reopen it first"),
    (GroupBy.OWNER, "none", {"stage": S.CLOSED_WON, "owner_id": "Ada"}, OpportunityIsClosed, "Reopen"),
    (GroupBy.OWNER, "999", {}, RecordNotFound, "no user 999"),
    (GroupBy.OWNER, "gone", {}, OwnerIsInactive, "no longer works here"),
    (GroupBy.CLOSE_MONTH, "overdue", {}, NothingIsPlannedOverdue, "a day that has passed"),
    (GroupBy.CLOSE_MONTH, "2026-02", {}, NothingIsPlannedOverdue, "a day that has passed"),
    (GroupBy.CLOSE_MONTH, "later", {}, LaterIsNoDay, "“Later” is no day"),
    (GroupBy.SIZE, "0-1000", {"expected_value": 1_000}, SizeFollowsFromValue, "open the deal to change it"),
    (GroupBy.SIZE, "1000-2000", {"expected_value": 999}, SizeFollowsFromValue, "open the deal to change it"),
    (GroupBy.SIZE, "1000-2000", {}, SizeFollowsFromValue, "open the deal to change it"),
    (GroupBy.SIZE, "none", {"expected_value": 0}, SizeFollowsFromValue, "open the deal to change it"),
    *(
        (group_by, key, {}, NoSuchColumn, "Look at the board again")
        for group_by in (GroupBy.STAGE, GroupBy.OWNER, GroupBy.CLOSE_MONTH)
        for key in ("", "x", "0", "-1", "9" * 5000, "²", "٣", "2026-13", "2026-3", "\x00", "NONE")
    ),
]


def test_what_no_drop_can_do_is_refused(session, make, subtests):
    ada, gone = make.user("Ada").id, make.user("Gil", is_active=False).id
    for group_by, to, answers, refusal, sentence in REFUSED:
        with subtests.test(group_by=group_by, to=to[:20]):
            owner_id = ada if "owner_id" in answers else None
            deal = make.opportunity(**answers | {"owner_id": owner_id}, name="Roof")
            before = stored(session)
            with pytest.raises(refusal, match=sentence):
                drop(session, deal.id, group_by=group_by, to=str(gone) if to == "gone" else to)
            assert stored(session) == before


def test_a_drop_of_a_card_that_was_changed_meanwhile_is_refused(database):
    with database.write(at=NOW) as session:
        deal = Make(session).opportunity().id
    with database.write(at=NOW + A_DAY) as session:
        opportunity_service.get_opportunity(session, deal).name = "Other"

    for to in ("proposal", "qualification"):
        with database.write() as session, pytest.raises(ChangedMeanwhile):
            drop(session, deal, group_by=GroupBy.STAGE, to=to, expected_version=1)

    with database.read() as session:
        assert opportunity_service.get_opportunity(session, deal).stage is S.QUALIFICATION


def test_a_drop_by_somebody_else_is_refused(database):
    with database.write(at=NOW) as session:
        people = Make(session).people()
        deal = Make(session).opportunity(owner_id=people.rita).id

    for group_by, to in ((GroupBy.STAGE, "proposal"), (GroupBy.OWNER, str(people.otto))):
        with database.write(actor=people.otto) as session, pytest.raises(NotAllowed):
            drop(session, deal, group_by=group_by, to=to)


def test_every_open_stage_can_be_dropped_on(session, make):
    deal = make.opportunity()
    for column in board(session)[:-1]:
        drop(session, deal.id, group_by=GroupBy.STAGE, to=column.key)
        assert deal.stage.value == column.key
    assert len(OPEN_STAGES) == 4


def test_an_order_is_ones_own_and_kept_for_each_column(database):
    with database.write(at=NOW) as session:
        people = Make(session).people()
        deals = [Make(session).opportunity().id for _ in range(3)]
    placed = [deals[2], deals[0]]
    with database.write(actor=people.rita) as session:
        keep_order(session, GroupBy.STAGE, "qualification", [*placed, placed[0], 0, -5, 10**12])
        keep_order(session, GroupBy.STAGE, "Proposal_%", [1])
        keep_order(session, GroupBy.OWNER, "none", [7])
        assert find_orders(session, GroupBy.STAGE) == {"qualification": placed, "Proposal_%": [1]}

    with database.read(actor=people.rita) as session:
        orders = find_orders(session, GroupBy.STAGE)
        column, *_ = board(session, order=CardOrder.BY_HAND, by_hand=orders)
        assert [card.deal.id for card in column.cards] == [*placed, deals[1]]
        assert find_orders(session, GroupBy.OWNER) == {"none": [7]}
        assert find_orders(session, GroupBy.SIZE) == {}
    with database.read(actor=people.nora) as session:
        assert find_orders(session, GroupBy.STAGE) == {}
    with database.read() as session:
        assert find_orders(session, GroupBy.STAGE) == {}

    with database.write(actor=people.rita) as session:
        keep_order(session, GroupBy.STAGE, "qualification", [])
        assert find_orders(session, GroupBy.STAGE) == {"Proposal_%": [1]}


def test_only_the_first_cards_of_a_column_are_kept(database):
    with database.write(at=NOW) as session:
        people = Make(session).people()
    many = list(range(2**31 - 1, 2**31 - 1 - 5_000, -1))
    with database.write(actor=people.rita) as session:
        keep_order(session, GroupBy.STAGE, "proposal", many)

    with database.read(actor=people.rita) as session:
        assert find_orders(session, GroupBy.STAGE) == {"proposal": many[:MOST_PLACED]}


def test_no_column_is_called_so(database):
    with database.write(at=NOW) as session:
        people = Make(session).people()

    for key, refusal in (("", NoSuchColumn), ("x" * 51, NoSuchColumn), ("\x00", InvalidInput)):
        with database.write(actor=people.rita) as session, pytest.raises(refusal):
            keep_order(session, GroupBy.STAGE, key, [1])


def test_the_system_puts_nothing_in_order(session):
    with pytest.raises(NotSignedIn):
        keep_order(session, GroupBy.STAGE, "proposal", [1])
