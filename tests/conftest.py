"""A fresh, migrated database of each kind for every test, and builders for what a test cares about."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from crm_core import migrate
from crm_core.database import Database
from tests.builders import Make

NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
POSTGRES = "CRM_TEST_POSTGRES_URL"


class Discard(Exception):
    """Ends a test's transaction without keeping it."""


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


def create_database(server: Database, template: str = "template1") -> str:
    name = f"crm_test_{uuid.uuid4().hex[:12]}"
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    return name


def drop_database(server: Database, name: str) -> None:
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def url_of(name: str) -> str:
    return make_url(os.environ[POSTGRES]).set(database=name).render_as_string(hide_password=False)


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


@pytest.fixture
def postgres_url(server: Database, migrated_template: str) -> Iterator[str]:
    name = create_database(server, migrated_template)
    yield url_of(name)
    drop_database(server, name)


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def empty_postgres_url(server: Database) -> Iterator[str]:
    name = create_database(server)
    yield url_of(name)
    drop_database(server, name)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database, migrated; every test that takes it runs on both kinds."""
    database = Database(request.getfixturevalue(f"{request.param}_url"))
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database without a single table."""
    database = Database(request.getfixturevalue(f"empty_{request.param}_url"))
    yield database
    database.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A write transaction at NOW that is thrown away at the end."""
    with suppress(Discard), database.write(at=NOW) as session:
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
