"""The board: every column and card recounted in plain Python, and what it costs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.orm import Session

from crm_core import demo
from crm_core.analytics import pipeline
from crm_core.analytics.board import CARDS, CLOSED, Card, CardOrder, Column, GroupBy, board
from crm_core.database import Database
from crm_core.errors import InvalidInput
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.importing import find_mapping, import_opportunities
from crm_core.kept import Kept
from crm_core.models import OPEN_STAGES, OpportunityStage, Outcome, User, Visibility
from crm_core.moment import moment_of
from crm_core.periods import Period
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import opportunity_service, settings_service
from tests import forms
from tests.builders import Make
from tests.conftest import NOW, Discard
from tests.crm_core.analytics.histories import (
    ZONES,
    State,
    filters,
    histories,
    instants,
    periods,
    total,
    valueless,
    weighted,
    written,
)
from tests.crm_core.analytics.recount import Past, Recount
from tests.crm_core.importing.conftest import AT

S = OpportunityStage
A_DAY = timedelta(days=1)
TODAY = NOW.date()
ORDERS = (CardOrder.URGENCY, CardOrder.VALUE, CardOrder.NEWEST)
NO_DAY = date.min
QUARTER = Period(date(2026, 1, 1), date(2026, 4, 1))


@pytest.mark.both_databases
@given(
    st.lists(histories(), max_size=12),
    st.sampled_from(ZONES),
    st.lists(instants, max_size=1),
    periods,
    filters,
)
@settings(max_examples=forms.either(5, 15))
def test_columns_and_cards_are_what_a_recount_says(database, deals, zone, asked, period, where):
    with suppress(Discard), database.write(at=NOW) as session:
        settings_service.get_settings(session).time_zone = zone
        for number in (2, 3):
            Make(session).user(id=number)
        written(session, deals)
        for at in (*asked, None):
            compare(session, Past.of(session), at, where, period, shown=3)
        raise Discard


def test_the_demo_data_is_recounted_too(database):
    demo.fill(database, opportunities=400, seed=3, at=NOW)
    with database.read(at=NOW) as session:
        past = Past.of(session)
        reps = session.query(User.id).filter(User.team_id.is_not(None)).limit(3).all()
        some = OpportunityFilter(owners={row[0] for row in reps})
        for at in (NOW - timedelta(days=300), NOW - timedelta(days=40, hours=7), None):
            for where in (EVERYTHING, some):
                compare(session, past, at, where, QUARTER)


def test_real_deals_are_recounted_too(database, shared_data):
    file = shared_data / "maven_crm_sales" / "sales_pipeline.csv"
    import_opportunities(database, file, find_mapping(None, file), at=AT)
    with database.read(at=AT) as session:
        past = Past.of(session)
        for at in (datetime(2017, 6, 30, 12, tzinfo=UTC), None):
            compare(session, past, at, EVERYTHING, Period(date(2017, 4, 1), date(2017, 7, 1)))


def compare(
    session: Session,
    past: Past,
    at: datetime | None,
    where: OpportunityFilter,
    period: Period | None,
    shown: int = CARDS,
) -> None:
    """The boards by everything, each in every order, against a recount."""
    zone = ZoneInfo(settings_service.get_settings(session).time_zone)
    asked = where.model_copy(update={"as_of": at})
    recount = Recount(past, moment_of(session, at).at, zone, where, period)
    for group_by in GroupBy:
        few = {each.key: shown for each in board(session, asked, group_by=group_by)}
        for order in ORDERS:
            columns = board(session, asked, group_by=group_by, order=order, shown=few, closed_in=period)
            compare_open(session, recount, columns, group_by, order, shown)
        compare_closed(session, recount, columns, group_by, shown)
        is_told_apart = pipeline.totals(session, asked)
        opened = [column for column in columns if not column.is_closed]
        assert sum(column.deals for column in opened) == is_told_apart.deals
        assert sum(column.value for column in opened) == is_told_apart.value
        assert sum(column.without_value for column in opened) == is_told_apart.without_value


def compare_open(
    session: Session,
    recount: Recount,
    columns: list[Column],
    group_by: GroupBy,
    order: CardOrder,
    shown: int,
) -> None:
    inside: dict[str, dict[int, State]] = {column.key: {} for column in columns}
    assert len(inside) == len(columns)
    for key, row in recount.opened.items():
        inside[column_of(row, group_by, recount.today, columns)][key] = row
    for column in columns:
        if column.is_closed:
            continue
        rows = inside[column.key]
        values = list(rows.values())
        assert (column.deals, column.value) == (len(rows), total(values))
        assert (column.weighted, column.without_value) == (weighted(values), valueless(values))
        assert ids_in(session, column.where) == set(rows)
        ordered = sorted(rows, key=lambda key: in_order(rows[key], key, order, recount.today))
        assert [card.deal.id for card in column.cards] == ordered[:shown]
        for card in column.cards:
            assert_tells(card, recount)


def column_of(row: State, group_by: GroupBy, today: date, columns: list[Column]) -> str:
    """The key of the column that an open deal belongs to."""
    on, value = row["expected_close_date"], row["expected_value"]
    match group_by:
        case GroupBy.STAGE:
            return row["stage"].value
        case GroupBy.OWNER:
            return str(row["owner_id"] or "none")
        case GroupBy.CLOSE_MONTH if on is None:
            return "none"
        case GroupBy.CLOSE_MONTH if on < today:
            return "overdue"
        case GroupBy.CLOSE_MONTH:
            months = (on.year - today.year) * 12 + on.month - today.month
            return "later" if months >= 12 else f"{on:%Y-%m}"
    if value is None:
        return "none"
    sizes = [column.key.split("-") for column in columns if column.key != "none"]
    (size,) = [(begin, end) for begin, end in sizes if value >= int(begin) and (not end or value < int(end))]
    return "-".join(size)


def in_order(row: State, key: int, order: CardOrder, today: date) -> tuple[Any, ...]:
    """What to sort a card by."""
    if order is CardOrder.VALUE:
        value = row["expected_value"]
        return value is None, -(value or 0), -key
    if order is CardOrder.NEWEST:
        return -row["created_on"].toordinal(), -key
    on, step = row["expected_close_date"], row["next_step_date"]
    return step is None or step >= today, on is None, on or NO_DAY, key


def assert_tells(card: Card, recount: Recount) -> None:
    """The card says what the deal's states do."""
    row, states = recount.rows[card.deal.id], recount.known[card.deal.id]
    is_open = row["stage"] in OPEN_STAGES
    for column in ("name", "stage", "owner_id", "expected_value", "expected_close_date", "version"):
        assert getattr(card.deal, column) == row[column]
    assert card.is_overdue == (is_open and recount.is_overdue(row))
    limit = recount.past.limits[row["stage"]] if is_open else None
    assert card.is_stale == (limit is not None and recount._rests(card.deal.id) > limit)
    assert card.has_no_next_step == (is_open and not row["next_step"] and not row["next_step_date"])
    assert card.days_in_stage == max((recount.today - recount.entered_on(card.deal.id)).days, 0)
    days = [state["expected_close_date"] for state in states if state["expected_close_date"]]
    assert card.pushes == sum(after > before for before, after in pairwise(days))


def compare_closed(
    session: Session, recount: Recount, columns: list[Column], group_by: GroupBy, shown: int
) -> None:
    found = [column for column in columns if column.is_closed]
    where = recount.where
    is_allowed = where.is_open is not True and (
        where.stages <= set() or bool(where.stages - set(OPEN_STAGES))
    )
    assert [column.key for column in found] == ([CLOSED] if group_by is GroupBy.STAGE and is_allowed else [])
    for column in found:
        assert column is columns[-1]
        won = [row for row in recount.closed.values() if recount.is_won(row)]
        lost = len(recount.closed) - len(won)
        assert (column.deals, column.won, column.lost) == (len(recount.closed), len(won), lost)
        assert (column.value, column.without_value, column.weighted) == (total(won), valueless(won), 0)
        assert ids_in(session, column.where) == set(recount.closed)
        newest = sorted(recount.closed, key=partial(closing, recount), reverse=True)
        assert [card.deal.id for card in column.cards] == newest[:shown]
        for card in column.cards:
            assert_tells(card, recount)


def closing(recount: Recount, key: int) -> tuple[date, datetime, int]:
    row = recount.closed[key]
    return row["actual_close_date"], row["closed_at"], key


def ids_in(session: Session, where: OpportunityFilter) -> set[int]:
    return set(opportunity_service.find_opportunity_ids(session, where))


def stood(deal_id: int, session: Session) -> Card:
    """The deal's card on the board by stage."""
    found = [card for column in board(session) for card in column.cards if card.deal.id == deal_id]
    return found[0]


def test_a_push_is_a_later_day_than_the_one_known_before(database):
    with database.write(at=NOW) as session:
        deal = Make(session).opportunity(name="Roof").id
        never = Make(session).opportunity(expected_close_date=TODAY).id
    days = [TODAY, TODAY + A_DAY, TODAY - A_DAY, None, TODAY, TODAY, None, TODAY - A_DAY]
    told = []
    for number, day in enumerate(days, start=1):
        at = NOW + number * A_DAY
        with database.write(at=at) as session:
            changes = OpportunityUpdate(expected_close_date=day, next_step=f"Call {number} times")
            opportunity_service.update_opportunity(session, deal, changes)
        with database.read(at=at) as session:
            told.append(stood(deal, session).pushes)
            assert stood(never, session).pushes == 0

    assert told == [0, 1, 1, 1, 2, 2, 2, 2]
    with database.read(at=NOW + 99 * A_DAY) as session:
        then = OpportunityFilter(as_of=NOW + 3 * A_DAY)
        assert [card.pushes for card in board(session, then)[0].cards if card.deal.id == deal] == [1]


def test_a_card_tells_names_and_what_needs_a_look(session, make):
    rita, acme = make.user("Rita"), make.company("Acme")
    ada = make.contact("Ada")
    deal = make.opportunity(
        owner_id=rita.id, company_id=acme.id, contact_id=ada.id, expected_close_date=TODAY - A_DAY
    )
    planned = make.opportunity(next_step_date=TODAY)

    card, other = stood(deal.id, session), stood(planned.id, session)

    assert (card.deal.owner_name, card.deal.company_name, card.deal.contact_name) == ("Rita", "Acme", "Ada")
    assert (card.is_overdue, card.is_stale, card.has_no_next_step) == (True, False, True)
    assert (card.pushes, card.days_in_stage) == (0, 0)
    assert (other.is_overdue, other.has_no_next_step) == (False, False)


def test_without_deals_there_are_columns_to_drop_on(session):
    def keys(group_by: GroupBy) -> list[str]:
        return [column.key for column in board(session, group_by=group_by)]

    assert keys(GroupBy.STAGE) == [*OPEN_STAGES, CLOSED]
    assert keys(GroupBy.OWNER) == ["none"]
    assert keys(GroupBy.CLOSE_MONTH) == ["2026-03", "none"]
    assert keys(GroupBy.SIZE) == ["0-"]


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        ({"stages": {S.PROPOSAL, S.DISCOVERY}}, ["discovery", "proposal"]),
        ({"stages": {S.PROPOSAL, S.CLOSED_WON}}, ["proposal", CLOSED]),
        ({"is_open": True}, list(OPEN_STAGES)),
        ({"is_open": False}, [CLOSED]),
        ({"outcomes": {Outcome.LOST}}, [CLOSED]),
        ({"is_open": True, "outcomes": {Outcome.LOST}}, []),
    ],
)
def test_only_what_the_filter_allows_has_a_column(session, make, where, keys):
    make.opportunity(stage=S.PROPOSAL)
    make.won(5)
    make.lost(5)

    columns = board(session, OpportunityFilter(**where))

    assert [column.key for column in columns] == keys
    assert (
        sum(column.deals for column in columns)
        == pipeline.list_totals(session, OpportunityFilter(**where)).deals
    )


def test_months_end_with_the_last_that_has_deals_and_twelve_are_the_most(session, make):
    def labels() -> list[tuple[str, int]]:
        columns = board(session, group_by=GroupBy.CLOSE_MONTH)
        return [(column.label, column.deals) for column in columns]

    make.opportunity(expected_close_date=TODAY)
    make.opportunity(expected_close_date=date(2026, 5, 1))
    assert labels() == [("March 2026", 1), ("April 2026", 0), ("May 2026", 1), ("No date", 0)]

    make.opportunity(expected_close_date=TODAY - A_DAY)
    make.opportunity(expected_close_date=date(2027, 2, 28))
    make.opportunity(expected_close_date=date(2027, 3, 1))
    found = labels()
    assert len(found) == 1 + 12 + 1 + 1
    assert found[0] == ("Overdue", 1)
    assert found[-3:] == [("February 2027", 1), ("Later", 1), ("No date", 0)]


def test_sizes_part_the_deals_of_the_workspace_whatever_the_filter(session, make):
    for value in (100, 900, 1_200, 1_900, 5_000, 9_000, 30_000, 40_000, 50_000, 900_000, None):
        make.opportunity(expected_value=value)

    def sizes(**where: Any) -> list[tuple[str, int]]:
        return [
            (column.label, column.deals)
            for column in board(session, OpportunityFilter(**where), group_by=GroupBy.SIZE)
        ]

    assert sizes() == [
        ("Under 1,000", 2),
        ("1,000 to 2,000", 2),
        ("2,000 to 10,000", 2),
        ("10,000 to 50,000", 2),
        ("50,000 or more", 2),
        ("No value", 1),
    ]
    assert sizes(value_to=1_500) == [
        ("Under 1,000", 2),
        ("1,000 to 2,000", 1),
        ("2,000 to 10,000", 0),
        ("10,000 to 50,000", 0),
        ("50,000 or more", 0),
    ]


def test_owners_come_by_value_and_nobody_last(session, make):
    ada, bob, cy = (make.user(name).id for name in ("Ada", "Bob", "Cy"))
    for owner, value in ((ada, 5), (bob, 9), (None, 99), (cy, 5), (ada, None)):
        make.opportunity(owner_id=owner, expected_value=value)
    make.user("Without deals")

    columns = board(session, group_by=GroupBy.OWNER)

    assert [(column.label, column.deals, column.value) for column in columns] == [
        ("Bob", 1, 9),
        ("Ada", 2, 5),
        ("Cy", 1, 5),
        ("Nobody", 1, 99),
    ]
    asked = OpportunityFilter(owners={ada, cy})
    assert [column.label for column in board(session, asked, group_by=GroupBy.OWNER)] == ["Ada", "Cy"]


def test_by_hand_those_in_order_come_first_and_the_others_by_urgency(session, make):
    deals = [make.opportunity(expected_close_date=TODAY + number * A_DAY).id for number in range(6)]
    elsewhere = make.opportunity(stage=S.PROPOSAL).id
    placed = [deals[4], elsewhere, 10**12, -1, deals[2], deals[4]]

    def cards(**shown: int) -> list[int]:
        by_hand = {"qualification": placed, "gone": [deals[0]]}
        column, *_ = board(session, order=CardOrder.BY_HAND, by_hand=by_hand, shown=shown)
        return [card.deal.id for card in column.cards]

    first = [deals[4], deals[2], deals[0], deals[1], deals[3], deals[5]]
    assert cards() == first
    assert cards(qualification=3) == first[:3]
    assert cards(qualification=1) == first[:1]
    assert [card.deal.id for card in board(session, order=CardOrder.BY_HAND)[0].cards] == deals


def test_columns_count_everything_however_many_cards_they_hold(session, make):
    for _ in range(CARDS + 5):
        make.opportunity(expected_value=10)
        make.won(1)

    def held(**shown: int) -> list[tuple[int, int]]:
        first, *_, closed = board(session, shown=shown)
        assert (first.deals, first.value, closed.deals, closed.value) == (30, 300, 30, 30)
        return [len(first.cards), len(closed.cards)]

    assert held() == [25, 25]
    assert held(qualification=50, closed=0) == [30, 0]
    assert held(qualification=0, closed=26) == [0, 26]
    for cards in (-1, 1_001):
        with pytest.raises(InvalidInput):
            board(session, shown={"qualification": cards})


def test_people_see_the_board_of_what_they_may_read(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        people = make.people()
        mine, others = (make.opportunity(owner_id=owner).id for owner in (people.rita, people.otto))
        settings_service.get_settings(session).visibility = Visibility.OWN

    def seen(actor: int) -> tuple[int, list[int]]:
        with database.read(actor=actor, at=NOW) as session:
            by_hand = {"qualification": [others, mine]}
            column, *_ = board(session, order=CardOrder.BY_HAND, by_hand=by_hand)
            return column.deals, [card.deal.id for card in column.cards]

    assert seen(people.rita) == (1, [mine])
    assert seen(people.otto) == (1, [others])


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield asked
    event.remove(database.engine, "before_cursor_execute", note)


def asked_for(database: Database, **options: Any) -> int:
    """How many statements a board takes."""
    with statements(database) as asked, database.read(at=NOW) as session:
        board(session, **options)
    return len(asked)


@pytest.mark.parametrize("group_by", GroupBy)
@pytest.mark.parametrize("order", [CardOrder.URGENCY, CardOrder.BY_HAND])
def test_more_deals_and_columns_take_no_more_statements(database, group_by, order):
    """Neither counted for the first time, nor after a change."""

    def grow(deals: int) -> None:
        with database.write(at=NOW) as session:
            make = Make(session)
            owner = make.user(f"Owner {deals}").id
            for number in range(deals):
                make.opportunity(
                    stage=OPEN_STAGES[number % 4],
                    owner_id=owner,
                    expected_value=10**number,
                    expected_close_date=TODAY + number * 31 * A_DAY,
                )
                make.won(number)

    def count() -> int:
        by_hand = {"proposal": [1, 2], "none": [3]}
        return asked_for(database, group_by=group_by, order=order, by_hand=by_hand)

    grow(1)
    few = count()
    grow(2)
    mended = count()
    grow(11)

    assert count() == mended <= 20
    database._kept = Kept()
    assert count() == few <= 14


def test_what_did_not_change_is_not_counted_again(database):
    with database.write(at=NOW) as session:
        deal = Make(session).opportunity(stage=S.PROPOSAL, expected_value=5).id
        Make(session).won(5)
    asked_for(database)

    with statements(database) as asked, database.read(at=NOW) as session:
        before = board(session)
    told = [statement for statement in asked if "opportunit" in statement]
    assert len(told) == 2  # the cards themselves, and how often they were pushed

    with database.write(at=NOW + A_DAY) as session:
        opportunity_service.move_opportunity(session, deal, to=S.DISCOVERY)
    with database.read(at=NOW + A_DAY) as session:
        after = board(session)
    assert [column.deals for column in before] == [0, 0, 1, 0, 1]
    assert [column.deals for column in after] == [0, 1, 0, 0, 1]
    assert [card.deal.id for card in after[1].cards] == [deal]


def test_every_grouping_and_order_has_its_label():
    assert [each.label for each in GroupBy] == ["Stage", "Owner", "Expected close", "Size"]
    assert [each.label for each in CardOrder] == ["Urgency", "Value", "Newest", "By hand"]


def test_a_filter_of_its_own_days_and_values_narrows_the_columns(session, make):
    """Where the filter has bounds itself, a column keeps within both."""
    make.opportunity(expected_close_date=date(2026, 4, 2), expected_value=Decimal("7.50"))
    make.opportunity(expected_close_date=date(2026, 4, 20), expected_value=700)
    make.won(3, closed_at=NOW - 9 * A_DAY)
    make.won(4, closed_at=NOW - 40 * A_DAY)
    where = OpportunityFilter(
        expected_from=date(2026, 4, 2), expected_to=date(2026, 4, 10), value_from=5, value_to=8
    )

    for group_by in (GroupBy.CLOSE_MONTH, GroupBy.SIZE):
        columns = board(session, where, group_by=group_by)
        assert sum(column.deals for column in columns) == 1
        for column in columns:
            assert len(ids_in(session, column.where)) == column.deals == len(column.cards)

    closed = board(session, OpportunityFilter(closed_from=TODAY - 10 * A_DAY), closed_in=QUARTER)[-1]
    assert (closed.deals, closed.value, len(ids_in(session, closed.where))) == (1, 3, 1)


def test_a_deal_of_nobody_is_found_by_its_column(session, make):
    make.opportunity(owner_id=make.user("Ada").id)
    nobodys = make.opportunity().id

    column = board(session, group_by=GroupBy.OWNER)[-1]

    assert (column.label, column.where.without_owner, ids_in(session, column.where)) == (
        "Nobody",
        True,
        {nobodys},
    )
