"""A fresh, migrated database of each kind for every test, and builders for what a test cares about."""

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from crm_core import migrate
from crm_core.database import Database
from tests.builders import Make
from tests.contents import IDS_ANEW
from tests.postgres import POSTGRES, PostgresInTurn, create_database, drop_database, url_of

NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)


class Discard(Exception):
    """Ends a test's transaction without keeping it."""


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


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    shutil.copy(migrated_file, tmp_path / "crm.db")
    return f"sqlite:///{tmp_path / 'crm.db'}"


@pytest.fixture(scope="session")
def postgres_in_turn(server: Database, migrated_template: str) -> Iterator[PostgresInTurn]:
    database = PostgresInTurn(server, migrated_template)
    yield database
    database.drop()


@pytest.fixture
def postgres_url(postgres_in_turn: PostgresInTurn) -> Iterator[str]:
    yield postgres_in_turn.url()
    postgres_in_turn.empty()


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def empty_postgres_url(server: Database) -> Iterator[str]:
    name = create_database(server)
    yield url_of(name)
    drop_database(server, name)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Whatever takes a database runs on both kinds."""
    return str(request.param)


@pytest.fixture
def database(kind: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database, migrated."""
    database = Database(request.getfixturevalue(f"{kind}_url"))
    yield database
    database.close()


@pytest.fixture(scope="session")
def reused_sqlite(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    file = tmp_path_factory.mktemp("reused") / "crm.db"
    shutil.copy(migrated_file, file)
    database = Database(f"sqlite:///{file}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def reused_postgres(server: Database, migrated_template: str) -> Iterator[Database]:
    name = create_database(server, migrated_template)
    database = Database(url_of(name))
    yield database
    database.close()
    drop_database(server, name)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database without a single table."""
    database = Database(request.getfixturevalue(f"empty_{request.param}_url"))
    yield database
    database.close()


@pytest.fixture
def session(kind: str, request: pytest.FixtureRequest) -> Iterator[Session]:
    """A write transaction at NOW that is thrown away at the end.

    It leaves nothing behind, so tests that take no database of their own share one.
    """
    own = "database" in request.fixturenames
    database: Database = request.getfixturevalue("database" if own else f"reused_{kind}")
    with suppress(Discard), database.write(at=NOW) as session:
        if not own and kind == "postgres":
            session.execute(text(IDS_ANEW))  # a transaction gives no ids back
        yield session
        raise Discard


@pytest.fixture
def make(session: Session) -> Make:
    return Make(session)


@pytest.fixture
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
