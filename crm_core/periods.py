"""Days and spans of days in the workspace's time zone, and the instants they begin and end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from sqlalchemy import ColumnElement, Date, Select, Subquery, and_, literal, select, union_all
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import KeyedColumnElement

ONE_DAY = timedelta(days=1)

MOST_PARTS = 400
"""Of a union; SQLite takes 500."""

DayColumn = InstrumentedAttribute[date | None] | InstrumentedAttribute[date] | KeyedColumnElement[Any]
"""A column with days, of a model or of a subquery."""

THIS_CENTURY = range(2000, 2100)
"""Fiscal years whose last two digits name them."""


class PeriodKind(StrEnum):
    """Spans that people compare; quarters are those of the fiscal year."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    FISCAL_YEAR = "fiscal_year"
    CUSTOM = "custom"

    @property
    def months(self) -> int:
        """How many months one lasts; 0 for a custom span."""
        return {"month": 1, "quarter": 3, "year": 12, "fiscal_year": 12}.get(self.value, 0)


@dataclass(frozen=True)
class Period:
    """Days from `start` up to, but not including, `end`."""

    start: date
    end: date
    kind: PeriodKind = PeriodKind.CUSTOM

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        return self.end - ONE_DAY

    def has(self, day: DayColumn) -> ColumnElement[bool]:
        """SQL: the day lies in the period."""
        return and_(day >= self.start, day < self.end)

    def previous(self) -> "Period":
        """The same kind of period immediately before; for a custom one, as many days."""
        if self.kind is PeriodKind.CUSTOM:
            return replace(self, start=self.start - timedelta(days=self.days), end=self.start)
        return replace(self, start=self.start - relativedelta(months=self.kind.months), end=self.start)

    def next(self) -> "Period":
        """The same kind of period immediately after; for a custom one, as many days."""
        if self.kind is PeriodKind.CUSTOM:
            return replace(self, start=self.end, end=self.end + timedelta(days=self.days))
        return replace(self, start=self.end, end=self.end + relativedelta(months=self.kind.months))

    def compared_with(self, today: date) -> "Period":
        """What to hold this period against: the previous one, cut to as many days as have elapsed of this."""
        before = self.previous()
        if not self.start <= today < self.end:
            return before
        elapsed = (today - self.start).days + 1
        return replace(before, end=min(before.end, before.start + timedelta(days=elapsed)))

    def months(self) -> list[date]:
        """The first day of every month that the period touches."""
        month = self.start.replace(day=1)
        months = []
        while month < self.end:
            months.append(month)
            month += relativedelta(months=1)
        return months

    def cut_by_month(self) -> "dict[date, Period]":
        """Its days of every month that it touches, by the month's first day."""
        return {
            first: Period(max(first, self.start), min(first + relativedelta(months=1), self.end))
            for first in self.months()
        }


class PeriodChoice(StrEnum):
    """Periods to choose from, relative to today."""

    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"
    THIS_QUARTER = "this_quarter"
    LAST_QUARTER = "last_quarter"
    THIS_YEAR = "this_year"
    LAST_YEAR = "last_year"
    THIS_FISCAL_YEAR = "this_fiscal_year"
    LAST_FISCAL_YEAR = "last_fiscal_year"
    ALL_TIME = "all_time"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").capitalize()


class Days(StrEnum):
    """Spans of days around today to choose from, for days that are to come as well."""

    LAST_MONTH = "last_month"
    THIS_MONTH = "this_month"
    NEXT_MONTH = "next_month"
    LAST_QUARTER = "last_quarter"
    THIS_QUARTER = "this_quarter"
    NEXT_QUARTER = "next_quarter"
    THIS_YEAR = "this_year"
    NEXT_YEAR = "next_year"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Calendar:
    """How the workspace counts days: its time zone, and the month its fiscal year starts in."""

    zone: ZoneInfo
    fiscal_start: int = 1

    def day_of(self, at: datetime) -> date:
        """The day it is here at that instant."""
        try:
            return at.astimezone(self.zone).date()
        except OverflowError:  # in a zone where the first or the last year is over
            return at.date()

    def start_of(self, day: date) -> datetime:
        """The first instant of the day."""
        midnight = datetime.combine(day, time(), self.zone)
        try:
            return midnight.astimezone(UTC)
        except OverflowError:  # in a zone where the first year has begun before, or the last one after
            return midnight.replace(tzinfo=UTC)

    def end_of(self, day: date) -> datetime:
        """The last instant of the day that a database can tell from the next day's first."""
        if day == date.max:
            return datetime.max.replace(tzinfo=UTC)
        return self.start_of(day + ONE_DAY) - timedelta(microseconds=1)

    def has(self, day: date) -> bool:
        """Whether there was such a day: crossing the date line has skipped some."""
        return self.start_of(day) < self.start_of(day + ONE_DAY)

    def last_second_of(self, day: date) -> datetime:
        """The last whole second of the day."""
        return self.start_of(day + ONE_DAY) - timedelta(seconds=1)

    def period(self, kind: PeriodKind, containing: date) -> Period:
        """The month, quarter, year or fiscal year that the day lies in."""
        first = 1 if kind is PeriodKind.YEAR else self.fiscal_start
        start = containing.replace(day=1)
        start -= relativedelta(months=(containing.month - first) % kind.months)
        return Period(start, start + relativedelta(months=kind.months), kind)

    def quarters(self, fiscal_year: int) -> list[Period]:
        """The four quarters of the fiscal year that is named by that year."""
        first = date(fiscal_year - (self.fiscal_start > 1), self.fiscal_start, 1)
        starts = [first + relativedelta(months=months) for months in range(0, 12, PeriodKind.QUARTER.months)]
        return [self.period(PeriodKind.QUARTER, start) for start in starts]

    def fiscal_year_of(self, day: date) -> int:
        """The fiscal year that the day lies in, named by the calendar year in which it ends."""
        return day.year + (day.month >= self.fiscal_start > 1)

    def fiscal_year_label(self, year: int) -> str:
        """“FY27”, or just “2027” where fiscal years begin in January; in other centuries “FY1927”."""
        if self.fiscal_start == 1:
            return str(year)
        return f"FY{year % 100:02}" if year in THIS_CENTURY else f"FY{year}"

    def quarter_of(self, day: date) -> int:
        """Which quarter of its fiscal year the day lies in, from 1 to 4."""
        return (day.month - self.fiscal_start) % 12 // PeriodKind.QUARTER.months + 1

    def quarter_label(self, day: date) -> str:
        """The quarter that the day lies in: “Q1 FY27”, or “Q1 2027” where fiscal years begin in January."""
        return f"Q{self.quarter_of(day)} {self.fiscal_year_label(self.fiscal_year_of(day))}"

    def label(self, period: Period) -> str | None:
        """What a quarter, a fiscal year or a year is called; None for any other days."""
        start, end = period.start, period.end
        if start.day != 1 or end.day != 1:
            return None
        months = 12 * (end.year - start.year) + end.month - start.month
        if months == PeriodKind.QUARTER.months and self.begins_a_quarter(start):
            return self.quarter_label(start)
        if months == PeriodKind.FISCAL_YEAR.months and start.month == self.fiscal_start:
            return self.fiscal_year_label(self.fiscal_year_of(start))
        return str(start.year) if months == PeriodKind.YEAR.months and start.month == 1 else None

    def begins_a_quarter(self, day: date) -> bool:
        """Whether a quarter begins on that day."""
        return day.day == 1 and (day.month - self.fiscal_start) % PeriodKind.QUARTER.months == 0

    def chosen(self, choice: PeriodChoice, today: date, first_day: date | None) -> Period:
        """The period that the choice means today; all time goes from the first day there is to today."""
        if choice is PeriodChoice.ALL_TIME:
            return Period(min(first_day or today, today), today + ONE_DAY)
        return self.around(choice, today)

    def around(self, choice: Days | PeriodChoice, today: date) -> Period:
        """The month, quarter or year before, around or after today that the choice names."""
        which, kind = choice.value.split("_", maxsplit=1)
        this = self.period(PeriodKind(kind), today)
        return {"last": this.previous, "this": lambda: this, "next": this.next}[which]()


class Pieces:
    """Periods cut where any of them begins or ends: what is counted in each piece adds up to all of them."""

    def __init__(self, periods: Sequence[Period]) -> None:
        self._days = sorted({day for period in periods for day in (period.start, period.end)})
        self._position = {day: position for position, day in enumerate(self._days)}

    def rows(self) -> Subquery:
        """SQL: of each piece its `position`, its first day `since`, and `until`, the next one's."""
        spans = list(pairwise(self._days)) or [(self._days[0], self._days[0])]
        parts = [
            select(
                literal(position).label("position"),
                literal(since, Date).label("since"),
                literal(until, Date).label("until"),
            )
            for position, (since, until) in enumerate(spans)
        ]
        while len(parts) > MOST_PARTS:
            parts = [select(_all_of(parts[at : at + MOST_PARTS])) for at in range(0, len(parts), MOST_PARTS)]
        return _all_of(parts)

    def of(self, period: Period) -> range:
        """The positions of the pieces that make up one of the periods."""
        return range(self._position[period.start], self._position[period.end])


def _all_of(parts: Sequence[Select[*tuple[Any, ...]]]) -> Subquery:
    return union_all(*parts).subquery("pieces")
