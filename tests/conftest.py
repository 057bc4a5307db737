"""A fresh, migrated database of each kind for every test, and builders for what a test cares about."""

import gc
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import text
from sqlalchemy.orm import Session

from crm_core import migrate
from crm_core.database import Database
from crm_core.engines import embedded_sqlite
from crm_core.models import Opportunity
from tests import forms
from tests.builders import Make
from tests.contents import IDS_ANEW
from tests.databases import POSTGRES, InTurn, create_database, drop_database, url_of

NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)


settings.register_profile(
    "the form of this run",
    max_examples=forms.either(15, 100),
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
settings.load_profile("the form of this run")


BUSY_BEFORE = pytest.StashKey[float]()


class Discard(Exception):
    """Ends a test's transaction without keeping it."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[BUSY_BEFORE] = busy_seconds()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    busy = busy_seconds() - config.stash[BUSY_BEFORE]
    terminalreporter.write_line(f"Processor time in all, of every process on this machine: {busy:,.0f} s")


def busy_seconds() -> float:
    """How long the processors have worked since the machine started; unknown where there is no /proc.

    What browsers and servers took is in no parent's account.
    """
    with suppress(OSError):
        user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text().split()[1:8]
        ticks = sum(map(int, (user, nice, system, *interrupts)))
        return ticks / os.sysconf("SC_CLK_TCK")
    return math.nan


def pytest_collection_finish() -> None:
    """What is loaded by now stays: looking through it for garbage took a tenth of all tests' time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """AppTest puts a script in its place that may be gone later, and new processes begin by running that."""
    own = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = own


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "crm.db"
    database = Database(f"sqlite:///{file}")
    migrate.upgrade(database)
    database.close()
    return file


@pytest.fixture(scope="session")
def server() -> Iterator[Database]:
    """The PostgreSQL server that test databases are created on."""
    if POSTGRES not in os.environ:
        pytest.skip(f"{POSTGRES} is not set: no PostgreSQL to test on")
    server = Database(os.environ[POSTGRES])
    yield server
    server.close()


@pytest.fixture(scope="session")
def migrated_template(server: Database) -> Iterator[str]:
    name = create_database(server)
    database = Database(url_of(name))
    migrate.upgrade(database)
    database.close()
    yield name
    drop_database(server, name)


@pytest.fixture(scope="session")
def new_sqlite(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], InTurn]:
    def make() -> str:
        file = tmp_path_factory.mktemp("database") / "crm.db"
        shutil.copy(migrated_file, file)
        return f"sqlite:///{file}"

    return lambda: InTurn(make)


@pytest.fixture(scope="session")
def new_postgres(server: Database, migrated_template: str) -> Callable[[], InTurn]:
    return lambda: InTurn(
        lambda: url_of(create_database(server, migrated_template)),
        lambda url: drop_database(server, str(url.database)),
    )


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A file of the test's own, to be closed, copied, damaged or replaced."""
    shutil.copy(migrated_file, tmp_path / "crm.db")
    return f"sqlite:///{tmp_path / 'crm.db'}"


@pytest.fixture
def filled(sqlite_url, tmp_path) -> Iterator[Database]:
    """A database with many deals, all of them in its one file."""
    with closing(Database(sqlite_url)) as database, database.write(at=NOW) as session:
        session.add_all([Opportunity(name=f"Deal {number}", probability=10) for number in range(2_000)])
        Make(session).company("Acme Solar Roofs")
    with closing(embedded_sqlite.connect(str(tmp_path / "crm.db"))) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def postgres_url(postgres_in_turn: InTurn) -> Iterator[str]:
    yield postgres_in_turn.database.url.render_as_string(hide_password=False)
    postgres_in_turn.empty()


@pytest.fixture(scope="session")
def sqlite_in_turn(new_sqlite: Callable[[], InTurn]) -> Iterator[InTurn]:
    databases = new_sqlite()
    yield databases
    databases.drop()


@pytest.fixture(scope="session")
def postgres_in_turn(new_postgres: Callable[[], InTurn]) -> Iterator[InTurn]:
    databases = new_postgres()
    yield databases
    databases.drop()


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def empty_postgres_url(server: Database) -> Iterator[str]:
    name = create_database(server)
    yield url_of(name)
    drop_database(server, name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name in {"database_kind", "empty_database_kind", "module_database_kind"} & {*metafunc.fixturenames}:
        scope = "module" if name.startswith("module") else "function"
        metafunc.parametrize(name, forms.databases(metafunc.definition), indirect=True, scope=scope)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """What the test runs on, sqlite or postgres: see `forms`."""
    return str(request.param)


@pytest.fixture(scope="module")
def module_database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def in_turn(database_kind: str, request: pytest.FixtureRequest) -> InTurn:
    databases: InTurn = request.getfixturevalue(f"{database_kind}_in_turn")
    return databases


@pytest.fixture(scope="module")
def module_in_turn(module_database_kind: str, request: pytest.FixtureRequest) -> Iterator[InTurn]:
    """A module's own, for what is filled once and then only read."""
    databases: InTurn = request.getfixturevalue(f"new_{module_database_kind}")()
    yield databases
    databases.drop()


@pytest.fixture
def database(in_turn: InTurn) -> Iterator[Database]:
    """A migrated database without any records."""
    yield in_turn.database
    in_turn.empty()


@pytest.fixture
def empty_database(empty_database_kind: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database without a single table."""
    database = Database(request.getfixturevalue(f"empty_{empty_database_kind}_url"))
    yield database
    database.close()


@pytest.fixture
def session(in_turn: InTurn, request: pytest.FixtureRequest) -> Iterator[Session]:
    """A write transaction at NOW that is thrown away at the end."""
    if "database" in request.fixturenames:
        request.getfixturevalue("database")  # which is emptied once the transaction is over
    database = in_turn.database
    with suppress(Discard), database.write(at=NOW) as session:
        yield session
        raise Discard
    if database.kind == "postgresql":
        with database.engine.begin() as connection:
            connection.execute(text(IDS_ANEW))  # a transaction gives no ids back


@pytest.fixture
def make(session: Session) -> Make:
    return Make(session)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real CRM data that lies beside a full checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.exists():
        pytest.skip(f"{folder} is missing: no real data to test on")
    return folder


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything must be there, as on CI, a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CRM_TEST_NO_SKIPS") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("A test was skipped, and CRM_TEST_NO_SKIPS is set.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
