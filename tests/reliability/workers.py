"""Lets processes or threads loose on one database, all at the same moment.

Processes come from a server that has imported everything before: each begins within a moment, and inherits no
connection.
"""

import multiprocessing
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from crm_core.database import Database
from crm_core.models import VERSIONS, Company, Contact, Opportunity, Record

Call = tuple[Any, ...]
"""What to call, and with which arguments after the database."""

TESTS = [f"{__package__}.{file.stem}" for file in Path(__file__).parent.glob("test_*.py")]

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["pytest", *TESTS])

PATIENCE = 300.0
"""Seconds. On a slow machine all wait long; whether somebody is starved is told by how many come before."""

_start: Any = None
"""Where the workers of a process meet before they begin."""


def in_threads(database: Database, calls: Sequence[Call]) -> list[Any]:
    """What each call gave, each in a thread of its own, all on one `Database`."""
    start = threading.Barrier(len(calls))
    pool = ThreadPoolExecutor(len(calls), initializer=_meet_at, initargs=(start,))
    with opened(address(database)) as shared:
        return _results(pool, [(work, shared, *rest) for work, *rest in calls])


def in_processes(database: Database, calls: Sequence[Call]) -> list[Any]:
    """What each call gave, each in a process of its own that opens the database itself."""
    start = PROCESSES.Barrier(len(calls))
    pool = ProcessPoolExecutor(len(calls), PROCESSES, initializer=_meet_at, initargs=(start,))
    return _results(pool, [(_on_its_own, address(database), *call) for call in calls])


def address(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database, for somebody with much patience."""
    database = Database(url, patience=PATIENCE)
    try:
        yield database
    finally:
        database.close()


def orphans(session: Session) -> list[tuple[str, int, str, int]]:
    """Records that were there while one that they belonged to was deleted, at whatever instant."""
    return [
        (part.__name__, part_id, whole.__name__, whole_id)
        for part, whole in ((Opportunity, Company), (Opportunity, Contact), (Contact, Company))
        for part_id, whole_id in session.execute(_orphans(part, whole))
    ]


def _orphans(part: type[Record], whole: type[Record]) -> Select[int, int]:
    one, other = VERSIONS[part].c, VERSIONS[whole].c
    at_once = and_(
        or_(one.valid_to.is_(None), other.valid_from < one.valid_to),
        or_(other.valid_to.is_(None), one.valid_from < other.valid_to),
    )
    return (
        select(one.id, other.id)
        .join_from(
            VERSIONS[part], VERSIONS[whole], and_(other.id == one[f"{whole.__name__.lower()}_id"], at_once)
        )
        .where(one.deleted_at.is_(None), other.deleted_at.is_not(None))
    )


def _results(pool: Executor, calls: Sequence[Call]) -> list[Any]:
    with pool:
        started = [pool.submit(_together, *call) for call in calls]
        return [each.result() for each in started]


def _meet_at(start: Any) -> None:
    global _start
    _start = start


def _together(work: Callable[..., Any], *arguments: Any) -> Any:
    """Begin with the others; an error is told in full, for not every error can leave a process."""
    _start.wait(PATIENCE)
    try:
        return work(*arguments)
    except Exception:
        raise AssertionError(traceback.format_exc()) from None


def _on_its_own(url: str, work: Callable[..., Any], *arguments: Any) -> Any:
    with opened(url) as database:
        return work(database, *arguments)
