"""States that are known only by their day, and the instants that stand for them in the workspace's time zone.

A file may say that a deal was created on the 31st, but not when. Its first state then holds from the first
instant of that day, later ones from its last second; `valid_from_on` has the day. When the workspace changes
its time zone, the day stays and the instants follow.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, or_, select, update
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


def first_instant(day: date, calendar: Calendar, *, is_first: bool) -> datetime:
    """Where a state begins of which only the day is known: the first one of a record, or a later one."""
    return calendar.start_of(day) if is_first else calendar.last_second_of(day)


def follow_time_zone(session: Session) -> None:
    """Let every state that is known by its day begin on that day in the time zone that is set now.

    Writes the past anew: instants, and nothing else. What is known by the instant stays.
    """
    calendar = calendar_of(session)
    for model, versions in VERSIONS.items():
        wanted = _known_by_day(model, versions)
        ids = session.scalars(select(versions.c.id).where(wanted).distinct().order_by(versions.c.id)).all()
        for start in range(0, len(ids), BATCH):
            _move(session, model, ids[start : start + BATCH], calendar)


def _known_by_day(model: type[Record], versions: Table) -> ColumnElement[bool]:
    """SQL: it began on a day, or was closed on one that had passed."""
    if model is not Opportunity:
        return versions.c.valid_from_on.is_not(None)
    return or_(versions.c.valid_from_on.is_not(None), versions.c.closed_at != versions.c.stage_entered_at)


def _move(session: Session, model: type[Record], ids: Sequence[int], calendar: Calendar) -> None:
    versions = VERSIONS[model]
    between = versions.c.id.between(ids[0], ids[-1])
    wanted = set(ids)
    moved: list[State] = []
    rows = session.execute(_states(versions, between)).mappings()
    for record_id, found in groupby(rows, itemgetter("id")):
        if record_id in wanted:
            moved += _moved([dict(row) for row in found], calendar)
    if not moved:
        return
    columns = [column.name for column in versions.columns]
    some = sorted({row["id"] for row in moved})
    session.execute(
        delete(versions).where(versions.c.id.in_(bindparam("some", expanding=True))),
        {"some": some},
        execution_options=PAST_IS_SEEN_TO,
    )
    insert_rows(session, versions, [{name: row[name] for name in columns} for row in moved])
    _move_live(session, model.__table__, [row for row in moved if row["valid_to"] is None])


def _states(versions: Table, which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    written_at = Transaction.at.label("written_at")
    return (
        select(*versions.columns, written_at)
        .join(Transaction, Transaction.id == versions.c.transaction_id)
        .where(which)
        .order_by(versions.c.id, versions.c.version)
    )


def _move_live(session: Session, live: Table, rows: Iterable[State]) -> None:
    instants = [column for column in live.columns if isinstance(column.type, UtcDateTime)]
    follow = (
        update(live)
        .where(live.c.id == bindparam("record"))
        .values({column: bindparam(f"its_{column.name}") for column in instants})
    )
    answers = [
        {"record": row["id"], **{f"its_{column.name}": row[column.name] for column in instants}}
        for row in rows
    ]
    session.connection().execute(follow, answers)
    for known in list(session.identity_map.values()):
        if isinstance(known, Record):
            session.expire(known)


def _moved(states: list[State], calendar: Calendar) -> list[State]:
    """The states of one record, oldest first, with their instants in that calendar; none if all are right."""
    begins = _beginnings(states, calendar)
    moves = {
        state["valid_from"]: begin
        for state, begin in zip(states, begins, strict=True)
        if state["valid_from"] != begin
    }
    moves |= _past_closes(states, calendar, begins[0])
    if not moves:
        return []
    return [{name: _follow(value, moves) for name, value in state.items()} for state in states]


def _follow(value: Any, moves: Mapping[datetime, datetime]) -> Any:
    return moves.get(value, value) if isinstance(value, datetime) else value


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


def _past_closes(
    states: Sequence[State], calendar: Calendar, created_at: datetime
) -> dict[datetime, datetime]:
    """Closes that were written down on a later day: they count from the last second of theirs."""
    return {
        state["closed_at"]: max(calendar.last_second_of(state["actual_close_date"]), created_at)
        for state in states
        if state.get("closed_at") is not None and state["closed_at"] != state["stage_entered_at"]
    }
