"""Opens transactions; the only module that commits.

`read()` is a consistent snapshot, `write()` is exclusive and all or nothing. Writers stand in one queue on
both databases (docs/decisions/0001-one-writer-at-a-time.md), so nobody's change is lost or has to be
retried, and the instants of the transactions follow the order in which they were committed.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from crm_core import bulk, clock, engines, history
from crm_core.errors import DatabaseUnavailable, InvalidInput, TransactionMisuse
from crm_core.kept import Kept
from crm_core.models import Source
from crm_core.waiting_line import WaitingLine

PATIENCE = 15.0
"""Seconds that a writer waits for its turn before it gives up with a sentence."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the last change may be ahead of the clock: so much two right ones may differ."""

WRITER_LOCK = 4_271_965
"""Key of the advisory lock that a writer holds on PostgreSQL."""

TAKE_WRITER_LOCK = f"SELECT pg_advisory_xact_lock({WRITER_LOCK})"

SERVER_CLOCK = "SELECT clock_timestamp()"

TAKE_SNAPSHOT = "SELECT 1 FROM sqlite_master LIMIT 1"
"""A transaction sees what was there at its first read, which must not come after its instant."""

ORPHANS = "PRAGMA foreign_key_check"


class _Read(Session):
    """A session that only reads."""


class _Write(Session):
    """A session that keeps the past of what it changes."""


for each in (_Read, _Write):
    event.listen(each, "do_orm_execute", history.refuse_whole_records_of_the_past)
history.listen_to(_Write)


@dataclass(frozen=True)
class WrongClock:
    """The clock was wrong when the last change was made, or it is now."""

    last_change: datetime
    now: datetime


class Database:
    """One database, of either kind, and the transactions on it."""

    def __init__(self, url: str, *, pool_size: int = 10, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.url = engines.address(url)
        self.kind = self.url.get_backend_name()
        self.engine = engines.open_engine(self.url, pool_size=pool_size, patience=patience)
        self._line = WaitingLine()
        self._kept = Kept()
        self._open = contextvars.ContextVar[str | None]("open_transaction", default=None)

    @contextlib.contextmanager
    def read(self, *, actor: int | None = None, at: datetime | None = None) -> Iterator[Session]:
        """A read-only snapshot of what the actor may see; without an actor, of everything.

        `at` is the instant it is taken for; by default now.
        """
        with self._transaction("read", engines.reading(self.engine)) as session:
            with engines.in_plain_words(self.url):
                now = self._now(session.connection())
            twin = partial(self.read, actor=actor)
            session.info.update(at=at, opened_at=now, actor_id=actor, kept=self._kept, twin=twin)
            yield session
            session.expunge_all()  # what was read stays as it was read
            session.rollback()

    @contextlib.contextmanager
    def write(
        self,
        *,
        actor: int | None = None,
        source: Source = Source.SYSTEM,
        note: str | None = None,
        at: datetime | None = None,
    ) -> Iterator[Session]:
        """One user action: exclusive, kept whole or not at all.

        What the actor may do is for the services to say; without an actor it is the system, which may do all.
        The transaction's instant is `at`, by default now. It is always later than every earlier one's: where
        those are ahead of it, by a microsecond.
        Nothing but the library may run inside: control flow that leaves it (a page's rerun) undoes it.
        """
        with self._turn(), self._transaction("write", self.engine.execution_options(crm="write")) as session:
            self._wait_for_other_processes(session.connection())
            history.keep(session, actor_id=actor, source=source, note=note)
            now = self._now(session.connection())
            session.info.update(at=_next_instant(session, at or now), opened_at=now, actor_id=actor)
            yield session
            bulk.count_filled_tables(session)
            session.commit()

    @contextlib.contextmanager
    def migration(self) -> Iterator[Connection]:
        """A connection that may change the schema: exclusive, all or nothing, with no orphan left."""
        with contextlib.ExitStack() as opened:
            with engines.in_plain_words(self.url):
                connection = opened.enter_context(self.engine.connect())
                opened.enter_context(engines.foreign_keys_off(connection))
                opened.enter_context(connection.begin())
            self._wait_for_other_processes(connection)
            yield connection
            if self.kind == "sqlite" and (orphans := list(connection.exec_driver_sql(ORPHANS))):
                raise TransactionMisuse(f"The migration left orphans: {orphans[:5]}")

    def back_up(self, label: str) -> Path:
        """Copy the embedded database, as of now and whole, into a new file beside it named after the label.

        Raises `DatabaseUnavailable` where there is no room for it.
        """
        file = Path(str(self.url.database))
        names = (f"{file.stem}.{label}-{number}{file.suffix}" for number in count(1))
        to = next(file.with_name(name) for name in names if not file.with_name(name).exists())
        with engines.in_plain_words(self.url):
            engines.copy(self.url, to)
        return to

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Threads of this process queue here, in front of the connections: none waits with one in hand.

        Processes queue on the database's own lock.
        """
        self._refuse_nesting("write")
        if not self._line.acquire(self.patience):
            raise DatabaseUnavailable(engines.BUSY)
        try:
            yield
        finally:
            self._line.release()

    def _wait_for_other_processes(self, connection: Connection) -> None:
        """Stand in the queue of all processes; SQLite's `BEGIN IMMEDIATE` has done so already."""
        if self.kind == "postgresql":
            with engines.in_plain_words(self.url):
                connection.exec_driver_sql(TAKE_WRITER_LOCK)

    def _now(self, connection: Connection) -> datetime:
        """The present instant by the one clock of all who work on the database: a server's own.

        It is asked in the transaction, once for all that this sees.
        """
        if self.kind == "postgresql":
            at: datetime = connection.exec_driver_sql(SERVER_CLOCK).scalar_one()
            return at.astimezone(UTC)
        connection.exec_driver_sql(TAKE_SNAPSHOT)
        return clock.now()

    @contextlib.contextmanager
    def _transaction(self, kind: str, engine: Engine) -> Iterator[Session]:
        self._refuse_nesting(kind)
        token = self._open.set(kind)
        one = _Write if kind == "write" else _Read
        session = one(engine, expire_on_commit=False, autobegin=False)  # one session, one transaction
        try:
            with engines.in_plain_words(self.url):
                session.begin()
                session.connection()
            yield session
        except BaseException as error:
            session.rollback()
            if _is_escaped_control_flow(error):
                raise TransactionMisuse("A rerun or stop escaped from inside a transaction.") from error
            if isinstance(error, StatementError) and isinstance(error.orig, InvalidInput):
                raise error.orig from error  # a column type refused the value
            if engines.is_broken(error):
                raise DatabaseUnavailable(engines.why_it_fails(self.url, str(error))) from error
            raise
        finally:
            session.close()
            self._open.reset(token)

    def _refuse_nesting(self, kind: str) -> None:
        if (outer := self._open.get()) is not None:
            raise TransactionMisuse(f"A {kind} transaction inside a {outer}: pass the session down instead.")


def instant(session: Session) -> datetime:
    """The instant that the session's transaction belongs to: never before the last change that it sees."""
    if session.info["at"] is None:
        newest = history.newest(session)
        now = clock_of(session)
        session.info["at"] = max(now, newest[1]) if newest else now
    at: datetime = session.info["at"]
    return at


def clock_of(session: Session) -> datetime:
    """What the clock said when the session began: the server's on PostgreSQL."""
    opened_at: datetime = session.info["opened_at"]
    return opened_at


def find_wrong_clock(session: Session) -> WrongClock | None:
    """Whether the last change lies further ahead of the clock than two right clocks differ."""
    newest, now = history.newest(session), clock_of(session)
    return WrongClock(newest[1], now) if newest and newest[1] - now > CLOCK_TOLERANCE else None


def _next_instant(session: Session, at: datetime) -> datetime:
    newest = history.newest(session)
    return at if newest is None else max(at, newest[1] + timedelta(microseconds=1))


def _is_escaped_control_flow(error: BaseException) -> bool:
    ordinary = (Exception, KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError)
    return not isinstance(error, ordinary)
