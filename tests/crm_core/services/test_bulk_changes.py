"""A change of many at once: all of them or none, whoever catches the refusal."""

from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

import pytest
from sqlalchemy import select

from crm_core import check
from crm_core.database import Database
from crm_core.errors import InvalidInput
from crm_core.filters import EVERY_LEAD
from crm_core.models import Opportunity, OpportunityStage, Outcome, Role, Settings, User, Visibility
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services.closing import ImpossibleCloseDate, LossNeedsReason, TooEarlyToWin
from crm_core.services.lead_service import (
    delete_leads,
    find_lead_ids,
    restore_leads,
)
from crm_core.services.opportunity_service import (
    OpportunityIsClosed,
    assign_opportunities,
    close_opportunities,
    delete_opportunities,
    get_history,
    get_opportunity,
    get_rows,
    move_opportunity,
    restore_opportunities,
    update_opportunities,
    update_opportunity,
)
from crm_core.services.records import (
    MOST_AT_ONCE,
    BelongsToDeleted,
    ChangedMeanwhile,
    NothingWasChanged,
    OwnerIsInactive,
    RecordNotFound,
)
from crm_core.sorting import OpportunitySort
from tests.builders import Make, reason_id
from tests.conftest import NOW
from tests.crm_core.importing.conftest import every_row

S = OpportunityStage
TOO_MANY = range(1, MOST_AT_ONCE + 2)


@dataclass(frozen=True)
class Book:
    """Rita's deals: three in proposal, an early one, a won one, one that is deleted, and one of Sam's."""

    database: Database
    rita: int
    sam: int
    ina: int
    late: list[int]
    early: int
    won: int
    deleted: int
    sams: int

    @property
    def all_kinds(self):
        return [*self.late, self.early, self.won, self.deleted, self.sams, 99]

    def read(self, *columns):
        """The columns of every deal that was not deleted, by its id."""
        with self.database.read() as session:
            rows = get_rows(session, sort=OpportunitySort.CREATED)
            return {row.id: tuple(getattr(row, column) for column in columns) for row in rows}


@pytest.fixture
def book(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        rita, sam, ina = make.user("Rita").id, make.user("Sam").id, make.user("Ina", is_active=False).id
        hers = {"owner_id": rita, "expected_value": Decimal(10)}
        return Book(
            database,
            rita,
            sam,
            ina,
            late=[make.opportunity(name=f"Late {n}", stage=S.PROPOSAL, **hers).id for n in (1, 2, 3)],
            early=make.opportunity(name="Early", **hers).id,
            won=make.opportunity(name="Won", stage=S.CLOSED_WON, **hers).id,
            deleted=make.opportunity(name="Deleted", deleted_at=NOW, **hers).id,
            sams=make.opportunity(name="Sam's", stage=S.PROPOSAL, owner_id=sam).id,
        )


@contextmanager
def refused(book, expected, *, actor=None):
    """Nothing is changed, for these reasons by id, and nothing is kept though the caller goes on."""
    before = every_row(book.database)
    with book.database.write(actor=actor) as session, pytest.raises(NothingWasChanged) as caught:
        yield session
    assert {key: type(why) for key, why in caught.value.refusals.items()} == expected
    assert every_row(book.database) == before


def test_all_are_changed_as_one_by_one(book):
    changes = OpportunityUpdate(stage=S.NEGOTIATION, next_step="Call", expected_value=None)

    with book.database.write(actor=book.rita) as session:
        changed = update_opportunities(session, [*reversed(book.late), book.early], changes)
        assert [deal.id for deal in changed] == [*reversed(book.late), book.early]

    read = book.read("stage", "probability", "next_step", "expected_value", "version")
    for deal in [*book.late, book.early]:
        assert read[deal] == (S.NEGOTIATION, 75, "Call", None, 2)
    assert (read[book.won][0], read[book.sams][4]) == (S.CLOSED_WON, 1)
    with book.database.read() as session:
        assert get_history(session, book.late[0])[0].actor_name == "Rita"
    assert check.findings(book.database) == []


def test_many_are_won_at_once(book):
    with book.database.write(actor=book.rita) as session:
        close_opportunities(session, book.late, outcome=Outcome.WON, note="Fair", on=NOW.date())

    read = book.read("stage", "probability", "close_note", "actual_close_date")
    assert [read[deal] for deal in book.late] == [(S.CLOSED_WON, 100, "Fair", NOW.date())] * 3


def test_the_refusals_are_named_by_id(book):
    changes = OpportunityUpdate(stage=S.DISCOVERY)
    expected = {
        book.won: OpportunityIsClosed,
        book.deleted: RecordNotFound,
        book.sams: BelongsToSomebodyElse,
        99: RecordNotFound,
    }

    with refused(book, expected, actor=book.rita) as session:
        update_opportunities(session, book.all_kinds, changes)
    with refused(book, {99: RecordNotFound}) as session:
        update_opportunities(session, [*book.late, 99], changes)


def test_nothing_is_changed_in_any_role_under_any_visibility(book):
    with book.database.write(at=NOW) as session:
        make = Make(session)
        north = make.team().id
        actor = make.user("Mona", team_id=north).id
        session.get_one(User, book.rita).team_id = north
        hers = make.opportunity(name="Hers", owner_id=actor).id

    for role, visibility in product(Role, Visibility):
        with book.database.write() as session:
            session.get_one(User, actor).role = role
            session.get_one(Settings, 1).visibility = visibility
        with refused(book, {99: RecordNotFound}, actor=actor) as session:
            update_opportunities(session, [hers, 99], OpportunityUpdate(name="Mine", stage=S.PROPOSAL))


def test_every_close_that_is_refused_is_named_by_id(book):
    expected = {
        book.early: TooEarlyToWin,
        book.won: OpportunityIsClosed,
        book.deleted: RecordNotFound,
        book.sams: BelongsToSomebodyElse,
        99: RecordNotFound,
    }

    with refused(book, expected, actor=book.rita) as session:
        close_opportunities(session, book.all_kinds, outcome=Outcome.WON)
    with refused(book, dict.fromkeys(book.late, LossNeedsReason)) as session:
        close_opportunities(session, book.late, outcome=Outcome.LOST)
    yesterday = dict.fromkeys(book.late, ImpossibleCloseDate)
    with refused(book, yesterday) as session:
        close_opportunities(session, book.late, outcome=Outcome.WON, on=NOW.date().replace(day=1))


def test_the_message_names_the_first_three_and_counts_the_rest(book):
    with book.database.write(actor=book.rita) as session, pytest.raises(NothingWasChanged) as caught:
        close_opportunities(session, book.all_kinds, outcome=Outcome.WON)

    assert str(caught.value) == (
        "Nothing was changed, because 5 of 8 can't be."
        " “Early”: “Early” is still in qualification."
        " Deals are won from proposal or negotiation: move it first."
        " “Won”: “Won” is already Closed won. Reopen it first."
        f" “Deleted”: There is no opportunity {book.deleted}; it may have been deleted. Choose another."
        " And 2 more."
    )


def test_what_a_user_may_not_read_is_not_named(book):
    with book.database.write(at=NOW) as session:
        session.get_one(Settings, 1).visibility = Visibility.OWN

    with book.database.write(actor=book.rita) as session, pytest.raises(NothingWasChanged) as caught:
        delete_opportunities(session, [book.sams])

    assert type(caught.value.refusals[book.sams]) is RecordNotFound
    assert "Sam" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda session, ids: update_opportunities(session, ids, OpportunityUpdate(name="Mine")),
        lambda session, ids: assign_opportunities(session, ids, owner_id=None),
        lambda session, ids: close_opportunities(session, ids, outcome=Outcome.WON),
        delete_opportunities,
        restore_opportunities,
    ],
    ids=["update", "assign", "close", "delete", "restore"],
)
def test_an_unknown_id_stops_all(book, change):
    before = every_row(book.database)

    for key in (0, -1, 99, 2**31, 2**63, 2**70):
        with book.database.write() as session, pytest.raises(NothingWasChanged) as caught:
            change(session, [*book.late, key])
        assert {key: RecordNotFound} == {each: type(why) for each, why in caught.value.refusals.items()}

    assert every_row(book.database) == before


def test_an_id_given_twice_is_changed_once(book):
    first, second, _ = book.late

    with book.database.write() as session:
        changed = close_opportunities(session, [first, second, first], outcome=Outcome.WON)
        assert [deal.id for deal in changed] == [first, second]
    with book.database.write() as session, pytest.raises(NothingWasChanged, match="because 1 of 2 can't be"):
        update_opportunities(session, [second, 99, 99], OpportunityUpdate(name="Mine"))

    assert book.read("version")[first] == (2,)


def test_of_none_none_is_changed(book):
    before = every_row(book.database)

    with book.database.write() as session:
        assert update_opportunities(session, [], OpportunityUpdate(name="Mine")) == []
        assert assign_opportunities(session, [], owner_id=book.sam) == []
        assert close_opportunities(session, [], outcome=Outcome.WON) == []
        assert delete_opportunities(session, []) == restore_opportunities(session, []) == []

    assert every_row(book.database) == before


def test_too_many_at_once_are_refused(book):
    before = every_row(book.database)

    with book.database.write() as session, pytest.raises(InvalidInput, match="At most 10,000 can be changed"):
        delete_opportunities(session, TOO_MANY)

    assert every_row(book.database) == before


def test_more_than_a_statement_holds_are_changed(database):
    with database.write(at=NOW) as session:
        deals = [Opportunity(name="Solar roof", probability=10) for _ in range(1_201)]
        session.add_all(deals)
        session.flush()  # gives them their ids
        ids = [deal.id for deal in deals]

    with database.write() as session:
        changed = update_opportunities(session, ids, OpportunityUpdate(next_step="Call"))
        assert [deal.id for deal in changed] == ids

    with database.read() as session:
        assert set(session.scalars(select(Opportunity.version))) == {2}
    assert check.findings(database) == []


def test_the_versions_that_were_seen_are_checked_for_each(book):
    first, second, third = book.late
    with book.database.write(actor=book.sam) as session:
        session.get_one(Opportunity, second).next_step = "Call"
    changes = OpportunityUpdate(name="Mine")

    with refused(book, {second: ChangedMeanwhile}) as session:
        update_opportunities(session, book.late, changes, expected_versions={first: 1, second: 1})
    with refused(book, {second: ChangedMeanwhile, third: ChangedMeanwhile}) as session:
        assign_opportunities(session, book.late, owner_id=None, expected_versions={second: 1, third: 7})
    with refused(book, {second: ChangedMeanwhile}) as session:
        close_opportunities(session, book.late, outcome=Outcome.WON, expected_versions={second: 1})
    with refused(book, {second: ChangedMeanwhile}) as session:
        delete_opportunities(session, book.late, expected_versions={second: 1})

    with book.database.write() as session:
        update_opportunities(session, book.late, changes, expected_versions={first: 1, second: 2, 99: 5})
    assert book.read("name", "version")[second] == ("Mine", 3)


def test_many_get_a_new_owner_and_closed_ones_keep_their_credit(book):
    with book.database.write() as session:
        session.get_one(Opportunity, book.won).credited_owner_id = book.rita
    with book.database.write(actor=book.rita) as session:
        assign_opportunities(session, [*book.late, book.won], owner_id=book.sam)

    assert book.read("owner_id")[book.won] == book.read("owner_id")[book.late[0]] == (book.sam,)
    with book.database.read() as session:
        assert get_opportunity(session, book.won).credited_owner_id == book.rita


def test_many_can_be_nobodys(book):
    with book.database.write(actor=book.rita) as session:
        assign_opportunities(session, book.late, owner_id=None)

    assert book.read("owner_id")[book.late[0]] == (None,)


def test_nobody_unknown_or_gone_gets_deals(book):
    before = every_row(book.database)

    for owner_id, refused_as, words in (
        (book.ina, OwnerIsInactive, "Ina no longer works here. Choose another owner"),
        (99, RecordNotFound, "There is no user 99"),
        (0, RecordNotFound, "There is no user 0"),
        (-1, RecordNotFound, "There is no user -1"),
        (2**31, RecordNotFound, "There is no user 2147483648"),
        (2**70, RecordNotFound, "There is no user"),
    ):
        with book.database.write() as session, pytest.raises(refused_as, match=words):
            assign_opportunities(session, book.late, owner_id=owner_id)

    assert every_row(book.database) == before


def test_a_bulk_edit_refuses_an_owner_who_is_gone_for_each(book):
    with refused(book, dict.fromkeys(book.late, OwnerIsInactive)) as session:
        update_opportunities(session, book.late, OpportunityUpdate(owner_id=book.ina))


def test_what_the_caller_did_before_and_does_after_a_refusal_is_kept(book):
    first, second, third = book.late

    with book.database.write() as session:
        update_opportunity(session, first, OpportunityUpdate(next_step="Before"))
        held = get_opportunity(session, second)
        with pytest.raises(NothingWasChanged):
            update_opportunities(
                session, [*book.late, 99], OpportunityUpdate(name="Never", stage=S.DISCOVERY)
            )
        assert (held.name, held.stage) == ("Late 2", S.PROPOSAL)
        move_opportunity(session, second, to=S.NEGOTIATION)
        close_opportunities(session, [first, third], outcome=Outcome.WON)

    assert book.read("name", "stage", "next_step", "version") == {
        first: ("Late 1", S.CLOSED_WON, "Before", 2),
        second: ("Late 2", S.NEGOTIATION, None, 2),
        third: ("Late 3", S.CLOSED_WON, None, 2),
        book.early: ("Early", S.QUALIFICATION, None, 1),
        book.won: ("Won", S.CLOSED_WON, None, 1),
        book.sams: ("Sam's", S.PROPOSAL, None, 1),
    }
    assert check.findings(book.database) == []


def test_a_record_can_be_changed_by_hand_after_a_refusal(book):
    with book.database.write() as session:
        held = get_opportunity(session, book.late[0])
        with pytest.raises(NothingWasChanged):
            update_opportunities(session, [*book.late, 99], OpportunityUpdate(name="Never"))
        held.next_step = "Call"

    assert book.read("name", "next_step", "version")[book.late[0]] == ("Late 1", "Call", 2)
    assert check.findings(book.database) == []


def test_deleted_and_restored_together_or_not_at_all(book):
    with book.database.write(actor=book.rita) as session:
        delete_opportunities(session, [*book.late, book.won])
    assert set(book.read("id")) == {book.early, book.sams}

    with refused(book, {book.sams: BelongsToSomebodyElse, 99: RecordNotFound}, actor=book.rita) as session:
        restore_opportunities(session, [*book.late, book.sams, 99])

    with book.database.write(actor=book.rita) as session:
        restore_opportunities(session, [*book.late, book.won, book.early])
    read = book.read("version", "stage")
    assert (read[book.won], read[book.early]) == ((3, S.CLOSED_WON), (1, S.QUALIFICATION))
    assert [read[deal] for deal in book.late] == [(3, S.PROPOSAL)] * 3


def test_a_deal_whose_company_is_deleted_is_not_restored_with_the_others(book):
    with book.database.write() as session:
        company = Make(session).company("Acme")
        session.get_one(Opportunity, book.late[0]).company_id = company.id
        delete_opportunities(session, book.late)
        company.deleted_at = NOW

    with refused(book, {book.late[0]: BelongsToDeleted}) as session:
        restore_opportunities(session, book.late)


def test_leads_are_deleted_and_restored_together_or_not_at_all(book):
    with book.database.write(at=NOW) as session:
        make = Make(session)
        ada, grace = (make.lead(name, owner_id=book.rita).id for name in ("Ada", "Grace"))
        toms = make.lead("Tom's", owner_id=book.sam).id

    with refused(book, {toms: BelongsToSomebodyElse, 99: RecordNotFound}, actor=book.rita) as session:
        delete_leads(session, [ada, grace, toms, 99])
    with refused(book, {grace: ChangedMeanwhile}, actor=book.rita) as session:
        delete_leads(session, [ada, grace], expected_versions={ada: 1, grace: 7})
    with book.database.write(actor=book.rita) as session:
        assert [lead.id for lead in delete_leads(session, [ada, grace], expected_versions={ada: 1})] == [
            ada,
            grace,
        ]
    with book.database.read() as session:
        assert find_lead_ids(session, EVERY_LEAD) == [toms]

    with refused(book, {toms: BelongsToSomebodyElse}, actor=book.rita) as session:
        restore_leads(session, [ada, grace, toms])
    with book.database.write(actor=book.rita) as session:
        restore_leads(session, [ada, grace])
    with book.database.read() as session:
        assert find_lead_ids(session, EVERY_LEAD) == [ada, grace, toms]
    assert check.findings(book.database) == []


def test_many_are_lost_for_one_reason(book):
    with book.database.write(actor=book.rita) as session:
        price = reason_id(session, "Price")
        close_opportunities(session, [*book.late, book.early], outcome=Outcome.LOST, reason_id=price)

    read = book.read("stage", "probability", "close_reason_id")
    assert {read[deal] for deal in [*book.late, book.early]} == {(S.CLOSED_LOST, 0, price)}
