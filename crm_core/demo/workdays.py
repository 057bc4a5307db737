"""The time that the made-up business happens in, measured in working days.

A position counts working days: 12.5 is the middle of the thirteenth. Whatever is planned by adding to a
position falls into working hours by itself.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from math import inf

from crm_core.periods import ONE_DAY, Calendar

OPENING = time(8, 30)
OPEN_FOR = timedelta(hours=9, minutes=30)
MICROSECONDS_OPEN = OPEN_FOR // timedelta(microseconds=1)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

HOLIDAYS = ((1, 1), (12, 24), (12, 25), (12, 31))

SEASON = (0.95, 1.0, 1.15, 1.0, 1.05, 1.1, 0.8, 0.75, 1.15, 1.15, 1.1, 0.7)
"""How much business starts in each month of a year, against an average month."""

GROWTH = 0.8
"""By how much more starts at the end than at the beginning."""


class Workdays:
    """The working days from a first day up to an instant, in the workspace's time zone."""

    def __init__(self, calendar: Calendar, first: date, at: datetime) -> None:
        today = calendar.day_of(at)
        every_day = [first + ONE_DAY * number for number in range((today - first).days + 1)]
        self.calendar = calendar
        self.first = first
        self.days = [day for day in every_day if is_working_day(day)]
        opens = [datetime.combine(day, OPENING, calendar.zone).astimezone(UTC) for day in self.days]
        self.begin = opens[0]
        self._opens = [(instant - EPOCH) // timedelta(microseconds=1) for instant in opens]
        self._position_on = list(accumulate(map(is_working_day, every_day), initial=0))
        self._month_end = self._last_workdays_of_months()
        self.now = float(len(self.days))
        if self.days[-1] == today:
            self.now += min(max((at - opens[-1]) / OPEN_FOR, 0.0), 1.0) - 1

    def day(self, position: float) -> date:
        """The day that the position lies in."""
        return self.days[int(position)]

    def microsecond(self, position: float) -> int:
        """The instant of a position before the present, in microseconds since 1970."""
        whole = int(position)
        return self._opens[whole] + int((position - whole) * MICROSECONDS_OPEN)

    def position_of(self, day: date) -> float:
        """The position at which the day begins; infinite after the present."""
        offset = (day - self.first).days
        return self._position_on[offset] if offset < len(self._position_on) else inf

    def month_end(self, position: float) -> float:
        """The position at which the last working day of that month (or of all) begins."""
        return self._month_end[int(position)]

    def _last_workdays_of_months(self) -> list[float]:
        lasts: list[float] = []
        for position in range(len(self.days) - 1, -1, -1):
            same_month = lasts and self.days[position].month == self.days[position + 1].month
            lasts.append(lasts[-1] if same_month else float(position))
        return lasts[::-1]


class Beginnings:
    """Spreads the beginnings of things over a stretch of working days: growing, with the seasons."""

    def __init__(self, workdays: Workdays, first: float) -> None:
        self._first = int(first)
        ahead = range(self._first, int(workdays.now) + 1)
        total = max(workdays.now - self._first, 1.0)
        weights = [
            (1 + GROWTH * (position - self._first) / total)
            * SEASON[workdays.day(position).month - 1]
            * min(workdays.now - position, 1.0)
            for position in ahead
            if position < workdays.now
        ]
        self._until = list(accumulate(weights, initial=0.0))
        self._last_day_lasts = workdays.now - (self._first + len(weights) - 1)

    def position(self, share: float) -> float:
        """Where that share (0 to below 1) of all has begun."""
        target = share * self._until[-1]
        day = min(bisect_right(self._until, target), len(self._until) - 1) - 1
        through = (target - self._until[day]) / (self._until[day + 1] - self._until[day])
        if day == len(self._until) - 2:
            through *= self._last_day_lasts
        return self._first + day + min(through, 0.999_999)


def is_working_day(day: date) -> bool:
    """Monday to Friday, and no holiday."""
    return day.weekday() < 5 and (day.month, day.day) not in HOLIDAYS


def friday_at_latest(day: date) -> date:
    """The day itself, or the Friday before a weekend."""
    return day - ONE_DAY * max(day.weekday() - 4, 0)
