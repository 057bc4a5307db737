"""Every figure recounted in plain Python over the rows, on random data, as of several instants."""

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from crm_core import demo
from crm_core.analytics import outcomes, pipeline, wins
from crm_core.analytics.outcomes import Outcomes
from crm_core.bulk import insert_rows
from crm_core.columns import LARGEST_AMOUNT
from crm_core.database import Database
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import CLOSED_STAGES, OPEN_STAGES, CloseReason, Opportunity, OpportunityStage, Outcome
from crm_core.periods import Calendar, Period, PeriodKind
from crm_core.services import opportunity_service, settings_service
from tests.builders import Make
from tests.conftest import NOW
from tests.databases import InTurn

pytestmark = pytest.mark.both_databases

ZONES = ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York")
STEPS = 12

MORE_THAN_64_BITS_HOLD = 10_000
"""Deals of the largest amount."""


@pytest.fixture(params=ZONES, scope="module")
def worked(
    request: pytest.FixtureRequest, module_in_turn: InTurn
) -> Iterator[tuple[Database, list[tuple[datetime, list[dict]]]]]:
    """A database after a year of random work, with plain copies of its rows after each step."""
    database, chance = module_in_turn.database, random.Random(request.param)
    remembered = []
    at = NOW - timedelta(days=360)
    with database.write(at=at) as session:
        settings_service.get_settings(session).time_zone = request.param
        make = Make(session)
        owners = [make.user(name).id for name in ("Ada", "Bob", "Cy")]
    for _ in range(STEPS):
        at += timedelta(days=29, hours=chance.randint(0, 23), minutes=chance.randint(0, 59))
        with database.write(at=at) as session:
            work_a_while(session, chance, owners)
        with database.read() as session:
            remembered.append((at, [plain(deal) for deal in session.scalars(select(Opportunity))]))
    yield database, remembered
    module_in_turn.empty()


def work_a_while(session: Session, chance: random.Random, owners: list[int]) -> None:
    make = Make(session)
    for _ in range(8):
        make.opportunity(
            stage=(stage := chance.choice(OPEN_STAGES)),
            probability=chance.randint(0, 100) if chance.random() < 0.3 else 10 * OPEN_STAGES.index(stage),
            expected_value=None if chance.random() < 0.2 else Decimal(chance.randint(0, 10**7)) / 100,
            expected_close_date=None
            if chance.random() < 0.2
            else NOW.date() - timedelta(chance.randint(-90, 300)),
            owner_id=chance.choice([None, *owners]),
        )
    lost_reasons = settings_service.get_close_reasons(session, Outcome.LOST)
    for deal in session.scalars(select(Opportunity).where(Opportunity.deleted_at.is_(None))).all():
        act(session, chance, deal, owners, lost_reasons)


def act(
    session: Session, chance: random.Random, deal: Opportunity, owners: list[int], reasons: list[CloseReason]
) -> None:
    action = chance.random()
    if action < 0.05:
        opportunity_service.delete_opportunity(session, deal.id)
    elif action < 0.15:
        deal.owner_id = chance.choice(owners)
    elif not deal.is_open and action < 0.25:
        opportunity_service.reopen_opportunity(session, deal.id, to=OpportunityStage.PROPOSAL)
    elif deal.is_open and action < 0.35:
        opportunity_service.move_opportunity(session, deal.id, to=chance.choice(OPEN_STAGES))
    elif deal.is_open and deal.stage in OPEN_STAGES[2:] and action < 0.6:
        opportunity_service.close_opportunity(session, deal.id, outcome=Outcome.WON)
    elif deal.is_open and action < 0.7:
        reason = chance.choice(reasons)
        opportunity_service.close_opportunity(
            session, deal.id, outcome=Outcome.LOST, reason_id=reason.id, note="Why not"
        )


def plain(deal: Opportunity) -> dict:
    return {column.name: getattr(deal, column.name) for column in Opportunity.__table__.columns}


def kept(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["deleted_at"] is None]


def total(rows: list[dict]) -> Decimal:
    return sum((row["expected_value"] for row in rows if row["expected_value"] is not None), Decimal(0))


def test_open_totals_are_those_of_the_rows_as_of_every_instant(worked):
    database, remembered = worked
    for at, rows in remembered:
        with database.read() as session:
            figures = pipeline.totals(session, as_of=at)
            today = settings_service.get_calendar(session).day_of(at)
        open_ = [row for row in kept(rows) if row["stage"] in OPEN_STAGES]
        assert figures.deals == len(open_)
        assert figures.value == total(open_)
        exact = sum((row["expected_value"] or 0) * row["probability"] for row in open_) / Decimal(100)
        assert figures.weighted == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert figures.without_value == sum(row["expected_value"] is None for row in open_)
        assert figures.without_date == sum(row["expected_close_date"] is None for row in open_)
        overdue = [row for row in open_ if row["expected_close_date"] and row["expected_close_date"] < today]
        assert figures.overdue == len(overdue)


def test_stages_add_up_to_the_rows_as_of_every_instant(worked):
    database, remembered = worked
    for at, rows in remembered:
        with database.read() as session:
            frame = pipeline.by_stage(session, as_of=at)
        assert list(frame["stage"]) == list(OpportunityStage)
        for line in frame.itertuples():
            inside = [row for row in kept(rows) if row["stage"] is line.stage]
            assert (line.deals, line.value) == (len(inside), total(inside))
            assert line.without_value == sum(row["expected_value"] is None for row in inside)


def test_won_and_lost_are_those_of_the_rows_in_each_period(worked):
    database, remembered = worked
    for at, rows in remembered[::4]:
        with database.read() as session:
            calendar = settings_service.get_calendar(session)
            uncounted = set(session.scalars(select(CloseReason.id).where(~CloseReason.counts)))
        for kind in (PeriodKind.MONTH, PeriodKind.QUARTER, PeriodKind.YEAR):
            period = calendar.period(kind, calendar.day_of(at))
            with database.read() as session:
                figures = outcomes.closed_in(session, period, as_of=at)
            won, lost = (in_period(rows, stage, period, calendar.zone) for stage in CLOSED_STAGES)
            assert (figures.won, figures.won_value) == (len(won), total(won))
            assert (figures.lost, figures.lost_value) == (len(lost), total(lost))
            real = [row for row in lost if row["close_reason_id"] not in uncounted]
            assert (figures.win_rate.hits, figures.win_rate.n) == (len(won), len(won) + len(real))


def in_period(rows: list[dict], stage: OpportunityStage, period: Period, zone: ZoneInfo) -> list[dict]:
    return [
        row
        for row in kept(rows)
        if row["stage"] is stage and period.start <= row["closed_at"].astimezone(zone).date() < period.end
    ]


def day_of(row: dict, zone: ZoneInfo) -> date:
    return row["created_at"].astimezone(zone).date()


def test_months_of_wins_add_up_to_the_period(worked):
    database, remembered = worked
    at, rows = remembered[-1]
    with database.read() as session:
        zone = settings_service.get_calendar(session).zone
        year = Period(NOW.date() - timedelta(days=400), NOW.date())
        months = year.cut_by_month()
        each = [*months.values(), year, Period(year.start, year.start), Period(date(1990, 1, 1), year.end)]
        closed = outcomes.closed_in_each(session, each, as_of=at)
        cycles = wins.wins_in_each(session, each, as_of=at)
        assert closed == {period: outcomes.closed_in(session, period, as_of=at) for period in each}
        assert cycles == {period: wins.wins_in(session, period, as_of=at) for period in each}
    assert list(months) == year.months()
    for month in months.values():
        found = closed[month]
        won = in_period(rows, OpportunityStage.CLOSED_WON, month, zone)
        assert (found.won, found.won_value) == (len(won), total(won))
        days = sorted((row["closed_at"].astimezone(zone).date() - day_of(row, zone)).days for row in won)
        cycle = cycles[month]
        assert cycle.deals == len(won)
        assert cycle.median_days == (median(days) if days else None)
    for name in Outcomes.__dataclass_fields__.keys() - {"has_losses"}:
        assert sum(getattr(closed[month], name) for month in months.values()) == getattr(closed[year], name)


def test_as_of_now_is_the_live_table(worked):
    database, _ = worked
    with database.read(at=NOW) as session:
        assert pipeline.totals(session) == pipeline.totals(session, as_of=NOW)
        assert pipeline.by_stage(session).equals(pipeline.by_stage(session, as_of=NOW))


def test_a_reassigned_win_stays_with_the_owner_at_the_close(session, make):
    ada, bob = make.user("Ada"), make.user("Bob")
    deal = make.won(500, owner_id=ada.id)

    deal.owner_id = bob.id
    session.flush()

    month = Calendar(ZoneInfo("UTC")).period(PeriodKind.MONTH, NOW.date())
    won = [outcomes.closed_in(session, month, OpportunityFilter(owners={who.id})).won for who in (ada, bob)]
    assert won == [1, 0]


def test_an_unknown_value_is_not_zero(session, make):
    make.opportunity(expected_value=Decimal(0))
    make.opportunity(expected_value=None)

    figures = pipeline.totals(session)

    assert (figures.deals, figures.value, figures.without_value) == (2, Decimal(0), 1)


def test_nothing_closed_is_no_rate(session):
    figures = outcomes.closed_in(session, Period(date(2026, 1, 1), date(2026, 4, 1)))

    assert figures.win_rate.value is None
    assert figures.win_rate.interval is None


def test_a_duplicate_is_out_of_the_win_rate(session, make):
    duplicate = session.scalars(select(CloseReason).where(~CloseReason.counts)).one()
    make.won()
    make.lost()
    make.lost(close_reason_id=duplicate.id)

    figures = outcomes.closed_in(session, Period(date(2026, 1, 1), date(2026, 4, 1)))

    assert (figures.lost, figures.not_counted, figures.win_rate.n) == (2, 1, 2)


@pytest.mark.parametrize("zone", ["Pacific/Pago_Pago", "Pacific/Kiritimati", "Europe/Berlin"])
def test_a_close_just_before_midnight_counts_in_the_local_month(session, make, zone):
    settings_service.get_settings(session).time_zone = zone
    late = datetime(2026, 2, 28, 23, 30, tzinfo=ZoneInfo(zone))
    make.won(100, closed_at=late)

    months = [*Period(date(2026, 2, 1), date(2026, 4, 1)).cut_by_month().values()]
    found = outcomes.closed_in_each(session, months)

    assert [found[month].won for month in months] == [1, 0]


def test_every_list_counts_what_its_figure_says(worked):
    database, _ = worked
    with database.read(at=NOW) as session:
        figures = pipeline.totals(session)
        overdue = opportunity_service.count_opportunities(session, OpportunityFilter(overdue=True))
        unknown = opportunity_service.count_opportunities(
            session, OpportunityFilter(without_value=True, is_open=True)
        )
        everything = opportunity_service.count_opportunities(session, EVERYTHING)
        stages = pipeline.by_stage(session)
    assert (overdue, unknown) == (figures.overdue, figures.without_value)
    assert everything == stages["deals"].sum()


def test_totals_that_64_bits_do_not_hold_are_exact(session, make):
    won, lost = make.won(LARGEST_AMOUNT, closed_at=NOW), make.lost(LARGEST_AMOUNT, closed_at=NOW)
    for deal in (won, lost):
        names = [column.name for column in Opportunity.__table__.columns if column.name != "id"]
        like_it = {name: getattr(deal, name) for name in names}
        insert_rows(session, Opportunity.__table__, [like_it] * MORE_THAN_64_BITS_HOLD)
    day = Period(NOW.date(), NOW.date() + timedelta(days=1))

    each = outcomes.closed_in_each(session, [day])[day]

    total = LARGEST_AMOUNT * (MORE_THAN_64_BITS_HOLD + 1)
    assert each == outcomes.closed_in(session, day)
    assert (each.won_value, each.lost_value, each.not_counted_value) == (total, total, 0)
    assert wins.wins_in(session, day).average_value == LARGEST_AMOUNT


def test_a_server_counts_a_past_day_without_looking_into_the_table(postgres_url):
    with closing(Database(postgres_url)) as database:
        demo.fill(database, opportunities=400, seed=3, at=NOW)
        vacuum(database)

        plans = plans_of_the_past(database)

    assert len(plans) == 4
    for plan in plans:
        assert "Index Only Scan using ix_opportunity_versions_" in plan
        assert "Index Scan using ix_opportunity_versions_" not in plan


def vacuum(database: Database) -> None:
    """The server knows now how many rows there are and that each of them is there for everybody."""
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE opportunity_versions"))


def plans_of_the_past(database: Database) -> list[str]:
    """How the server goes about each question of the figures to the history."""
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
    with database.read() as session:
        for figures in (partial(pipeline.groups, only_open=True), outcomes.closed_in, wins.wins_in):
            figures(session, as_of=NOW)
        of_the_past = [each for each in asked if "opportunity_versions" in each[0]]
        run = session.connection().exec_driver_sql
        for other_way in ("seqscan", "bitmapscan"):
            run(f"SET LOCAL enable_{other_way} = off")
        return [" ".join(run(f"EXPLAIN {sql}", given).scalars()) for sql, given in of_the_past]
