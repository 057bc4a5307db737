"""Opens transactions; the only module that commits.

`read()` is a consistent snapshot, `write()` is exclusive and all or nothing. Writers stand in one queue on
both databases (docs/decisions/0001-one-writer-at-a-time.md), so nobody's change is lost or has to be
retried, and the instants of the transactions follow the order in which they were committed.
"""

import asyncio
import contextlib
import contextvars
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import count
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session

from crm_core import bulk, clock, damage, engines, history
from crm_core.damage import Damage
from crm_core.errors import DatabaseUnavailable, InvalidInput, NotKnownWhetherSaved, TransactionMisuse
from crm_core.kept import Kept
from crm_core.models import Source
from crm_core.patience import GRACE, LONG, PATIENCE, Patience, applied
from crm_core.waiting_line import WaitingLine

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the last change may be ahead of the clock: so much two right ones may differ."""

WRITER_LOCK = 4_271_965
"""Key of the advisory lock that a writer holds on PostgreSQL."""

TAKE_WRITER_LOCK = f"SELECT set_config('lock_timeout', %s, true), pg_advisory_xact_lock({WRITER_LOCK})"

TAKE_SNAPSHOT = "SELECT 1 FROM sqlite_master LIMIT 1"
TAKE_SNAPSHOT_ON_SERVER = (
    "SELECT clock_timestamp(),"
    " set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"
)
"""A transaction sees what was there at its first read, which must not come after its instant.

Several computers work on a server; its clock is the one that they share.
"""

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

    def __init__(
        self, url: str, *, pool_size: int = 10, patience: float = PATIENCE, grace: float = GRACE
    ) -> None:
        """`patience`: how many seconds a transaction waits for its turn; within `grace` more seconds a server
        has to answer.
        """
        self.patience, self.grace = patience, grace
        self.url = engines.address(url)
        self.kind = self.url.get_backend_name()
        self.engine = engines.open_engine(self.url, pool_size=pool_size, patience=patience)
        self._line, self._places = line_of(self.url), WaitingLine(places=2 * pool_size)
        self._kept = Kept()
        self._open = contextvars.ContextVar[str | None]("open_transaction", default=None)

    @property
    def damage(self) -> Damage | None:
        """What is known to be damaged in it."""
        return damage.find(engines.plain(self.url), self.url.database)

    @contextlib.contextmanager
    def read(self, *, actor: int | None = None, at: datetime | None = None) -> Iterator[Session]:
        """A read-only snapshot of what the actor may see; without an actor, of everything.

        `at` is the instant it is taken for; by default now.
        """
        with self._transaction("read", engines.reading(self.engine), self._patience()) as session:
            twin = partial(self.read, actor=actor)
            session.info.update(at=at, actor_id=actor, kept=self._kept, twin=twin)
            yield session
            session.expunge_all()  # what was read stays as it was read
            self._undo(session)

    @contextlib.contextmanager
    def write(
        self,
        *,
        actor: int | None = None,
        source: Source = Source.SYSTEM,
        note: str | None = None,
        at: datetime | None = None,
        patience: float | None = None,
    ) -> Iterator[Session]:
        """One user action: exclusive, kept whole or not at all.

        What the actor may do is for the services to say; without an actor it is the system, which may do all.
        The transaction's instant is `at`, by default now. It is always later than every earlier one's: where
        those are ahead of it, by a microsecond.
        Nothing but the library may run inside: control flow that leaves it (a page's rerun) undoes it.
        It waits `patience` seconds for its turn, by default as long as the database's; with 0, while anybody
        else writes, it is refused with `DatabaseUnavailable` at once.
        """
        waiting, writing = self._patience(patience), self.engine.execution_options(crm="write")
        with self._turn(waiting), self._transaction("write", writing, waiting) as session:
            history.keep(session, actor_id=actor, source=source, note=note)
            session.info.update(at=_next_instant(session, at or clock_of(session)), actor_id=actor)
            yield session
            bulk.count_filled_tables(session)
            session.commit()

    @contextlib.contextmanager
    def migration(self, *, patience: float | None = None) -> Iterator[Connection]:
        """A connection that may change the schema: exclusive, all or nothing, with no orphan left.

        It waits `patience` seconds for its turn, by default as long as the database's.
        """
        waiting = self._patience(patience)
        with self._turn(waiting), _in(self._places, waiting), contextlib.ExitStack() as opened:
            with engines.in_plain_words(self.url):
                with applied(waiting):
                    connection = opened.enter_context(self.engine.connect())
                    opened.enter_context(engines.foreign_keys_off(connection))
                    opened.enter_context(connection.begin())
                self._wait_for_other_processes(connection, waiting)
            waiting.allow(math.inf)
            yield connection
            if self.kind == "sqlite" and (orphans := list(connection.exec_driver_sql(ORPHANS))):
                raise TransactionMisuse(f"The migration left orphans: {orphans[:5]}")

    def back_up(self, label: str) -> Path:
        """Copy the embedded database, as of now and whole, into a new file beside it named after the label.

        Raises `DatabaseUnavailable` where there is no room for it.
        """
        file = Path(str(self.url.database))
        names = (f"{file.stem}.{label}-{number}{file.suffix}" for number in count(1))
        with engines.in_plain_words(self.url):
            return engines.copy(self.url, map(file.with_name, names))

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    def _patience(self, seconds: float | None = None) -> Patience:
        return Patience(self.patience if seconds is None else seconds, self.grace)

    @contextlib.contextmanager
    def _turn(self, patience: Patience) -> Iterator[None]:
        """Threads of this process queue here, in front of the connections: none waits with one in hand.

        Processes queue on the database's own lock.
        """
        self._refuse_nesting("write")
        with _in(self._line, patience):
            yield

    def _wait_for_other_processes(self, connection: Connection, patience: Patience) -> None:
        """Stand in the queue of all processes; SQLite's `BEGIN IMMEDIATE` has done so already."""
        if self.kind == "postgresql":
            connection.exec_driver_sql(TAKE_WRITER_LOCK, (patience.lock_limit,))

    @contextlib.contextmanager
    def _transaction(self, kind: str, engine: Engine, patience: Patience) -> Iterator[Session]:
        self._refuse_nesting(kind)
        with _in(self._places, patience):
            token = self._open.set(kind)
            one = _Write if kind == "write" else _Read
            session = one(engine, expire_on_commit=False, autobegin=False)  # one session, one transaction
            session.info["patience"] = patience
            try:
                with engines.in_plain_words(self.url):
                    self._begin(session, patience)
                yield session
            except BaseException as error:
                self._undo(session)
                if _is_escaped_control_flow(error):
                    raise TransactionMisuse("A rerun or stop escaped from inside a transaction.") from error
                if isinstance(error, StatementError) and isinstance(error.orig, InvalidInput):
                    raise error.orig from error  # a column type refused the value
                if engines.is_broken(error):
                    if patience.is_committing and engines.is_lost(error):
                        raise NotKnownWhetherSaved(engines.not_known_whether_saved(self.url)) from error
                    raise engines.unavailable(self.url, error) from error
                raise
            finally:
                session.close()
                self._open.reset(token)

    def _begin(self, session: Session, patience: Patience) -> None:
        session.begin()
        with applied(patience):
            connection = session.connection()
        if isinstance(session, _Write):
            self._wait_for_other_processes(connection, patience)
        session.info["opened_at"] = self._take_snapshot(connection, patience)

    def _take_snapshot(self, connection: Connection, patience: Patience) -> datetime:
        """What the clock says right after it."""
        if self.kind == "sqlite":
            patience.allow(math.inf)  # a file answers, or fails
            connection.exec_driver_sql(TAKE_SNAPSHOT)
            return clock.now()
        patience.turn_has_come()
        answer = connection.exec_driver_sql(TAKE_SNAPSHOT_ON_SERVER, patience.server_limits)
        at: datetime = answer.scalar_one()
        return at.astimezone(UTC)

    def _undo(self, session: Session) -> None:
        """A server that can't be asked for it any more undoes it by itself; what led to it is said then."""
        try:
            session.rollback()
        except DBAPIError as error:
            if not engines.is_broken(error):
                raise

    def _refuse_nesting(self, kind: str) -> None:
        if (outer := self._open.get()) is not None:
            raise TransactionMisuse(f"A {kind} transaction inside a {outer}: pass the session down instead.")


@contextlib.contextmanager
def _in(line: WaitingLine, patience: Patience) -> Iterator[None]:
    if not line.acquire(patience.left):
        raise DatabaseUnavailable(engines.BUSY)
    try:
        yield
    finally:
        line.release()


@cache
def line_of(_url: URL) -> WaitingLine:
    """Where writers of this process wait, whichever `Database` they have: screens and API each have one."""
    return WaitingLine()


def allow_long_statements(session: Session) -> None:
    """From now on a server may take ten minutes for a statement: it changes all records at once."""
    patience: Patience = session.info["patience"]
    patience.allow(LONG)
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT set_config('statement_timeout', %s, true)", (f"{LONG:.0f}s",))


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
