"""The dashboard's answers, recounted in plain Python over the rows of then, for every period."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core.analytics import dashboard, metrics
from crm_core.analytics.attention import Need
from crm_core.analytics.breakdowns import Segment
from crm_core.analytics.dashboard import Overview
from crm_core.analytics.metrics import METRICS, MetricName
from crm_core.analytics.outcomes import Outcomes
from crm_core.database import Database
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import OPEN_STAGES, VERSIONS, Opportunity, OpportunityStage
from crm_core.periods import ONE_DAY, Period, PeriodChoice
from crm_core.services import opportunity_service, settings_service
from tests.builders import Make
from tests.conftest import NOW, Discard
from tests.crm_core.analytics.recount import Past as RecountedPast
from tests.crm_core.analytics.recount import Recount
from tests.databases import InTurn

WON, LOST = OpportunityStage.CLOSED_WON, OpportunityStage.CLOSED_LOST
A_MOMENT = timedelta(microseconds=1)
BEGINNING, END = date(2024, 6, 1), date(2026, 5, 20)
MIDDLE_OF_A_QUARTER, LAST_OF_A_QUARTER, LAST_OF_A_MONTH = (
    date(2026, 2, 18),
    date(2026, 3, 31),
    date(2026, 4, 30),
)
ASKED_ON = (MIDDLE_OF_A_QUARTER, LAST_OF_A_QUARTER, LAST_OF_A_MONTH)
EDGES_OF_A_DAY = {"Pacific/Kiritimati": time(0, 30), "America/New_York": time(23, 30)}
"""Times at which it is another day in UTC."""

Row = dict[str, Any]
Days = tuple[date, date]

PERIODS: dict[tuple[date, PeriodChoice], tuple[Days, Days]] = {
    (MIDDLE_OF_A_QUARTER, PeriodChoice.THIS_MONTH): (
        (date(2026, 2, 1), date(2026, 2, 28)),
        (date(2026, 1, 1), date(2026, 1, 18)),
    ),
    (MIDDLE_OF_A_QUARTER, PeriodChoice.LAST_MONTH): (
        (date(2026, 1, 1), date(2026, 1, 31)),
        (date(2025, 12, 1), date(2025, 12, 31)),
    ),
    (MIDDLE_OF_A_QUARTER, PeriodChoice.THIS_QUARTER): (
        (date(2026, 1, 1), date(2026, 3, 31)),
        (date(2025, 10, 1), date(2025, 11, 18)),
    ),
    (MIDDLE_OF_A_QUARTER, PeriodChoice.LAST_QUARTER): (
        (date(2025, 10, 1), date(2025, 12, 31)),
        (date(2025, 7, 1), date(2025, 9, 30)),
    ),
    (MIDDLE_OF_A_QUARTER, PeriodChoice.THIS_YEAR): (
        (date(2026, 1, 1), date(2026, 12, 31)),
        (date(2025, 1, 1), date(2025, 2, 18)),
    ),
    (MIDDLE_OF_A_QUARTER, PeriodChoice.LAST_YEAR): (
        (date(2025, 1, 1), date(2025, 12, 31)),
        (date(2024, 1, 1), date(2024, 12, 31)),
    ),
    (LAST_OF_A_QUARTER, PeriodChoice.THIS_MONTH): (
        (date(2026, 3, 1), date(2026, 3, 31)),
        (date(2026, 2, 1), date(2026, 2, 28)),
    ),
    (LAST_OF_A_QUARTER, PeriodChoice.THIS_QUARTER): (
        (date(2026, 1, 1), date(2026, 3, 31)),
        (date(2025, 10, 1), date(2025, 12, 29)),
    ),
    (LAST_OF_A_MONTH, PeriodChoice.THIS_MONTH): (
        (date(2026, 4, 1), date(2026, 4, 30)),
        (date(2026, 3, 1), date(2026, 3, 30)),
    ),
}
"""On that day the choice means these days, first and last, compared with those."""


class Past:
    """A database after two years of work, with copies of its rows at the moments that are asked about."""

    def __init__(self, database: Database, zone: ZoneInfo) -> None:
        self.database = database
        self.zone = zone
        self.rows: dict[datetime, list[Row]] = {}
        self.states: list[list[Row]] = []
        self.owner = 0

    def day_of(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def asked_at(self, day: date) -> datetime:
        return datetime.combine(day, EDGES_OF_A_DAY[self.zone.key], self.zone)

    def overview(self, choice: PeriodChoice, at: datetime, where: OpportunityFilter = EVERYTHING) -> Overview:
        with self.database.read() as session:
            return dashboard.overview(session, choice, where, as_of=at)

    def kept(self, at: datetime) -> list[Row]:
        return [row for row in self.rows[at] if row["deleted_at"] is None]

    def then(self, at: datetime) -> list[Row]:
        """The rows that there were at any instant, from the states that each deal was in."""
        known = [[state for state in states if state["valid_from"] <= at] for states in self.states]
        return [states[-1] for states in known if states and states[-1]["deleted_at"] is None]

    def open_at(self, at: datetime, last: date) -> datetime:
        """When the open deals beside a period are looked at that ends with that day."""
        return min(at, past_end(self, last))

    def closed(self, rows: list[Row], stage: OpportunityStage, first: date, last: date) -> list[Row]:
        return [row for row in rows if row["stage"] is stage and first <= row["actual_close_date"] <= last]


@pytest.fixture(params=EDGES_OF_A_DAY, scope="module")
def past(request: pytest.FixtureRequest, module_in_turn: InTurn) -> Iterator[Past]:
    database, chance = module_in_turn.database, random.Random(request.param)
    past = Past(database, ZoneInfo(request.param))
    asked = {past.asked_at(day) for day in ASKED_ON}
    rounds = {datetime.combine(BEGINNING + timedelta(days), time(9), UTC) for days in range(0, 718, 43)}
    since = datetime.combine(BEGINNING, time(), past.zone)
    with database.write(at=min(rounds)) as session:
        settings_service.get_settings(session).time_zone = request.param
        past.owner = Make(session).user("Ada").id
    for at in sorted(asked | rounds):
        with database.write(at=at) as session:
            work_a_while(session, chance, past, since, at)
        since = at
        if at in asked:
            past.rows[at] = rows_of(database)
    past.states = states_of(database)
    yield past
    module_in_turn.empty()


def work_a_while(session: Session, chance: random.Random, past: Past, since: datetime, at: datetime) -> None:
    """Deals end, some at the edge of a month; others are opened, and earlier ones turn out different."""
    make = Make(session)
    instants = [since + (at - since) * chance.random() for _ in range(6)]
    for day in (since.date() + timedelta(days) for days in range((at - since).days + 2)):
        midnight = datetime.combine(day, time(), past.zone)
        if day.day in (1, 30, 31) and since < midnight <= at:
            instants += [midnight - A_MOMENT, midnight]
    for closed_at in instants:
        lost = chance.random() < 0.3
        answers = {"closed_at": closed_at, "owner_id": chance.choice([None, past.owner])}
        (make.lost if lost else make.won)(some_value(chance), **answers)
    for _ in range(3):
        make.opportunity(
            stage=chance.choice(OPEN_STAGES),
            expected_value=some_value(chance),
            expected_close_date=chance.choice([None, past.day_of(at), past.day_of(at) - ONE_DAY]),
            owner_id=chance.choice([None, past.owner]),
        )
    turn_round(session, chance)


def turn_round(session: Session, chance: random.Random) -> None:
    deals = list(session.scalars(select(Opportunity).where(Opportunity.deleted_at.is_(None))))
    for deal in chance.sample(deals, len(deals) // 8):
        action = chance.random()
        if action < 0.3:
            opportunity_service.delete_opportunity(session, deal.id)
        elif action < 0.6 and not deal.is_open:
            opportunity_service.reopen_opportunity(session, deal.id, to=OpportunityStage.PROPOSAL)
        else:
            deal.expected_value = some_value(chance)


def some_value(chance: random.Random) -> Decimal | None:
    return None if chance.random() < 0.2 else Decimal(chance.randint(0, 10**6)) / 100


def rows_of(database: Database) -> list[Row]:
    columns = [column.name for column in Opportunity.__table__.columns]
    with database.read() as session:
        return [
            {name: getattr(deal, name) for name in columns} for deal in session.scalars(select(Opportunity))
        ]


def states_of(database: Database) -> list[list[Row]]:
    """Every state that each deal was in, oldest first."""
    versions = VERSIONS[Opportunity]
    states: dict[int, list[Row]] = {}
    with database.read() as session:
        for state in session.execute(select(versions).order_by(versions.c.valid_from)).mappings():
            states.setdefault(state["id"], []).append(dict(state))
    return list(states.values())


def total(rows: list[Row]) -> Decimal:
    return sum((row["expected_value"] or Decimal(0) for row in rows), Decimal(0))


def unknown(rows: list[Row]) -> int:
    return sum(row["expected_value"] is None for row in rows)


def assert_closed(figures: Outcomes, past: Past, rows: list[Row], days: Days) -> None:
    won, lost = (past.closed(rows, stage, *days) for stage in (WON, LOST))
    assert (figures.won, figures.won_value, figures.won_without_value) == (len(won), total(won), unknown(won))
    assert (figures.lost, figures.lost_value, figures.lost_without_value) == (
        len(lost),
        total(lost),
        unknown(lost),
    )


def assert_open(board: Overview, rows: list[Row], today: date) -> None:
    """From the rows as they were when what is open is looked at, which was on that day."""
    open_ = open_ones(rows)
    late = [row for row in open_ if row["expected_close_date"] and row["expected_close_date"] < today]
    assert (board.open.deals, board.open.value) == (len(open_), total(open_))
    assert (board.open.without_value, board.open.overdue) == (unknown(open_), len(late))
    assert board.open.weighted == weighted(open_)
    assert [segment.part for segment in board.stages] == list(OPEN_STAGES)
    for segment in board.stages:
        inside = [row for row in rows if row["stage"] == segment.part]
        assert_segment(segment, inside)


def open_ones(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["stage"] in OPEN_STAGES]


def weighted(rows: list[Row]) -> Decimal:
    exact = (
        sum(((row["expected_value"] or Decimal(0)) * row["probability"] for row in rows), Decimal(0)) / 100
    )
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def assert_months(board: Overview, past: Past, rows: list[Row], first: date, last: date) -> None:
    """Every month from the first to the last, with what was won and lost in it."""
    assert (min(board.months), max(board.months)) == (first.isoformat(), last.isoformat())
    for month, segments in board.months.items():
        assert month == first.isoformat()
        last_day = first + relativedelta(months=1) - ONE_DAY
        for stage, segment in zip((WON, LOST), segments, strict=True):
            assert segment.part == stage
            assert_segment(segment, past.closed(rows, stage, first, last_day))
        first = last_day + ONE_DAY


def assert_segment(segment: Segment, rows: list[Row]) -> None:
    known = None if rows and unknown(rows) == len(rows) else total(rows)
    assert (segment.deals, segment.value, segment.without_value) == (len(rows), known, unknown(rows))


def test_each_period_is_counted_beside_the_one_before_it(past):
    for (today, choice), (days, days_before) in PERIODS.items():
        at = past.asked_at(today)
        for where, counts in whose(past):
            board, rows = past.overview(choice, at, where), list(filter(counts, past.kept(at)))

            assert (board.period.start, board.period.last_day) == days
            assert (board.elapsed.start, board.elapsed.last_day) == (days[0], min(days[1], today))
            assert_closed(board.closed, past, rows, days)
            assert (board.before_period.start, board.before_period.last_day) == days_before
            assert_closed(board.before, past, rows, days_before)
            then = list(filter(counts, past.then(past.open_at(at, days[1]))))
            assert_open(board, then, min(days[1], today))
            last_month = min(days[1], today).replace(day=1)
            assert_months(board, past, rows, last_month - relativedelta(months=11), last_month)
            assert board.has_deals


def whose(past: Past) -> list[tuple[OpportunityFilter, Callable[[Row], bool]]]:
    """Everybody's deals, and those that count for one owner."""

    def is_hers(row: Row) -> bool:
        column = "owner_id" if row["stage"] in OPEN_STAGES else "credited_owner_id"
        return bool(row[column] == past.owner)

    return [(EVERYTHING, lambda _: True), (OpportunityFilter(owners={past.owner}), is_hers)]


def test_all_time_is_every_day_up_to_today_and_has_nothing_before_it(past):
    for today in ASKED_ON:
        at = past.asked_at(today)
        rows = past.kept(at)
        first_day = min(row["created_on"] for row in rows)

        board = past.overview(PeriodChoice.ALL_TIME, at)

        assert (board.period.start, board.period.last_day) == (first_day, today)
        assert board.elapsed == board.period
        assert_closed(board.closed, past, rows, (first_day, today))
        assert (board.before_period, board.before) == (None, None)
        assert_months(board, past, rows, first_day.replace(day=1), today.replace(day=1))


def test_without_an_instant_it_is_as_of_now(past):
    now = past.asked_at(END)
    with past.database.read(at=now) as session:
        for choice in PeriodChoice:
            live = dashboard.overview(session, choice)
            same = dashboard.overview(session, choice, as_of=now)
            for name in Overview.__dataclass_fields__:
                assert getattr(live, name) == getattr(same, name), name


def test_nothing_was_there_before_the_first_deal(session, make):
    make.won(100)

    board = dashboard.overview(session, PeriodChoice.ALL_TIME, as_of=NOW - ONE_DAY)

    assert not board.has_deals
    assert board.period == Period(date(2026, 3, 17), date(2026, 3, 18))
    assert (board.open.deals, board.closed.won, sum(each.deals for each in board.stages)) == (0, 0, 0)


def test_all_time_began_where_it_was_known_to_begin(database):
    begun, found = datetime(2026, 1, 10, 12, tzinfo=UTC), datetime(2026, 2, 10, 12, tzinfo=UTC)
    with database.write(at=begun) as session:
        Make(session).opportunity()
    with database.write(at=found) as session:
        Make(session).opportunity(created_at=datetime(2020, 5, 5, tzinfo=UTC))

    with database.read() as session:
        starts = [
            dashboard.overview(session, PeriodChoice.ALL_TIME, as_of=at).period.start for at in (begun, found)
        ]

    assert starts == [date(2026, 1, 10), date(2020, 5, 5)]


def test_a_filter_that_matches_nothing_still_has_deals(session, make):
    make.won(100)

    board = dashboard.overview(session, PeriodChoice.THIS_MONTH, OpportunityFilter(text="nowhere"))

    assert board.has_deals
    months = [segment for pair in board.months.values() for segment in pair]
    assert (board.closed.won, sum(each.deals for each in [*board.stages, *months])) == (0, 0)


def test_months_without_a_win_are_months_all_the_same(session, make):
    make.won(100, closed_at=datetime(2025, 12, 24, tzinfo=UTC))

    months = dashboard.overview(session, PeriodChoice.THIS_MONTH).months

    assert list(months)[:2] == ["2025-04-01", "2025-05-01"]
    assert [won.deals for won, _ in months.values()] == [0] * 8 + [1] + [0] * 3
    assert [won.value for won, _ in months.values()] == [0] * 8 + [100] + [0] * 3


# A period that is over: what is open is as of its last instant

OVER = [
    (END, PeriodChoice.LAST_MONTH, date(2026, 4, 30)),
    (END, PeriodChoice.LAST_QUARTER, date(2026, 3, 31)),
    (END, PeriodChoice.LAST_YEAR, date(2025, 12, 31)),
    (END, Period(date(2025, 7, 5), date(2025, 11, 20)), date(2025, 11, 19)),
    (LAST_OF_A_MONTH, PeriodChoice.LAST_QUARTER, date(2026, 3, 31)),
]
"""Looked at on that day, the period's last day is that."""


@pytest.mark.both_databases
def test_what_is_open_beside_a_period_that_is_over_is_what_was_open_at_its_end(past):
    for (today, choice, last), (where, counts) in product(OVER, whose(past)):
        end = past_end(past, last)
        board = past.overview(choice, past.asked_at(today), where)
        opened = open_ones(list(filter(counts, past.then(end))))

        assert (board.open_moment.at, board.open_on, board.period.last_day) == (end, last, last)
        assert_open(board, opened, last)
        assert_late_and_soon(board, opened, last)
        assert sum(each.deals for each in board.expected) == len(opened) > 0
        tiles = {tile.name: tile for tile in board.tiles}
        expected = {
            MetricName.OPEN_PIPELINE: (total(opened), opened),
            MetricName.WEIGHTED_PIPELINE: (weighted(opened), opened),
            MetricName.OVERDUE: (len(late_ones(opened, last)), late_ones(opened, last)),
        }
        with past.database.read() as session:
            for name, (value, rows) in expected.items():
                tile = tiles[name]
                assert (tile.value, tile.deals, tile.open_on) == (value, len(rows), last)
                assert (tile.trend[-1], tile.where.as_of) == ((last, value), end)
                assert ids_of(session, tile.where) == {row["id"] for row in rows}


def test_an_earlier_as_of_goes_before_the_end_of_the_period(past):
    at = past.asked_at(MIDDLE_OF_A_QUARTER)

    with past.database.read() as session:
        board = dashboard.overview(session, Period(date(2026, 1, 1), date(2026, 4, 1)), as_of=at)

    assert (board.open_moment.at, board.open_on) == (at, None)
    assert_open(board, past.then(at), MIDDLE_OF_A_QUARTER)


def test_what_was_open_before_the_period_is_what_it_is_compared_with(past):
    board = past.overview(PeriodChoice.LAST_QUARTER, past.asked_at(END))

    before = open_ones(past.then(past_end(past, date(2025, 12, 31))))
    tiles = {tile.name: tile for tile in board.tiles}
    assert tiles[MetricName.OPEN_PIPELINE].before == total(before)
    assert tiles[MetricName.WEIGHTED_PIPELINE].before == weighted(before)
    assert tiles[MetricName.OVERDUE].before == len(late_ones(before, date(2025, 12, 31)))


@pytest.mark.both_databases
def test_velocity_of_a_period_that_is_over_is_of_the_365_days_that_end_with_it(past):
    at = past.asked_at(END)
    year = Period(date(2025, 4, 1), date(2026, 4, 1))
    with past.database.read() as session:
        board = dashboard.overview(session, PeriodChoice.LAST_QUARTER, as_of=at)
        known = Recount(RecountedPast.of(session), at, past.zone, EVERYTHING, year)
    opened = open_ones(past.then(past_end(past, date(2026, 3, 31))))

    tile = next(tile for tile in board.tiles if tile.name is MetricName.VELOCITY)

    rate, average, days = known.win_rate(), known.average_won(), known.sales_cycle()
    exact = len(opened) * rate.value * average.value / Decimal(days.value)
    assert (tile.value, tile.deals) == (exact.quantize(Decimal("0.01"), ROUND_HALF_UP), len(opened))


@pytest.mark.both_databases
@pytest.mark.parametrize("fiscal_start", [2, 6, 12])
def test_a_fiscal_quarter_that_is_over_is_counted_by_its_own_days(past, fiscal_start):
    """Of February, June and December the last one before May 20 ends with April, February and February."""
    days = {
        2: (date(2026, 2, 1), date(2026, 4, 30)),
        6: (date(2025, 12, 1), date(2026, 2, 28)),
        12: (date(2025, 12, 1), date(2026, 2, 28)),
    }[fiscal_start]
    at = past.asked_at(END)
    with suppress(Discard), past.database.write() as session:
        settings_service.get_settings(session).fiscal_year_start_month = fiscal_start
        board = dashboard.overview(session, PeriodChoice.LAST_QUARTER, as_of=at)
        raise Discard

    assert (board.period.start, board.period.last_day) == days
    assert_closed(board.closed, past, past.then(at), days)
    assert_open(board, past.then(past_end(past, days[1])), days[1])


def late_ones(rows: list[Row], last: date) -> list[Row]:
    return [row for row in rows if row["expected_close_date"] and row["expected_close_date"] < last]


def assert_late_and_soon(board: Overview, opened: list[Row], last: date) -> None:
    found = {each.need: each.totals.deals for each in board.attention.needs}
    soon = [row for row in opened if row["expected_close_date"]]
    soon = [row for row in soon if last <= row["expected_close_date"] <= last + timedelta(days=6)]
    assert found[Need.OVERDUE] == len(late_ones(opened, last))
    assert found[Need.CLOSING_SOON] == len(soon)


def ids_of(session: Session, where: OpportunityFilter) -> set[int]:
    rows = opportunity_service.get_rows(session, where, limit=200)
    assert len(rows) < 200
    return {row.id for row in rows}


# What each figure and each part of a chart counts, recounted from the rows, and the list behind it


def figures_behind(board: Overview) -> list[tuple[str, int, OpportunityFilter]]:
    """What each says it counts, and the filter that it leads to."""
    months = [segment for pair in board.months.values() for segment in pair]
    segments = [*board.stages, *months, *board.expected, *board.reasons, *board.funnel.segments]
    left_out = {"funnel": board.funnel.path_unknown, "times": board.times.path_unknown}
    return [
        *((tile.name.value, tile.deals, tile.where) for tile in board.tiles),
        *((f"{each.label} {each.part}", each.deals, each.where) for each in segments),
        *((f"{each.label} of {chart}", each.deals, each.where) for chart, each in left_out.items()),
        *((each.label, each.rate.n, each.where) for each in board.owners),
        *((f"time in {each.stage}", each.deals, each.where) for each in board.times.stages),
        *((each.need.label, each.totals.deals, each.where) for each in board.attention.needs),
    ]


@pytest.mark.both_databases
def test_each_figure_leads_to_exactly_its_deals(past):
    told = 0
    for today, choice in (
        (MIDDLE_OF_A_QUARTER, PeriodChoice.LAST_QUARTER),
        (END, PeriodChoice.LAST_YEAR),
        (END, PeriodChoice.ALL_TIME),
    ):
        for where, _ in whose(past):
            board = past.overview(choice, past.asked_at(today), where)
            with past.database.read() as session:
                for name, deals, which in figures_behind(board):
                    assert (name, opportunity_service.count_opportunities(session, which)) == (name, deals)
                    told += deals > 0
    assert told > 100


def test_tiles_are_what_the_metrics_say(past):
    at = past.asked_at(LAST_OF_A_QUARTER)
    for where, _ in whose(past):
        board = past.overview(PeriodChoice.THIS_YEAR, at, where)
        with past.database.read() as session:
            for tile in board.tiles:
                metric = METRICS[tile.name]
                period = board.period if metric.days is metrics.Days.ANY else None
                figure = metrics.measure(session, tile.name, where, period=period, as_of=at).figure
                value = None if tile.value is None else float(tile.value)
                assert value == pytest.approx(None if figure.value is None else float(figure.value))


def test_an_open_total_is_held_against_the_day_before_the_period(past):
    at, before = (past.asked_at(day) for day in (LAST_OF_A_QUARTER, MIDDLE_OF_A_QUARTER))
    days = Period(MIDDLE_OF_A_QUARTER + ONE_DAY, LAST_OF_A_QUARTER + ONE_DAY)
    with past.database.read() as session:
        board = dashboard.overview(session, days, as_of=at)
        was = dashboard.overview(session, days, as_of=past_end(past, MIDDLE_OF_A_QUARTER))
    tiles = {tile.name: tile for tile in board.tiles}

    assert past.day_of(board.began) == past.day_of(before) == MIDDLE_OF_A_QUARTER
    assert tiles[MetricName.OPEN_PIPELINE].before == was.open.value
    assert tiles[MetricName.WEIGHTED_PIPELINE].before == was.open.weighted
    assert tiles[MetricName.OVERDUE].before == was.open.overdue


def past_end(past: Past, day: date) -> datetime:
    return datetime.combine(day + ONE_DAY, time(), past.zone) - A_MOMENT


def test_the_open_deals_of_a_chart_are_all_of_them(past):
    for today in ASKED_ON:
        board = past.overview(PeriodChoice.THIS_QUARTER, past.asked_at(today))
        for chart in (board.stages, board.expected):
            assert sum(segment.deals for segment in chart) == board.open.deals
            assert sum(segment.value or 0 for segment in chart) == board.open.value


def test_rates_by_owner_are_recounted(past):
    for today in ASKED_ON:
        at = past.asked_at(today)
        board, rows = past.overview(PeriodChoice.THIS_YEAR, at), past.kept(at)
        days = board.period.start, board.period.last_day
        won, lost = (past.closed(rows, stage, *days) for stage in (WON, LOST))
        for each in board.owners:
            owner = None if each.where.without_owner else next(iter(each.where.owners))
            hits, misses = (sum(row["credited_owner_id"] == owner for row in group) for group in (won, lost))
            assert (each.rate.hits, each.rate.n) == (hits, hits + misses)
        assert sum(each.rate.n for each in board.owners) == board.closed.win_rate.n


def test_what_needs_attention_is_recounted(past):
    for today in ASKED_ON:
        at = past.asked_at(today)
        board = past.overview(PeriodChoice.THIS_QUARTER, at)
        open_ = [row for row in past.kept(at) if row["stage"] in OPEN_STAGES]
        soon = today + timedelta(days=6)
        expected = {
            Need.OVERDUE: [r for r in open_ if r["expected_close_date"] and r["expected_close_date"] < today],
            Need.NO_NEXT_STEP: [r for r in open_ if not r["next_step"] and not r["next_step_date"]],
            Need.CLOSING_SOON: [
                r for r in open_ if r["expected_close_date"] and today <= r["expected_close_date"] <= soon
            ],
        }
        found = {each.need: each.totals for each in board.attention.needs}
        for need, rows in expected.items():
            assert (found[need].deals, found[need].value) == (len(rows), total(rows))
        values = [card.deal.expected_value for card in board.attention.cards]
        known = [value for value in values if value is not None]
        assert values == [*sorted(known, reverse=True), *[None] * (len(values) - len(known))]
