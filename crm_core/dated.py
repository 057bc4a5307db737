"""States that are known only by their day, and the instants that stand for them in the workspace's time zone.

A file may say that a deal was created on the 31st, but not when. Its first state then holds from the first
instant of that day, later ones from its last second; `valid_from_on` has the day. When the workspace changes
its time zone, the day stays and the instants follow.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Integer,
    MetaData,
    Select,
    Table,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from crm_core.bulk import insert_rows
from crm_core.columns import UtcDateTime
from crm_core.history import PAST_IS_SEEN_TO, calendar_of
from crm_core.models import VERSIONS, Opportunity, Record, Transaction
from crm_core.periods import Calendar

MOMENT = timedelta(microseconds=1)
BATCH = 5_000
"""Records whose states are read at once."""

State = dict[str, Any]

NEEDED = {
    *("id", "version", "valid_from", "valid_from_on"),
    *("closed_at", "stage_entered_at", "actual_close_date"),
}

MOVES = Table(
    "moved_instants",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("of_close", Boolean, primary_key=True),
    Column("old", UtcDateTime, primary_key=True),
    Column("new", UtcDateTime, nullable=False),
    prefixes=["TEMPORARY"],
)
"""Instants of a record that become others: where its states begin, and closes of past days."""


def misplaced(session: Session) -> Iterator[tuple[Table, State]]:
    """States that are known by their day but begin elsewhere than `follow_time_zone` would let them."""
    calendar = calendar_of(session)
    for versions in VERSIONS.values():
        for states in _records(session, versions, versions.c.valid_from_on.is_not(None)):
            for state, begin in zip(states, _beginnings(states, calendar), strict=True):
                on, at = state["valid_from_on"], state["valid_from"]
                if on is not None and at != begin and calendar.day_of(at) != on:
                    yield versions, state


def first_instant(day: date, calendar: Calendar, *, is_first: bool) -> datetime:
    """Where a state begins of which only the day is known: the first one of a record, or a later one."""
    return calendar.start_of(day) if is_first else calendar.last_second_of(day)


def follow_time_zone(session: Session) -> None:
    """Let every state that is known by its day begin on that day in the time zone that is set now.

    Writes the past anew: instants, and nothing else. What is known by the instant stays.
    """
    calendar = calendar_of(session)
    for model, versions in VERSIONS.items():
        records = _records(session, versions, _known_by_day(model, versions))
        moves = [move for states in records for move in _moves(states, calendar)]
        if moves:
            _carry_out(session, (versions, model.__table__), moves)


def _known_by_day(model: type[Record], versions: Table) -> ColumnElement[bool]:
    """SQL: it began on a day, or was closed on one that had passed."""
    if model is not Opportunity:
        return versions.c.valid_from_on.is_not(None)
    return or_(versions.c.valid_from_on.is_not(None), versions.c.closed_at != versions.c.stage_entered_at)


def _records(session: Session, versions: Table, which: ColumnElement[bool]) -> Iterator[list[State]]:
    """The states of every record with such a state, oldest first, one record after the other."""
    ids = session.scalars(select(versions.c.id).where(which).distinct().order_by(versions.c.id)).all()
    for start in range(0, len(ids), BATCH):
        wanted = set(ids[start : start + BATCH])
        some = versions.c.id.between(min(wanted), max(wanted))
        rows = session.execute(_states(versions, some)).mappings()
        for record_id, found in groupby(rows, itemgetter("id")):
            if record_id in wanted:
                yield [dict(row) for row in found]


def _carry_out(session: Session, tables: Sequence[Table], moves: Sequence[State]) -> None:
    """Write the new instants wherever the old ones stand in the records: one statement for each table."""
    connection = session.connection()
    MOVES.create(connection)
    insert_rows(session, MOVES, moves)
    for table in tables:
        instants = [column for column in table.columns if isinstance(column.type, UtcDateTime)]
        follow = (
            update(table)
            .where(table.c.id.in_(select(MOVES.c.id)))
            .values({column: _moved(table, column) for column in instants})
        )
        session.execute(follow, execution_options=PAST_IS_SEEN_TO | {"synchronize_session": False})
    session.info["filled"].discard(MOVES)
    MOVES.drop(connection)
    for known in list(session.identity_map.values()):
        if isinstance(known, Record):
            session.expire(known)


def _moved(table: Table, column: Column[Any]) -> ColumnElement[Any]:
    """SQL: the column's instant, or the new one if it is the beginning of a state that moves."""

    def moved(*, of_close: bool) -> ColumnElement[Any]:
        is_meant = MOVES.c.id == table.c.id, MOVES.c.of_close == of_close, MOVES.c.old == column
        return func.coalesce(select(MOVES.c.new).where(*is_meant).scalar_subquery(), column)

    if column.name != "closed_at":
        return moved(of_close=False)
    is_of_a_past_day = table.c.closed_at != table.c.stage_entered_at
    return case((is_of_a_past_day, moved(of_close=True)), else_=moved(of_close=False))


def _states(versions: Table, which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """What the beginnings of states follow from."""
    columns = [column for column in versions.columns if column.name in NEEDED]
    return (
        select(*columns, Transaction.at.label("written_at"))
        .join(Transaction, Transaction.id == versions.c.transaction_id)
        .where(which)
        .order_by(versions.c.id, versions.c.version)
    )


def _moves(states: Sequence[State], calendar: Calendar) -> Iterator[State]:
    """Which instants of one record become which ones, given its states, oldest first."""
    begins = _beginnings(states, calendar)
    for state, begin in zip(states, begins, strict=True):
        if state["valid_from"] != begin:
            yield {"id": state["id"], "of_close": False, "old": state["valid_from"], "new": begin}
    past = (state for state in reversed(states) if _was_closed_on_a_past_day(state))
    past_closes = {state["closed_at"]: state for state in past}
    for closed_at, first in past_closes.items():
        new = _past_close(first, calendar, begins[0])
        if new != closed_at:
            yield {"id": first["id"], "of_close": True, "old": closed_at, "new": new}


def _beginnings(states: Sequence[State], calendar: Calendar) -> list[datetime]:
    """Where the states begin, each after the one before, and none after it was written down."""
    begins = [
        state["valid_from"]
        if state["valid_from_on"] is None
        else first_instant(state["valid_from_on"], calendar, is_first=state["version"] == 1)
        for state in states
    ]
    latest = datetime.max.replace(tzinfo=begins[0].tzinfo)
    for place in reversed(range(len(states))):
        if states[place]["valid_from_on"] is not None:
            begins[place] = min(begins[place], latest, states[place]["written_at"])
        latest = begins[place] - MOMENT
    for place in range(1, len(states)):
        if states[place]["valid_from_on"] is not None:
            begins[place] = max(begins[place], begins[place - 1] + MOMENT)
    return begins


def _was_closed_on_a_past_day(state: State) -> bool:
    """Whether its close was written down on a later day than that of the close."""
    closed_at = state.get("closed_at")
    return closed_at is not None and closed_at != state["stage_entered_at"]


def _past_close(first: State, calendar: Calendar, created_at: datetime) -> datetime:
    """The last second of the closing day; not before the deal was created, nor after it was written down.

    `first` is the first state with that close.
    """
    last_second = calendar.last_second_of(first["actual_close_date"])
    latest: datetime = max(first["written_at"], created_at)
    return min(max(last_second, created_at), latest)
