"""Instants that a wrong clock put into the future: which they are, and how they are dated anew, in order.

When it really was is not known, only that it was after the last right instant and by now. So those in the
future end a microsecond apart at the instant of the repair, and days that follow from them become today.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    ColumnElement,
    Date,
    MetaData,
    Table,
    case,
    func,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.orm import Session

from crm_core.bulk import insert_rows
from crm_core.columns import UtcDateTime
from crm_core.database import clock_of
from crm_core.errors import RuleBroken
from crm_core.history import PAST_IS_SEEN_TO, calendar_of
from crm_core.models import ApiToken, Base, IdempotencyKey, Record, Transaction
from crm_core.services.idempotency_service import KEPT

STEP = timedelta(microseconds=1)

EXPIRIES = {ApiToken.__table__.c.expires_at, IdempotencyKey.__table__.c.expires_at}
"""Instants that are meant to lie in the future."""

DAYS = {"created_on", "stage_entered_on", "actual_close_date", "valid_from_on"}
"""Days on which something has happened; other days of a record are plans."""

INSTANTS: dict[Table, list[Column[datetime]]] = {
    table: instants
    for table in Base.metadata.sorted_tables
    if (instants := [each for each in table.c if isinstance(each.type, UtcDateTime) and each not in EXPIRIES])
}

REDATED = Table(
    "redated_instants",
    MetaData(),
    Column("old", UtcDateTime, primary_key=True),
    Column("new", UtcDateTime, nullable=False),
    prefixes=["TEMPORARY"],
)


MOST = 1_000
"""Changes. Where more of them, and most of all, lie in the future, it is rather the clock that is wrong."""


class ClockIsBehind(RuleBroken):
    def __init__(self, now: datetime, count: int, last: datetime) -> None:
        super().__init__(
            f"The clock says {now:%Y-%m-%d %H:%M} UTC, but {count:,} changes are dated later, up to"
            f" {last:%Y-%m-%d %H:%M}. Set the clock right and try again; if it is right, restore a backup."
        )


def lies_in_the_future(table: Table, now: datetime) -> ColumnElement[bool]:
    """SQL: something that has happened is dated later than that."""
    return or_(*(column > now for column in INSTANTS[table]))


def require_right_clock(session: Session) -> None:
    """Raises `ClockIsBehind` where dating anew would make a moment of years."""
    now = clock_of(session)
    later = func.count().filter(Transaction.at > now)
    count, every, last = session.execute(select(later, func.count(), func.max(Transaction.at))).one()
    if count > MOST and count > every / 2:
        raise ClockIsBehind(now, count, last)


def redate(session: Session) -> int:
    """Date everything anew that lies in the future by the clock; how many instants that were.

    The session's own transaction becomes the last one. Writes the past anew: instants and the days that
    follow from them, and nothing else. A token that was made in the future lives as long as it was meant to.
    """
    now = clock_of(session)
    futures = [select(column.label("at")).where(column > now) for column in _every_instant()]
    found = session.scalars(select(union(*futures).subquery().c.at)).all()
    if not found:
        return 0
    pasts = [select(func.max(column).label("at")).where(column <= now) for column in _every_instant()]
    last_right = session.scalar(select(func.max(union(*pasts).subquery().c.at)))
    today = calendar_of(session).start_of(calendar_of(session).day_of(now))
    begin = max(filter(None, (last_right, now - len(found) * STEP, today - STEP)))
    new_of = {old: begin + place * STEP for place, old in enumerate(sorted(found), start=1)}
    session.info["at"] = max(now, begin + (len(found) + 1) * STEP)
    _shorten_lives(session, now, new_of)
    _write(session, now, new_of)
    return len(found)


def _every_instant() -> Iterator[Column[datetime]]:
    for columns in INSTANTS.values():
        yield from columns


def _shorten_lives(session: Session, now: datetime, new_of: dict[datetime, datetime]) -> None:
    for token in session.scalars(select(ApiToken).where(ApiToken.created_at > now)):
        if token.expires_at is not None:
            token.expires_at -= token.created_at - new_of[token.created_at]
    session.flush()  # what follows passes the session by
    too_long = IdempotencyKey.expires_at > now + KEPT
    session.execute(update(IdempotencyKey).where(too_long).values(expires_at=now + KEPT))


def _write(session: Session, now: datetime, new_of: dict[datetime, datetime]) -> None:
    """Replace the old instants wherever they stand: one statement for each table."""
    connection, today = session.connection(), calendar_of(session).day_of(now)
    REDATED.create(connection)
    insert_rows(session, REDATED, [{"old": old, "new": new} for old, new in new_of.items()])
    for table, instants in INSTANTS.items():
        days = [each for each in table.c if each.name in DAYS and isinstance(each.type, Date)]
        anew: dict[Column[datetime], ColumnElement[datetime]] = {each: _redated(each) for each in instants}
        past_days = {day: case((day > today, today), else_=day) for day in days}
        session.execute(
            update(table).where(lies_in_the_future(table, now)).values({**anew, **past_days}),
            execution_options=PAST_IS_SEEN_TO | {"synchronize_session": False},
        )
    session.info["filled"].discard(REDATED)
    REDATED.drop(connection)
    for known in list(session.identity_map.values()):
        if isinstance(known, Record):
            session.expire(known)


def _redated(column: Column[datetime]) -> ColumnElement[datetime]:
    new = select(REDATED.c.new).where(REDATED.c.old == column).scalar_subquery()
    return func.coalesce(new, column)
