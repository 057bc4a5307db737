"""The instant that a question is asked for, and what follows from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core.database import instant
from crm_core.errors import InvalidInput
from crm_core.history import is_snapshot
from crm_core.kept import kept
from crm_core.models import OpportunityStage, StageSettings
from crm_core.periods import Calendar, Period
from crm_core.services import settings_service

LIMITS = select(StageSettings.stage, StageSettings.stale_after_days)


@dataclass(frozen=True)
class Moment:
    """An instant, its day in the workspace's calendar, and when deals had to be touched last not to be stale.

    `as_of` is None where the live tables answer, which is now.
    """

    at: datetime
    as_of: datetime | None
    calendar: Calendar
    stale_before: Mapping[OpportunityStage, datetime]

    @property
    def today(self) -> date:
        return self.calendar.day_of(self.at)

    def days_since(self, day: date) -> int:
        """Calendar days from that day to today; 0 where it is yet to come in today's time zone."""
        return max((self.today - day).days, 0)


def moment_of(session: Session, as_of: datetime | None = None) -> Moment:
    """The past instant, or now: what is to come is not known yet. Raises `InvalidInput` for a naive one."""
    if as_of is not None and as_of.tzinfo is None:
        raise InvalidInput("An instant needs a time zone.")
    now = instant(session)
    past = _in_utc(as_of) if as_of is not None and as_of < now else None
    if not is_snapshot(session):
        return _find_moment(session, now, past)
    known: dict[datetime | None, Moment] = session.info.setdefault("moments", {})
    if past not in known:
        known[past] = _find_moment(session, now, past)
    return known[past]


def moment_of_open(session: Session, moment: Moment, period: Period | None) -> Moment:
    """What the open deals beside a period are as of: its last instant, or the moment if that is earlier.

    What was won, lost or created in the period is as known at the moment.
    """
    if period is None or period.last_day >= moment.today:
        return moment
    return moment_of(session, moment.calendar.end_of(period.last_day))


def _find_moment(session: Session, now: datetime, past: datetime | None) -> Moment:
    calendar = settings_service.get_calendar(session)
    today = calendar.day_of(past or now)
    stale_before = {
        stage: calendar.start_of(date.fromordinal(max(1, today.toordinal() - days)))
        for stage, days in kept(session, LIMITS, _told)
        if days is not None
    }
    return Moment(past or now, past, calendar, stale_before)


def _told(rows: Iterable[Any]) -> tuple[tuple[OpportunityStage, int | None], ...]:
    return tuple((stage, days) for stage, days in rows)


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:  # it was still the year before the first
        return datetime.min.replace(tzinfo=UTC)
