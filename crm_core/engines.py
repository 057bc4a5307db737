"""How each kind of database is reached and set up, and what it says in plain words where it can't be."""

import contextlib
import os
import random
import selectors
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from crm_core import damage
from crm_core.columns import ADDED_UP_ON_SQLITE, added_up
from crm_core.damage import identity
from crm_core.errors import DatabaseDamaged, DatabaseUnavailable
from crm_core.patience import Patience, current
from crm_core.process_line import Place

try:
    from pysqlite3 import dbapi2 as embedded_sqlite  # newer than the system's; see RARE_CORRUPTION_FIXED
except ImportError:
    embedded_sqlite = sqlite3

RARE_CORRUPTION_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
"""SQLite versions from which on, within their line, the write-ahead log can't be corrupted by a reset."""

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
"""What an address may begin with, and the driver that is used for it."""

BUSY = "The database is busy with a long change. Try again in a moment."

TOO_SLOW = "This takes the database too long. Choose less at once, or try again later."

SIGNS_OF_FAILURE = (
    "malformed",
    "not a database",
    "disk I/O error",
    "disk is full",
    "unable to open",
    "No space left",
    "terminating connection",
    "server closed the connection",
)
"""What the drivers say when a file is damaged, a disk is full, or a server went away."""

SAID_BY_THE_SERVER = {"LockNotAvailable": BUSY, "QueryCanceled": TOO_SLOW}
"""What it means where the server itself ended a statement, whatever language it speaks."""

LATELY = 30.0
"""Seconds since its last use in which a connection to a server hardly ever goes away without a word."""

TO_CONNECT, TO_PING = 5, 3.0
"""Seconds for each host of an address, and for a connection that was idle until it gives way to a new one."""

FIRST_PAUSE, SHORTEST_PAUSE, HALVED_AFTER = 0.01, 0.001, 0.05
"""Seconds between a writer's tries for its turn: at first, at least, and the wait after which it is half."""

FOR_ITS_OWNER = 0o600
"""The mode of a new database file: it holds people's data."""

LOOK_WHO_IS_FIRST = 0.004
"""Seconds between the looks of those who aren't: much less than a change takes."""

EMBEDDED_SETTINGS = (
    "synchronous=FULL",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "mmap_size=0",
    "journal_size_limit=67108864",
)

SERVER_SETTINGS = (
    "timezone=UTC",
    "idle_in_transaction_session_timeout=60000",
    "jit=off",  # compiling a dashboard's questions takes longer than answering them
)

ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}
"""How soon the system notices a server that is cut off, where no patience ends (migrations)."""


def address(url: str) -> URL:
    """The address of a database, with our driver. Raises `DatabaseUnavailable` for one that can't be used."""
    try:
        given = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise DatabaseUnavailable(
            "CRM_DATABASE_URL is not a database address. It looks like sqlite:///path/crm.db or"
            " postgresql://user:password@host/name."
        ) from error
    kind = given.drivername.partition("+")[0]
    if kind not in DRIVERS:
        raise DatabaseUnavailable(
            f"The CRM works on SQLite and PostgreSQL, not on {kind}. Check CRM_DATABASE_URL."
        )
    if kind == "sqlite" and given.database in (None, "", ":memory:"):
        raise DatabaseUnavailable(
            "The CRM keeps its data in a file, not in memory. Name one in CRM_DATABASE_URL."
        )
    return given.set(drivername=DRIVERS[kind])


def plain(url: URL) -> str:
    """The address as a person would write it, without the password."""
    bare = url.set(drivername=url.get_backend_name(), query={})  # a query may name a password
    return bare.render_as_string(hide_password=True)


def open_engine(url: URL, *, pool_size: int, patience: float) -> Engine:
    """The engine for an address, not connected yet. `patience`: how many seconds it waits for a lock."""
    opened = _embedded_engine if url.get_backend_name() == "sqlite" else _server_engine
    engine = opened(url, pool_size, patience)

    @event.listens_for(engine, "handle_error")
    def notice_damage(failed: ExceptionContext) -> None:
        damage.notice(plain(url), url.database, failed.original_exception)

    return engine


def reading(engine: Engine) -> Engine:
    """The engine for read-only snapshots."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(crm="read")
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def copy(url: URL, names: Iterable[Path]) -> Path:
    """Copy an embedded database, whole and as of now, into the first of the files that is not there yet.

    Where that fails, no part of a copy stays behind.
    """
    to = next(file for file in names if _make_for_owner(str(file)))
    try:
        with contextlib.closing(embedded_sqlite.connect(url.database, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(to),))
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    return to


def is_connected(engine: Engine) -> bool:
    """Whether any connection is open."""
    pool = engine.pool
    return isinstance(pool, QueuePool) and pool.checkedin() + pool.checkedout() > 0


def is_safe_from_log_corruption(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the fix of the rare write-ahead log corruption."""
    newest, *backported = RARE_CORRUPTION_FIXED
    return version >= newest or any(version[:2] == fixed[:2] and version >= fixed for fixed in backported)


def embedded_version() -> tuple[int, ...]:
    """The version of the SQLite library that is in use."""
    version: tuple[int, ...] = embedded_sqlite.sqlite_version_info
    return version


@contextlib.contextmanager
def foreign_keys_off(connection: Connection) -> Iterator[None]:
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


@contextlib.contextmanager
def in_plain_words(url: URL) -> Iterator[None]:
    """Turn a driver's complaint about opening the database into one sentence."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable(BUSY) from error
    except (DBAPIError, embedded_sqlite.Error) as error:
        raise unavailable(url, error) from error


def is_broken(error: BaseException) -> bool:
    """Whether the database itself failed, rather than what was asked of it."""
    if not isinstance(error, DBAPIError):
        return False
    if type(error.orig).__name__ in SAID_BY_THE_SERVER:
        return True
    failed = error.connection_invalidated or any(sign in str(error.orig) for sign in SIGNS_OF_FAILURE)
    return failed or damage.is_damage(error.orig or error)


def is_lost(error: BaseException) -> bool:
    """Whether a server went away or kept silent, rather than saying what is wrong."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def unavailable(url: URL, error: BaseException) -> DatabaseUnavailable:
    """The refusal of one whose statement failed so."""
    said = (error.orig if isinstance(error, DBAPIError) else None) or error
    damage.notice(plain(url), url.database, said)
    is_damaged = damage.is_damage(said)
    kind = DatabaseDamaged if is_damaged else DatabaseUnavailable
    return kind(_why_it_fails(url, str(error), is_damaged=is_damaged))


def _why_it_fails(url: URL, complaint: str, *, is_damaged: bool) -> str:
    """A driver's complaint in one sentence that says what to do."""
    if "locked" in complaint:
        return BUSY
    for name, sentence in SAID_BY_THE_SERVER.items():
        if f".{name})" in complaint:
            return sentence
    if url.get_backend_name() == "postgresql":
        if is_damaged:
            return f"The database {plain(url)} is damaged. Restore a backup."
        return (
            f"The database {plain(url)} can't be reached. Check CRM_DATABASE_URL, and that the server is"
            " running and lets you in."
        )
    file = url.database
    if "not a database" in complaint or "malformed" in complaint:
        return f"{file} is not a CRM database, or it is damaged. Restore a backup, or move the file away."
    if "full" in complaint or "disk I/O" in complaint:
        return f"{file} can't be read or written; is the disk full? Nothing was saved."
    if "readonly" in complaint or "unable to open" in complaint:
        return f"{file} can't be opened for writing. Check that its folder exists and may be written to."
    return f"{file} can't be opened: {complaint.splitlines()[0]}."


def not_known_whether_saved(url: URL) -> str:
    """What to say about a server that was not heard of any more once it was to commit."""
    return (
        f"The database {plain(url)} can't be reached, and it is not known whether your change was saved."
        " Check whether it is there before you try again."
    )


def _embedded_engine(url: Any, pool_size: int, patience: float) -> Engine:
    engine = create_engine(
        url,
        module=embedded_sqlite,
        hide_parameters=True,  # people's data has no place in a log
        connect_args={"timeout": patience, "isolation_level": None},
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=patience,
    )

    file = _File(url.database)
    event.listen(engine, "engine_disposed", file.forget)

    @event.listens_for(engine, "do_connect")
    def look_at_the_file(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
        file.refuse_another()
        if not options.get("uri"):  # which is no file's name
            _make_for_owner(url.database)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for setting in EMBEDDED_SETTINGS:
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()
        connection.create_function(ADDED_UP_ON_SQLITE, 2, added_up, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("crm") == "read"
        raw: Any = connection.connection.dbapi_connection
        raw.execute(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
        if reading:
            raw.execute("BEGIN")
        else:
            waiting = current.get() or Patience(patience)
            _switch_to_write_ahead_log(connection, waiting)
            raw.execute("PRAGMA busy_timeout=0")
            try:
                _begin_in_turn(raw, url.database, waiting)
            finally:
                raw.execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
        file.know()

    return engine


class _File:
    """The file that an engine's connections have open.

    After it was moved, replaced or deleted it is still open here; what is written to it would be lost, and a
    new connection would open or make another one.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: tuple[int, int] | None = None

    def know(self) -> None:
        """Remember which one it is, or refuse another one."""
        self.refuse_another()
        self._known = identity(self._path)

    def refuse_another(self) -> None:
        """Raises `DatabaseUnavailable`."""
        if self._known not in (None, identity(self._path)):
            raise DatabaseUnavailable(
                f"{self._path} was moved or replaced while the CRM was running. Restart the CRM."
            )

    def forget(self, _engine: Engine) -> None:
        """No connection is open any more."""
        self._known = None


_making = threading.Lock()


def _make_for_owner(file: str) -> bool:
    """Make an empty file for its owner alone, before SQLite makes one for everybody; False if there is one.

    SQLite gives the files that it puts beside a database the same mode.
    """
    with _making:  # closing it unlocks what another thread has locked in it by then
        try:
            os.close(os.open(os.path.realpath(file), os.O_CREAT | os.O_EXCL | os.O_RDWR, FOR_ITS_OWNER))
        except FileExistsError:
            return False
        except OSError:
            return True  # SQLite will say why it can't be made
    return True


def _switch_to_write_ahead_log(connection: Connection, patience: Patience) -> None:
    """Looked after once for a connection: a file stays so as long as anybody has it open.

    The switch needs an exclusive lock and does not heed the busy timeout.
    """
    known = connection.connection.info
    if "write_ahead_log" in known:
        return
    while connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
        try:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except DBAPIError as error:
            if "locked" not in str(error) or not patience.left:
                raise
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311
    known["write_ahead_log"] = True


def _begin_in_turn(raw: Any, file: str, patience: Patience) -> None:
    """Take the write lock once other processes let go of it, in the order in which they asked.

    SQLite's own busy timeout tries ever more rarely instead, and newcomers overtake again and again.
    """
    asked_at = time.monotonic()
    with Place(file) as place:
        while True:
            waited, is_last_try = time.monotonic() - asked_at, not patience.left
            if (place.is_first() or waited > patience.seconds / 3) and _begins(raw, is_last_try=is_last_try):
                return
            time.sleep(_pause(place, waited) * random.uniform(0.5, 1.5))  # noqa: S311


def _pause(place: Place, waited: float) -> float:
    """Without a line who has waited longest tries most often, which is nearly as good."""
    if not place.is_in_line:
        return max(FIRST_PAUSE / (1 + waited / HALVED_AFTER), SHORTEST_PAUSE)
    return SHORTEST_PAUSE if place.is_first() else LOOK_WHO_IS_FIRST


def _begins(raw: Any, *, is_last_try: bool) -> bool:
    """Whether the write lock was free; on the last try it has to be."""
    try:
        raw.execute("BEGIN IMMEDIATE")
    except embedded_sqlite.OperationalError as error:
        if "locked" not in str(error) or is_last_try:
            raise
        return False
    return True


def _server_engine(url: Any, pool_size: int, patience: float) -> Engine:
    from crm_core.server_connection import ServerConnection  # loads the driver, which SQLite does without

    settings = (*SERVER_SETTINGS, f"lock_timeout={int(patience * 1000)}")
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=patience,
        pool_recycle=1800,
        connect_args={
            **ALIVE,
            "connect_timeout": TO_CONNECT,
            "application_name": "crm",
            "options": " ".join(f"-c {setting}" for setting in settings),
        },
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, args: Any, kwargs: Any) -> ServerConnection:
        return ServerConnection.connect(*args, **kwargs)

    def remember(_raw: Any, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.time()

    event.listen(engine, "connect", remember)
    event.listen(engine, "checkin", remember)

    @event.listens_for(engine, "checkout")
    def look_whether_it_is_there(raw: Any, record: ConnectionPoolEntry, _lent: Any) -> None:
        """As `pool_pre_ping` does each time, which takes longer than most questions."""
        raw.patience = current.get()
        idle = time.time() - record.info["used_at"]  # a clock that goes on while we sleep
        try:
            if not 0 <= idle < LATELY or _has_heard(raw):
                with raw.at_most(TO_PING):
                    engine.dialect.do_ping(raw)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error  # whoever asked gets another one

    @event.listens_for(engine, "commit")
    def from_now_on_it_may_be_saved(connection: Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        if raw.patience is not None:
            raw.patience.is_committing = True

    return engine


def _has_heard(raw: Any) -> bool:
    """Whether the server said anything since the last answer, as when it goes away."""
    with selectors.DefaultSelector() as ear:
        ear.register(raw, selectors.EVENT_READ)
        return bool(ear.select(timeout=0))
