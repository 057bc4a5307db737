"""A day stays that day in every time zone: in figures, filters, lists, histories, and as of past days."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from crm_core import check, dated
from crm_core.analytics.board import board
from crm_core.analytics.metrics import METRICS, measure
from crm_core.analytics.metrics import Days as Asked
from crm_core.database import Database
from crm_core.filters import CompanyFilter, OpportunityFilter
from crm_core.importing import import_opportunities
from crm_core.models import VERSIONS, Opportunity, OpportunityStage, Outcome
from crm_core.periods import Calendar, Period
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import company_service, opportunity_service, settings_service
from tests import forms
from tests.crm_core.importing.conftest import AT, as_file, small_mapping

pytestmark = pytest.mark.both_databases

S = OpportunityStage
ZONES = ("Europe/Zurich", "America/Chicago", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu")
FIRST, LAST = date(2025, 9, 1), AT.date()
DAYS = (LAST - FIRST).days
A_DAY = timedelta(days=1)

Told = dict[str, Any]


def move(database: Database, zone: str, at: datetime) -> None:
    with database.write(at=at) as session:
        settings_service.update_settings(session, SettingsUpdate(time_zone=zone))


def lines(chance: random.Random) -> list[str]:
    """Deals of a file that tells days alone."""
    found = []
    for number in range(30):
        created = FIRST + chance.randrange(DAYS) * A_DAY
        closed = created + chance.randrange((LAST - created).days + 1) * A_DAY
        state = chance.choice(["Open", "Won", "Won", "Lost"])
        begins = "" if chance.random() < 0.1 else created
        who = chance.choice(["Ada", "Bob"])
        customer = chance.choice(["Acme", "Solar"])
        found.append(
            f"{number},Deal {number},{customer},{who},{state},{chance.randrange(999)},{begins},{closed}"
        )
    return found


def told_of(database: Database, zone: str) -> list[Told]:
    """Every figure as of now, which is noon there, and as of the ends of past days."""
    calendar = Calendar(ZoneInfo(zone))
    noon = datetime.combine(LAST + 3 * A_DAY, time(12), ZoneInfo(zone)).astimezone(UTC)
    with database.read(at=noon) as session:
        days = [FIRST + number * A_DAY for number in range(20, DAYS, 37)]
        return [told(session, as_of) for as_of in (None, *map(calendar.end_of, days))]


def told(session: Any, as_of: datetime | None) -> Told:
    period = Period(date(2026, 1, 1), date(2026, 4, 1))
    march = OpportunityFilter(closed_from=date(2026, 3, 1), closed_to=date(2026, 3, 31), as_of=as_of)
    begun = OpportunityFilter(entered_from=date(2026, 2, 1), created_to=date(2026, 2, 9), as_of=as_of)
    found: Told = {}
    for name, metric in METRICS.items():
        days = period if metric.days in (Asked.ANY, Asked.WHOLE_MONTHS) else None
        found[name] = measure(session, name, period=days, as_of=as_of, explain=True).figure
    for where in (march, begun):
        found[repr(where.closed_to)] = opportunity_service.find_opportunity_ids(session, where)
    cards = board(session, OpportunityFilter(as_of=as_of), shown=dict.fromkeys((*S, "closed"), 99))
    found["cards"] = [
        (card.deal.id, card.deal.created_on, card.deal.stage_entered_on, card.days_in_stage, card.is_overdue)
        for column in cards
        for card in column.cards
    ]
    companies = CompanyFilter(created_to=date(2025, 12, 31), as_of=as_of)
    found["companies"] = [row.created_on for row in company_service.get_companies(session, companies).rows]
    return found


@pytest.mark.parametrize("seed", range(forms.either(1, 10)))
def test_figures_by_day_are_the_same_in_every_time_zone(database, seed):
    chance = random.Random(seed)
    import_opportunities(database, as_file(*lines(chance)), small_mapping(), at=AT)
    with database.write(at=AT + timedelta(hours=1)) as session:
        deals = session.scalars(
            select(Opportunity.id).where(Opportunity.is_open).order_by(Opportunity.id)
        ).all()
        for deal in deals[:3]:  # which somebody closed by hand, on a day that has passed
            on = session.get_one(Opportunity, deal).created_on
            opportunity_service.close_opportunity(session, deal, outcome=Outcome.WON, on=on)
    before, versions = told_of(database, "UTC"), states(database)

    for number, zone in enumerate(chance.sample(ZONES, 3)):
        move(database, zone, AT + timedelta(hours=2 + number))

        assert told_of(database, zone) == before
        assert check.findings(database) == []

    move(database, "UTC", AT + timedelta(hours=9))
    assert states(database) == versions


def states(database: Database) -> list[Any]:
    with database.read() as session:
        return [
            session.execute(select(table).order_by(table.c.id, table.c.version)).all()
            for table in VERSIONS.values()
        ]


def test_a_time_that_is_known_is_no_day(import_lines, database):
    """An instant stays where it is; the day that it was on when it was entered stays, too."""
    mapping = small_mapping(date_formats=["%Y-%m-%dT%H:%M:%SZ"])
    import_lines("1,Pump,Acme,Ada,Won,10,2026-03-01T23:30:00Z,2026-03-31T23:30:00Z", mapping=mapping)
    before = states(database)

    move(database, "Europe/Zurich", AT + timedelta(hours=1))

    assert states(database) == before
    with database.read() as session:
        deal = session.scalars(select(Opportunity)).one()
    assert (deal.closed_at, deal.actual_close_date) == (
        datetime(2026, 3, 31, 23, 30, tzinfo=UTC),
        date(2026, 3, 31),
    )


def test_the_zone_decides_on_which_day_a_time_is(database, import_lines):
    move(database, "Europe/Zurich", AT - A_DAY)
    mapping = small_mapping(date_formats=["%Y-%m-%dT%H:%M:%SZ"])

    import_lines("1,Pump,Acme,Ada,Won,10,2026-03-01T23:30:00Z,2026-03-31T23:30:00Z", mapping=mapping)

    with database.read() as session:
        deal = session.scalars(select(Opportunity)).one()
    assert (deal.created_on, deal.actual_close_date) == (date(2026, 3, 2), date(2026, 4, 1))


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_holds_from_its_beginning_on_in_any_zone(database, import_lines, zone):
    import_lines("1,Pump,Acme,Ada,Won,10,2026-03-29,2026-03-31")
    move(database, zone, AT + timedelta(hours=1))
    calendar = Calendar(ZoneInfo(zone))

    def deals(day: date, outcome: Outcome | None) -> int:
        where = OpportunityFilter(
            as_of=calendar.end_of(day), is_open=None if outcome else True, outcomes={outcome} - {None}
        )
        with database.read(at=AT + A_DAY) as session:
            return opportunity_service.count_opportunities(session, where)

    opened = [deals(date(2026, 3, day), None) for day in (28, 29, 30, 31)]
    won = [deals(date(2026, 3, day), Outcome.WON) for day in (28, 29, 30, 31)]
    assert (opened, won) == ([0, 1, 1, 0], [0, 0, 0, 1])


moments = st.integers(0, 5 * 24 * 60).map(
    lambda minute: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minute)
)
known = st.lists(st.tuples(moments, st.booleans()), min_size=1, max_size=5, unique_by=lambda each: each[0])


@given(known=known, zone=st.sampled_from(ZONES))
@example(known=[(datetime(2026, 3, 1, tzinfo=UTC), True)], zone="America/Chicago")
def test_states_stay_in_order_and_none_begins_after_it_was_written(known, zone):
    """Whatever is known of them by the day, and whatever by the instant."""
    calendar, written_at = Calendar(ZoneInfo(zone)), datetime(2026, 3, 6, tzinfo=UTC)
    found = [
        {
            "version": number,
            "valid_from": at,
            "valid_from_on": at.date() if by_day else None,
            "written_at": written_at,
        }
        for number, (at, by_day) in enumerate(sorted(known), start=1)
    ]

    begins = dated._beginnings(found, calendar)

    assert begins == sorted(set(begins))
    assert begins[-1] <= written_at
    assert [at for at, state in zip(begins, found, strict=True) if state["valid_from_on"] is None] == [
        state["valid_from"] for state in found if state["valid_from_on"] is None
    ]


def test_nothing_is_written_where_no_day_moves(database, import_lines):
    import_lines("1,Pump,Acme,Ada,Open,10,2026-03-29,")
    before = states(database)

    move(database, "Africa/Abidjan", AT + timedelta(hours=1))

    assert states(database) == before


def days_of(database: Database, model: type[Any]) -> Sequence[date]:
    with database.read() as session:
        return session.scalars(select(model.created_on).order_by(model.id)).all()


def test_what_is_created_here_has_the_day_that_it_is_here(database):
    at = datetime(2026, 3, 18, 23, 30, tzinfo=UTC)
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        move(database, zone, at)
        with database.write(at=at) as session:
            session.add(Opportunity(name="Roof", probability=10, stage=S.QUALIFICATION))
        at += timedelta(minutes=1)

    assert days_of(database, Opportunity) == [date(2026, 3, 18), date(2026, 3, 19), date(2026, 3, 18)]


def test_a_day_that_was_closed_twice_follows_the_time_zone(database, import_lines):
    """Once by the file and once by hand, so that both closes begin with the same second."""
    move(database, "Europe/Zurich", AT - 30 * A_DAY)
    late = datetime(2026, 11, 11, 1, 30, tzinfo=UTC)
    import_lines("1,Pump,Acme,Ada,Won,10,2026-02-01,2026-11-10", at=late)
    with database.write(at=late + timedelta(minutes=1)) as session:
        opportunity_service.reopen_opportunity(session, 1, to=S.NEGOTIATION)
    with database.write(at=late + timedelta(minutes=2)) as session:
        opportunity_service.close_opportunity(session, 1, outcome=Outcome.WON, on=date(2026, 11, 10))

    for hours, zone in enumerate(("America/Los_Angeles", "Pacific/Kiritimati", "Pacific/Pago_Pago"), start=1):
        move(database, zone, late + timedelta(hours=hours))

        assert check.findings(database) == []
        with database.read() as session:
            deal = session.get_one(Opportunity, 1)
            assert (deal.actual_close_date, deal.closed_at <= late + timedelta(minutes=2)) == (
                date(2026, 11, 10),
                True,
            )


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_beside_a_time_stays_in_order(database, import_lines, zone):
    mapping = small_mapping(date_formats=["%Y-%m-%d %H:%M", "%Y-%m-%d"])
    import_lines(
        "1,Pump,Acme,Ada,Won,10,2026-02-10 16:00,2026-02-10",
        "2,Pump,Acme,Ada,Won,10,2026-02-10,2026-02-10 05:00",
        mapping=mapping,
    )

    move(database, zone, AT + timedelta(hours=1))

    assert check.findings(database) == []


def test_a_day_in_the_wrong_place_is_found_and_mended(database, import_lines):
    import_lines("1,Pump,Acme,Ada,Open,10,2026-02-10,")
    with database.write(at=AT + timedelta(hours=1)) as session:
        settings_service.get_settings(session).time_zone = "America/Chicago"  # and nothing follows

    (company, deal) = check.findings(database)
    check.repair(database)

    assert deal.startswith("opportunity_versions 1 version 1: it does not begin on the day")
    assert company.startswith("company_versions 1 version 1")
    assert check.findings(database) == []
