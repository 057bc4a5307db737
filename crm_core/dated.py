"""States that are known only by their day, and the instants that stand for them in the workspace's time zone.

A file may say that a deal was created on the 31st, but not when. Its first state then holds from the first
instant of that day, later ones from its last second; `valid_from_on` has the day. When the workspace changes
its time zone, the day stays and the instants follow.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        moved: list[State] = []
        for states in _records(session, versions, _known_by_day(model, versions)):
            moved += _moved(states, calendar)
            if len(moved) >= BATCH:
                _write(session, model, moved)
                moved = []
        _write(session, model, moved)


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
        rows = session.execute(_states(versions, some)).mappings().all()  # they may be written meanwhile
        for record_id, found in groupby(rows, itemgetter("id")):
            if record_id in wanted:
                yield [dict(row) for row in found]


def _write(session: Session, model: type[Record], moved: list[State]) -> None:
    """Put the states in the place of those that they were."""
    if not moved:
        return
    versions = VERSIONS[model]
    columns = [column.name for column in versions.columns]
    ids = sorted({row["id"] for row in moved})
    session.execute(
        delete(versions).where(versions.c.id.in_(bindparam("some", expanding=True))),
        {"some": ids},
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
    found = [{name: _follow(value, moves) for name, value in state.items()} for state in states]
    for before, state in zip(states, found, strict=True):
        if _was_closed_on_a_past_day(before):
            state["closed_at"] = _past_close(before, states, calendar, begins[0])
    return [] if found == states else found


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


def _was_closed_on_a_past_day(state: State) -> bool:
    """Whether its close was written down on a later day than that of the close."""
    closed_at = state.get("closed_at")
    return closed_at is not None and closed_at != state["stage_entered_at"]


def _past_close(state: State, states: Sequence[State], calendar: Calendar, created_at: datetime) -> datetime:
    """The last second of its closing day; not before it was created, nor after it was written down."""
    written_at: datetime = next(
        each["written_at"] for each in states if each.get("closed_at") == state["closed_at"]
    )
    last_second = calendar.last_second_of(state["actual_close_date"])
    return min(max(last_second, created_at), max(written_at, created_at))
