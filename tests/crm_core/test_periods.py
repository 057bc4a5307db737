"""Days begin and end where the workspace is, and periods are compared with their like."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from crm_core.models import Opportunity
from crm_core.periods import Calendar, Days, Period, PeriodChoice, PeriodKind, Pieces

ZURICH = Calendar(ZoneInfo("Europe/Zurich"))
ZONES = [
    "UTC",
    "Europe/Zurich",
    "America/New_York",
    "Pacific/Kiritimati",
    "Asia/Kathmandu",
    "America/Santiago",
]
MARCH = Period(date(2026, 3, 1), date(2026, 4, 1), PeriodKind.MONTH)


def test_a_day_begins_at_midnight_of_the_workspace():
    assert ZURICH.start_of(date(2026, 3, 18)) == datetime(2026, 3, 17, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 3, 18), 24)]
)
def test_days_on_which_the_clock_changes_are_shorter_or_longer(day, hours):
    length = ZURICH.start_of(day + timedelta(days=1)) - ZURICH.start_of(day)

    assert length == timedelta(hours=hours)


@given(zone=st.sampled_from(ZONES), day=st.dates(date(2000, 1, 1), date(2050, 1, 1)))
def test_the_first_and_the_last_instant_belong_to_the_day(zone, day):
    calendar = Calendar(ZoneInfo(zone))

    instants = [calendar.start_of(day), calendar.last_second_of(day), calendar.end_of(day)]

    assert [calendar.day_of(instant) for instant in instants] == [day] * 3
    assert calendar.day_of(calendar.start_of(day) - timedelta(microseconds=1)) == day - timedelta(days=1)


KINDS = [
    (PeriodKind.MONTH, 1, date(2026, 3, 1), date(2026, 4, 1)),
    (PeriodKind.QUARTER, 1, date(2026, 1, 1), date(2026, 4, 1)),
    (PeriodKind.QUARTER, 2, date(2026, 2, 1), date(2026, 5, 1)),
    (PeriodKind.QUARTER, 6, date(2026, 3, 1), date(2026, 6, 1)),
    (PeriodKind.QUARTER, 10, date(2026, 1, 1), date(2026, 4, 1)),
    (PeriodKind.MONTH, 2, date(2026, 3, 1), date(2026, 4, 1)),
    (PeriodKind.YEAR, 1, date(2026, 1, 1), date(2027, 1, 1)),
    (PeriodKind.YEAR, 4, date(2026, 1, 1), date(2027, 1, 1)),
    (PeriodKind.FISCAL_YEAR, 1, date(2026, 1, 1), date(2027, 1, 1)),
    (PeriodKind.FISCAL_YEAR, 4, date(2025, 4, 1), date(2026, 4, 1)),
]


@pytest.mark.parametrize(("kind", "fiscal_start", "start", "end"), KINDS)
def test_a_day_lies_in_one_period_of_each_kind(kind, fiscal_start, start, end):
    calendar = Calendar(ZoneInfo("UTC"), fiscal_start)

    assert calendar.period(kind, date(2026, 3, 18)) == Period(start, end, kind)


fiscal_starts = st.integers(1, 12)
calendar_days = st.dates(date(1901, 1, 1), date(2998, 12, 31))


def month_number(day: date) -> int:
    return 12 * day.year + day.month


@given(fiscal_start=fiscal_starts, day=calendar_days)
def test_a_fiscal_year_has_four_quarters_and_every_day_lies_in_one(fiscal_start, day):
    calendar = Calendar(ZoneInfo("UTC"), fiscal_start)
    year = calendar.fiscal_year_of(day)
    quarters = calendar.quarters(year)

    months_of_the_year = (month_number(day) - fiscal_start) % 12  # that are over before the day's
    assert [month_number(quarter.start) for quarter in quarters] == [
        month_number(day) - months_of_the_year + number for number in (0, 3, 6, 9)
    ]
    (position,) = (place for place, each in enumerate(quarters) if each.start <= day < each.end)
    assert calendar.period(PeriodKind.QUARTER, day) == quarters[position]
    assert (calendar.quarter_of(day), quarters[-1].last_day.year) == (position + 1, year)
    assert [quarter.next() for quarter in quarters[:-1]] == quarters[1:]
    assert [quarter.previous() for quarter in quarters[1:]] == quarters[:-1]
    whole_year = calendar.period(PeriodKind.FISCAL_YEAR, day)
    assert (whole_year.start, whole_year.end) == (quarters[0].start, quarters[-1].end)
    assert calendar.begins_a_quarter(day) == any(day == quarter.start for quarter in quarters)


LABELS = [
    (1, date(2027, 1, 1), date(2027, 4, 1), "Q1 2027"),
    (1, date(2026, 10, 1), date(2027, 1, 1), "Q4 2026"),
    (1, date(2027, 1, 1), date(2028, 1, 1), "2027"),
    (2, date(2026, 2, 1), date(2026, 5, 1), "Q1 FY27"),
    (2, date(2026, 11, 1), date(2027, 2, 1), "Q4 FY27"),
    (2, date(2026, 2, 1), date(2027, 2, 1), "FY27"),
    (2, date(2026, 1, 1), date(2027, 1, 1), "2026"),
    (7, date(2025, 7, 1), date(2026, 7, 1), "FY26"),
    (10, date(2025, 10, 1), date(2026, 1, 1), "Q1 FY26"),
    (12, date(2099, 12, 1), date(2100, 3, 1), "Q1 FY2100"),
    (4, date(1926, 4, 1), date(1927, 4, 1), "FY1927"),
    (4, date(2008, 4, 1), date(2008, 7, 1), "Q1 FY09"),
    (2, date(2026, 1, 1), date(2026, 4, 1), None),
    (1, date(2026, 1, 1), date(2026, 3, 31), None),
    (1, date(2026, 1, 2), date(2026, 4, 1), None),
    (1, date(2026, 1, 1), date(2026, 2, 1), None),
    (1, date(2026, 1, 1), date(2026, 7, 1), None),
    (3, date(2025, 4, 1), date(2026, 4, 1), None),
    (2, date(9999, 11, 1), date(9999, 12, 1), None),
]


@pytest.mark.parametrize(("fiscal_start", "start", "end", "label"), LABELS)
def test_quarters_and_years_have_a_name_and_other_days_have_none(fiscal_start, start, end, label):
    calendar = Calendar(ZoneInfo("UTC"), fiscal_start)

    assert calendar.label(Period(start, end)) == label
    if label is not None and label.startswith("Q"):
        assert {calendar.quarter_label(day) for day in (start, end - timedelta(days=1))} == {label}


@given(fiscal_start=fiscal_starts, year=st.integers(1901, 2998))
def test_no_two_fiscal_years_have_the_same_name(fiscal_start, year):
    calendar = Calendar(ZoneInfo("UTC"), fiscal_start)

    others = {calendar.fiscal_year_label(other) for other in range(1900, 3000) if other != year}
    assert calendar.fiscal_year_label(year) not in others


@pytest.mark.parametrize(
    ("fiscal_start", "this", "last"),
    [
        (1, (date(2026, 1, 1), date(2026, 4, 1)), (date(2025, 10, 1), date(2026, 1, 1))),
        (2, (date(2026, 2, 1), date(2026, 5, 1)), (date(2025, 11, 1), date(2026, 2, 1))),
        (12, (date(2026, 3, 1), date(2026, 6, 1)), (date(2025, 12, 1), date(2026, 3, 1))),
    ],
)
def test_this_quarter_and_the_last_one_are_the_fiscal_years_in_every_choice(fiscal_start, this, last):
    calendar, today = Calendar(ZoneInfo("UTC"), fiscal_start), date(2026, 3, 18)

    for choices in (PeriodChoice, Days):
        found = [calendar.around(choice, today) for choice in (choices.THIS_QUARTER, choices.LAST_QUARTER)]
        assert found == [Period(*this, PeriodKind.QUARTER), Period(*last, PeriodKind.QUARTER)]
    elapsed = (today - this[0]).days + 1
    assert found[0].compared_with(today) == Period(
        last[0], last[0] + timedelta(days=elapsed), PeriodKind.QUARTER
    )


def test_the_period_before_is_of_the_same_kind():
    assert MARCH.previous() == Period(date(2026, 2, 1), date(2026, 3, 1), PeriodKind.MONTH)


def test_before_a_custom_period_come_as_many_days():
    custom = Period(date(2026, 3, 10), date(2026, 3, 20))

    assert custom.previous() == Period(date(2026, 2, 28), date(2026, 3, 10))


@pytest.mark.parametrize(
    ("today", "end"),
    [
        (date(2026, 3, 1), date(2026, 2, 2)),
        (date(2026, 3, 18), date(2026, 2, 19)),
        (date(2026, 3, 30), date(2026, 3, 1)),
        (date(2026, 3, 31), date(2026, 3, 1)),
        (date(2026, 5, 1), date(2026, 3, 1)),
    ],
)
def test_a_running_period_is_compared_with_as_many_elapsed_days(today, end):
    assert MARCH.compared_with(today) == Period(date(2026, 2, 1), end, PeriodKind.MONTH)


def test_the_months_of_a_period_are_those_it_touches():
    period = Period(date(2025, 12, 31), date(2026, 2, 1))

    assert period.months() == [date(2025, 12, 1), date(2026, 1, 1)]
    assert (period.days, period.last_day) == (32, date(2026, 1, 31))


def test_a_period_has_its_first_day_and_not_the_day_after_its_last(session, make):
    days = {"before": date(2026, 2, 28), "first": MARCH.start, "last": MARCH.last_day, "after": MARCH.end}
    for name, day in days.items():
        make.opportunity(name=name, created_on=day)

    found = session.scalars(select(Opportunity.name).where(MARCH.has(Opportunity.created_on)))

    assert set(found) == {"first", "last"}


def test_pieces_begin_and_end_where_a_period_does(session):
    february = Period(date(2026, 2, 1), date(2026, 3, 1))
    pieces = Pieces([Period(date(2026, 1, 1), date(2026, 3, 15)), february])

    rows = session.execute(select(pieces.rows())).all()

    days = [date(2026, 1, 1), february.start, february.end, date(2026, 3, 15)]
    assert [tuple(row) for row in rows] == [(place, *days[place : place + 2]) for place in range(3)]
    assert (list(pieces.of(february)), len(pieces.of(Period(days[0], days[-1])))) == ([1], 3)


def test_a_period_of_no_day_is_no_piece(session):
    nothing = Period(date(2026, 1, 1), date(2026, 1, 1))
    pieces = Pieces([nothing])

    ((_, since, until),) = session.execute(select(pieces.rows())).all()

    assert since == until
    assert list(pieces.of(nothing)) == []


def test_there_may_be_very_many_pieces(session):
    first = date(2020, 1, 1)
    days = [Period(first + timedelta(days=each), first + timedelta(days=each + 1)) for each in range(1_200)]

    assert len(session.execute(select(Pieces(days).rows())).all()) == len(days)
