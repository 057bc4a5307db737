"""Opens transactions; the only module that commits.

`read()` is a consistent snapshot, `write()` is exclusive and all or nothing. Writers stand in one queue on
both databases (docs/decisions/0001-one-writer-at-a-time.md), so nobody's change is lost or has to be
retried, and the instants of the transactions follow the order in which they were committed.
"""

import asyncio
import contextlib
import contextvars
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from crm_core import clock, history
from crm_core.columns import LOWERED_ON_SQLITE
from crm_core.errors import DatabaseUnavailable, TransactionMisuse
from crm_core.models import Source, Transaction

try:
    from pysqlite3 import dbapi2 as embedded_sqlite  # newer than the system's; see RARE_CORRUPTION_FIXED
except ImportError:
    embedded_sqlite = sqlite3

PATIENCE = 15.0
"""Seconds that a writer waits for its turn before it gives up with a sentence."""

CLOCK_TOLERANCE = timedelta(minutes=5)

WRITER_LOCK = 4_271_965
"""Key of the advisory lock that a writer holds on PostgreSQL."""

RARE_CORRUPTION_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
"""SQLite versions from which on, within their line, the write-ahead log can't be corrupted by a reset."""

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}

BUSY = "The database is busy with a long change. Try again in a moment."

TAKE_SNAPSHOT = {"sqlite": "SELECT 1 FROM sqlite_master LIMIT 1", "postgresql": "SELECT 1"}
"""A transaction sees what was there at its first read, which must not come after its instant."""

ORPHANS = "PRAGMA foreign_key_check"

EMBEDDED_SETTINGS = (
    "synchronous=FULL",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "mmap_size=0",
    "journal_size_limit=67108864",
)


class Database:
    """One database, of either kind, and the transactions on it."""

    def __init__(self, url: str, *, pool_size: int = 10, patience: float = PATIENCE) -> None:
        self.patience = patience
        try:
            self.url = make_url(url)
            self.kind = self.url.get_backend_name()
            if self.kind not in DRIVERS:
                raise DatabaseUnavailable(
                    f"The CRM works on SQLite and PostgreSQL, not on {self.kind}. Check CRM_DATABASE_URL."
                )
            self.url = self.url.set(drivername=DRIVERS[self.kind])
            if self.kind == "sqlite" and self.url.database in (None, "", ":memory:"):
                raise DatabaseUnavailable(
                    "The CRM keeps its data in a file, not in memory. Name one in CRM_DATABASE_URL."
                )
            self._queue = threading.Lock() if self.kind == "sqlite" else None
            open_engine = _embedded_engine if self.kind == "sqlite" else _server_engine
            self.engine = open_engine(self.url, pool_size, patience)
        except (ArgumentError, NoSuchModuleError, ValueError) as error:
            raise DatabaseUnavailable(
                "CRM_DATABASE_URL is not a database address. It looks like sqlite:///path/crm.db or"
                " postgresql://user:password@host/name."
            ) from error
        self._open = contextvars.ContextVar[str | None]("open_transaction", default=None)

    @contextlib.contextmanager
    def read(self, *, at: datetime | None = None) -> Iterator[Session]:
        """A read-only snapshot. `at` is the instant it is taken for; by default now."""
        with self._transaction("read", self.engine.execution_options(**_reading(self.kind))) as session:
            session.execute(
                text("SELECT 1")
            )  # takes the snapshot, which must not be younger than the instant
            session.info["at"] = at or clock.now()
            yield session
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

        The transaction's instant is `at`, by default now; it is always later than every earlier one's.
        Nothing but the library may run inside: control flow that leaves it (a page's rerun) undoes it.
        """
        with self._turn(), self._transaction("write", self.engine.execution_options(crm="write")) as session:
            self._wait_for_other_processes(session.connection())
            session.info.update(at=_next_instant(session, at or clock.now()))
            history.keep(session, actor_id=actor, source=source, note=note)
            yield session
            session.commit()

    @contextlib.contextmanager
    def migration(self) -> Iterator[Connection]:
        """A connection that may change the schema: exclusive, all or nothing, with no orphan left."""
        with contextlib.ExitStack() as opened:
            with _in_plain_words(self):
                connection = opened.enter_context(self.engine.connect())
                opened.enter_context(_foreign_keys_off(connection))
                opened.enter_context(connection.begin())
            self._wait_for_other_processes(connection)
            yield connection
            if self.kind == "sqlite" and (orphans := list(connection.exec_driver_sql(ORPHANS))):
                raise TransactionMisuse(f"The migration left orphans: {orphans[:5]}")

    def back_up(self, to: Path) -> Path:
        """Copy the embedded database, as of now and whole, into a new file."""
        to.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(embedded_sqlite.connect(self.url.database, isolation_level=None)) as raw:
            raw.execute("VACUUM INTO ?", (str(to),))
        return to

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Threads of this process queue here in order; processes queue on the database's own lock."""
        self._refuse_nesting("write")
        if self._queue is None:
            yield
            return
        if not self._queue.acquire(timeout=self.patience):
            raise DatabaseUnavailable(BUSY)
        try:
            yield
        finally:
            self._queue.release()

    def _wait_for_other_processes(self, connection: Connection) -> None:
        """Stand in the queue of all processes; SQLite's `BEGIN IMMEDIATE` has done so already."""
        if self.kind == "postgresql":
            with _in_plain_words(self):
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITER_LOCK})

    @contextlib.contextmanager
    def _transaction(self, kind: str, engine: Engine) -> Iterator[Session]:
        self._refuse_nesting(kind)
        token = self._open.set(kind)
        session = Session(engine, expire_on_commit=False, autobegin=False)  # one session, one transaction
        event.listen(session, "do_orm_execute", history.refuse_whole_records_of_the_past)
        try:
            with _in_plain_words(self):
                session.begin()
                session.connection()
            yield session
        except BaseException as error:
            session.rollback()
            if _is_escaped_control_flow(error):
                raise TransactionMisuse("A rerun or stop escaped from inside a transaction.") from error
            raise
        finally:
            session.close()
            self._open.reset(token)

    def _refuse_nesting(self, kind: str) -> None:
        if (outer := self._open.get()) is not None:
            raise TransactionMisuse(f"A {kind} transaction inside a {outer}: pass the session down instead.")


def instant(session: Session) -> datetime:
    """The instant that the session's transaction belongs to."""
    at: datetime = session.info["at"]
    return at


def is_safe_from_log_corruption(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the fix of the rare write-ahead log corruption."""
    newest, *backported = RARE_CORRUPTION_FIXED
    return version >= newest or any(version[:2] == fixed[:2] and version >= fixed for fixed in backported)


def embedded_version() -> tuple[int, ...]:
    """The version of the SQLite library that is in use."""
    version: tuple[int, ...] = embedded_sqlite.sqlite_version_info
    return version


def _next_instant(session: Session, at: datetime) -> datetime:
    latest = session.scalar(select(Transaction.at).order_by(Transaction.at.desc()).limit(1))
    if latest is None or latest < at:
        return at
    if latest - at > CLOCK_TOLERANCE:
        raise DatabaseUnavailable(
            f"This computer's clock says {at:%Y-%m-%d %H:%M} UTC, but the last change was made at"
            f" {latest:%Y-%m-%d %H:%M} UTC. Set the clock right; nothing was saved."
        )
    return latest + timedelta(microseconds=1)


def _reading(kind: str) -> dict[str, Any]:
    if kind == "sqlite":
        return {"crm": "read"}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


@contextlib.contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    """SQLite rebuilds a table to change it; with foreign keys on, that would delete its children."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw: Any = connection.connection.dbapi_connection
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def _embedded_engine(url: Any, pool_size: int, patience: float) -> Engine:
    engine = create_engine(
        url,
        module=embedded_sqlite,
        connect_args={"timeout": patience, "isolation_level": None},
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=patience,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for setting in EMBEDDED_SETTINGS:
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()
        connection.create_function(LOWERED_ON_SQLITE, 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("crm") == "read"
        connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
        if not reading:
            _switch_to_write_ahead_log(connection, patience)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _lower(value: str | None) -> str | None:
    return None if value is None else value.lower()


def _switch_to_write_ahead_log(connection: Connection, patience: float) -> None:
    """Done once for a file; the switch needs an exclusive lock and does not heed the busy timeout."""
    deadline = time.monotonic() + patience
    while connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
        try:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except DBAPIError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311


def _server_engine(url: Any, pool_size: int, patience: float) -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=patience,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": 5,
            "application_name": "crm",
            "options": f"-c timezone=UTC -c lock_timeout={int(patience * 1000)}"
            " -c idle_in_transaction_session_timeout=60000",
        },
    )


@contextlib.contextmanager
def _in_plain_words(database: Database) -> Iterator[None]:
    """Turn a driver's complaint about opening the database into one sentence."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable(BUSY) from error
    except (DBAPIError, embedded_sqlite.Error) as error:
        raise DatabaseUnavailable(_why_it_does_not_open(database, str(error))) from error


def _why_it_does_not_open(database: Database, complaint: str) -> str:
    if "locked" in complaint or "LockNotAvailable" in complaint:
        return BUSY
    where = database.url.render_as_string(hide_password=True)
    if database.kind == "postgresql":
        return (
            f"The database {where} can't be reached. Check CRM_DATABASE_URL, and that the server is"
            f" running and lets you in."
        )
    file = database.url.database
    if "not a database" in complaint or "malformed" in complaint:
        return f"{file} is not a CRM database, or it is damaged. Restore a backup, or move the file away."
    if "readonly" in complaint or "unable to open" in complaint:
        return f"{file} can't be opened for writing. Check that its folder exists and may be written to."
    return f"{file} can't be opened: {complaint.splitlines()[0]}."


def _is_escaped_control_flow(error: BaseException) -> bool:
    ordinary = (Exception, KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError)
    return not isinstance(error, ordinary)
