"""A database from before days were stored as days keeps what was right, and gets right what was not."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from crm_core import check, demo, migrate
from crm_core.analytics import outcomes
from crm_core.analytics.metrics import METRICS, Days, measure
from crm_core.database import Database
from crm_core.filters import OpportunityFilter
from crm_core.importing import import_opportunities
from crm_core.models import VERSIONS, Opportunity, Outcome
from crm_core.periods import Period
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import opportunity_service, settings_service
from tests.conftest import NOW
from tests.crm_core.importing.conftest import AT, as_file, small_mapping

pytestmark = pytest.mark.both_databases

BEFORE = "0008"
LINES = (
    "1,Pump,Acme,Rita,Won,100,2026-01-01,2026-01-31",
    "2,Valve,Acme,Rita,Won,100,2026-02-01,2026-02-28",
    "3,Pipe,Solar,Otto,Won,100,2026-03-01,2026-03-31",
    "4,Tank,Solar,Otto,Open,100,2026-03-01,",
    "5,Hose,,Otto,Lost,100,,2026-03-15",
)
MONTHS = [*Period(date(2026, 1, 1), date(2026, 5, 1)).cut_by_month().values()]
A_DAY = timedelta(days=1)


def made_before(database: Database, *, zone: str | None = None) -> Database:
    """The database as it was stored before, and in which time zone since."""
    migrate.downgrade(database, BEFORE)
    if zone is not None:
        with database.migration() as connection:
            connection.execute(text("UPDATE settings SET time_zone = :zone"), {"zone": zone})
    return database


def filled(database: Database) -> Database:
    migrate.upgrade(database)
    import_opportunities(database, as_file(*LINES), small_mapping(), at=AT)
    with database.write(at=AT + A_DAY) as session:
        opportunity_service.close_opportunity(session, 4, outcome=Outcome.WON, on=date(2026, 4, 2))
    with database.write(at=AT + 2 * A_DAY) as session:
        opportunity_service.delete_opportunity(session, 5)
    return database


def figures(database: Database, at: datetime) -> list[Any]:
    """Every figure as of now and of the ends of past days."""
    period = Period(date(2026, 1, 1), date(2026, 7, 1))
    found = []
    with database.read(at=at) as session:
        calendar = settings_service.get_calendar(session)
        days = [date(2026, 2, 10), date(2026, 3, 31), date(2026, 11, 1)]
        for as_of in (None, *map(calendar.end_of, days)):
            for name, metric in METRICS.items():
                days_asked = period if metric.days in (Days.ANY, Days.WHOLE_MONTHS) else None
                found.append(measure(session, name, period=days_asked, as_of=as_of, explain=True).figure)
    return found


def states(database: Database) -> list[Any]:
    with database.read() as session:
        return [session.execute(select(t).order_by(t.c.id, t.c.version)).all() for t in VERSIONS.values()]


def test_figures_and_states_are_the_same_after_an_upgrade(empty_database):
    database = filled(empty_database)
    right, written = figures(database, AT + 3 * A_DAY), states(database)

    migrate.upgrade(made_before(database))

    assert figures(database, AT + 3 * A_DAY) == right
    assert states(database) == written
    assert check.findings(database) == []


def test_the_demo_data_is_the_same_after_an_upgrade(empty_database):
    migrate.upgrade(empty_database)
    demo.fill(empty_database, opportunities=80, seed=3, at=NOW)
    written = states(empty_database)

    migrate.upgrade(made_before(empty_database))

    assert states(empty_database) == written


@pytest.mark.parametrize("zone", ["Europe/Zurich", "America/Chicago", "Pacific/Kiritimati"])
def test_days_that_were_imported_in_another_time_zone_are_right_again(empty_database, zone):
    database = made_before(filled(empty_database), zone=zone)

    migrate.upgrade(database)

    with database.read(at=AT + 3 * A_DAY) as session:
        won = [outcomes.closed_in(session, month).won for month in MONTHS]
        created = [
            opportunity_service.count_opportunities(
                session, OpportunityFilter(created_from=month.start, created_to=month.last_day)
            )
            for month in MONTHS
        ]
        end_of_march = settings_service.get_calendar(session).end_of(date(2026, 3, 31))
        known = outcomes.closed_in(session, as_of=end_of_march).won
    assert (won, created, known) == ([1, 1, 1, 1], [1, 1, 2, 0], 3)
    assert check.findings(database) == []


def test_what_happened_here_is_on_the_day_that_it_is_in_the_present_time_zone(empty_database):
    migrate.upgrade(empty_database)
    late = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    for hours in (0, 1):  # clocks are put forward in between
        with empty_database.write(at=late + timedelta(hours=24 * hours)) as session:
            session.add(Opportunity(name="Roof", probability=10))
    migrate.upgrade(made_before(empty_database, zone="Europe/Zurich"))

    with empty_database.read() as session:
        days = session.scalars(select(Opportunity.created_on).order_by(Opportunity.id)).all()
    assert days == [date(2026, 3, 29), date(2026, 3, 30)]


def test_a_column_with_times_has_no_days(empty_database):
    """Six o'clock in Chicago is midnight in UTC, but a file that also says 17:45 means the time."""
    migrate.upgrade(empty_database)
    with empty_database.write(at=AT - A_DAY) as session:
        settings_service.update_settings(session, SettingsUpdate(time_zone="America/Chicago"))
    mapping = small_mapping(date_formats=["%Y-%m-%d %H:%M"])
    times = ("18:00", "17:45")
    lines = [f"{time},Pump,Acme,Rita,Open,100,2026-01-31 {time}," for time in times]
    import_opportunities(empty_database, as_file(*lines), mapping, at=AT)
    written = states(empty_database)

    migrate.upgrade(made_before(empty_database))

    assert states(empty_database) == written
    with empty_database.read() as session:
        days = session.scalars(select(Opportunity.created_on)).all()
    assert days == [date(2026, 1, 31)] * 2
