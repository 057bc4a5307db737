"""Databases for tests: made and dropped, or used by one test after the other and emptied in between."""

import os
import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Connection, Row, make_url, text
from sqlalchemy.exc import DBAPIError

from crm_core.database import Database, line_of
from crm_core.errors import DatabaseUnavailable
from crm_core.kept import Kept
from tests.contents import Contents, put_back, taken

POSTGRES = "CRM_TEST_POSTGRES_URL"

SHAPE = {
    "sqlite": """
        SELECT schema_version, (SELECT group_concat(version_num, ' ') FROM alembic_version)
        FROM pragma_schema_version
    """,
    "postgresql": """
        SELECT count(*), sum(relnatts), max(oid),
            (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_index),
            (SELECT string_agg(version_num, ' ') FROM alembic_version)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace
    """,
}


def create_database(server: Database, template: str = "template1") -> str:
    """A new database on the PostgreSQL server, by its name."""
    name = f"crm_test_{uuid.uuid4().hex[:12]}"
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    return name


def drop_database(server: Database, name: str) -> None:
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def url_of(name: str) -> str:
    return make_url(os.environ[POSTGRES]).set(database=name).render_as_string(hide_password=False)


def as_another_process(database: Database, **options: Any) -> Database:
    """The same database, opened by somebody who does not stand in line with the writers of this process."""
    line_of.cache_clear()
    other = Database(database.url.render_as_string(hide_password=False), **options)
    line_of.cache_clear()
    return other


class InTurn:
    """One database, as the migrations leave it, for test after test.

    Emptying it is quicker than making one, and statements that were compiled once stay compiled. Where a test
    has changed the tables, or left a lock behind, the next one gets a new database.
    """

    def __init__(self, make: Callable[[], str], remove: Callable[[URL], None] = lambda url: None) -> None:
        """`make` returns the address of a new, migrated database, `remove` disposes of one."""
        self._make, self._remove = make, remove
        self._opened: Database | None = None

    @property
    def database(self) -> Database:
        if self._opened is None:
            self._opened = Database(self._make())
            with self._opened.engine.connect() as connection:
                self._shape = shape_of(connection)
                self._defaults: Contents = taken(connection)
        return self._opened

    def empty(self) -> None:
        """Bring it back to how the migrations leave it."""
        if self._opened is None:
            return
        self._opened._kept = Kept()
        try:
            with self._opened.engine.begin() as connection:
                if shape_of(connection) == self._shape:
                    put_back(connection, self._defaults)
                    return
        except (DBAPIError, DatabaseUnavailable):
            pass  # somebody still holds a lock, or a table is gone
        self.drop()

    def drop(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._remove(self._opened.url)
            self._opened = None


def shape_of(connection: Connection) -> Row[Any]:
    """Differs once a test has changed the tables themselves."""
    return connection.execute(text(SHAPE[connection.dialect.name])).one()
