"""Databases on a PostgreSQL server for tests: made and dropped, or used by one test after the other."""

import os
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from crm_core.database import Database
from tests.contents import Contents, put_back, taken

POSTGRES = "CRM_TEST_POSTGRES_URL"

SHAPE = """
    SELECT count(*), sum(relnatts), max(oid),
        (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_index),
        (SELECT string_agg(version_num, ' ') FROM alembic_version)
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
"""
"""Tells whether a test has changed the tables themselves."""


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


class PostgresInTurn:
    """One database for test after test: emptied in between, made anew if a test changed its tables.

    To make one takes ten times as long as to empty it.
    """

    def __init__(self, server: Database, template: str) -> None:
        self.server = server
        self.template = template
        self.name = ""
        self.shape: Sequence[Any] = ()
        self.defaults: Contents = {}

    def url(self) -> str:
        """The address of a database as the migrations leave it."""
        if not self.name:
            self.name = create_database(self.server, self.template)
            database = Database(url_of(self.name))
            with database.engine.connect() as connection:
                self.shape = connection.execute(text(SHAPE)).one()
                self.defaults = taken(connection)
            database.close()
        return url_of(self.name)

    def empty(self) -> None:
        """Bring it back to that state."""
        database = Database(url_of(self.name), patience=2)
        try:
            with database.engine.begin() as connection:
                if connection.execute(text(SHAPE)).one() == self.shape:
                    put_back(connection, self.defaults)
                    return
        except DBAPIError:
            pass  # somebody still holds a lock, or a table is gone
        finally:
            database.close()
        self.drop()

    def drop(self) -> None:
        if self.name:
            drop_database(self.server, self.name)
            self.name = ""
