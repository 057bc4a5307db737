"""Brings a database's schema to what this code expects, and says where it stands."""

import os
from enum import StrEnum
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from crm_core import compared_texts, dated, engines, search
from crm_core.config import PROJECT
from crm_core.database import Database
from crm_core.engines import plain
from crm_core.errors import DatabaseUnavailable
from crm_core.patience import WHILE_SET_UP

HEAD = "head"

DAYS_ARE_KNOWN = "0009"
"""The migration that notes which states are known by their day.

Those that were written in another time zone follow after it, in a transaction of their own; should that not
come to its end, `check` names them and `check --repair` lets them follow.
"""

DAYS_FOLLOW = "Days of imports follow the time zone"


class SchemaState(StrEnum):
    """Where a database's schema stands, seen from this code."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    AHEAD = "ahead"
    FOREIGN = "foreign"


ADVICE = {
    SchemaState.EMPTY: "{database} is empty. Run `python -m crm_core migrate` to set it up.",
    SchemaState.BEHIND: (
        "{database} is older than this program. Make a backup, then run `python -m crm_core migrate`."
    ),
    SchemaState.AHEAD: ("{database} was written by a newer version of this program. Update the program."),
    SchemaState.FOREIGN: (
        "{database} holds tables that are not the CRM's. Point CRM_DATABASE_URL to one of its own."
    ),
}


def state(database: Database) -> SchemaState:
    """Where the schema stands. Changes nothing, and makes no file where there is none."""
    if _has_yet_to_be_made(database):
        return SchemaState.EMPTY
    with database.read() as session:
        return _state(session.connection())


def upgrade(database: Database, to: str = HEAD) -> SchemaState:
    """Migrate up and return the state it was in before; an embedded database is backed up first.

    Of several processes at once one migrates, and the others wait for it.
    Columns that texts are compared by are filled, wherever they do not follow from their texts.
    Raises `DatabaseUnavailable` when the schema is newer than this code, or not the CRM's.
    """
    before = state(database)
    _refuse_to_migrate(database, before)
    if before is not SchemaState.CURRENT:
        with database.migration(patience=WHILE_SET_UP) as connection:
            found = _state(connection)  # another process may have been faster
            _refuse_to_migrate(database, found)
            old = _revision(connection)
            if found is SchemaState.BEHIND and database.kind == "sqlite":
                database.back_up(f"before-migrating-{old}")
            if found in (SchemaState.EMPTY, SchemaState.BEHIND):
                command.upgrade(_alembic(connection), to)
                if to == HEAD:
                    search.follow(connection, compared_texts.refill(connection))
        if to == HEAD and old is not None and old < DAYS_ARE_KNOWN:
            with database.write(note=DAYS_FOLLOW, patience=WHILE_SET_UP) as session:
                dated.follow_time_zone(session)
    return before


def downgrade(database: Database, to: str = "base") -> None:
    """Migrate down; `base` leaves no table of ours."""
    with database.migration() as connection:
        command.downgrade(_alembic(connection), to)


def require_current(database: Database) -> None:
    """Refuse, in one sentence, a database whose schema is not what this code expects."""
    found = state(database)
    if found is not SchemaState.CURRENT:
        raise DatabaseUnavailable(_advice(database, found))


def advice(found: SchemaState, database: str = "The database") -> str:
    """What to do with a database whose schema stands there."""
    return ADVICE[found].format(database=database)


def head() -> str:
    """The newest migration's number."""
    return str(_scripts().get_current_head())


def _state(connection: Connection) -> SchemaState:
    current = _revision(connection)
    if current is None:
        tables = set(inspect(connection).get_table_names())
        return SchemaState.FOREIGN if tables - {"alembic_version"} else SchemaState.EMPTY
    if current == head():
        return SchemaState.CURRENT
    known = {script.revision for script in _scripts().walk_revisions()}
    return SchemaState.BEHIND if current in known else SchemaState.AHEAD


@cache
def _scripts() -> ScriptDirectory:
    """The migrations of this program, which are the same as long as it runs."""
    return ScriptDirectory.from_config(_alembic())


def _has_yet_to_be_made(database: Database) -> bool:
    """Whether an embedded database's file is missing from a folder it can be made in.

    One that is open was deleted or moved.
    """
    file = Path(str(database.url.database))
    is_missing = database.kind == "sqlite" and not file.exists() and os.access(file.parent, os.W_OK)
    return is_missing and not engines.is_connected(database.engine)


def _alembic(connection: Connection | None = None) -> AlembicConfig:
    config = AlembicConfig(attributes={"connection": connection})
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    return config


def _refuse_to_migrate(database: Database, found: SchemaState) -> None:
    if found in (SchemaState.AHEAD, SchemaState.FOREIGN):
        raise DatabaseUnavailable(_advice(database, found))


def _advice(database: Database, found: SchemaState) -> str:
    return advice(found, f"The database {plain(database.url)}")


def _revision(connection: Connection) -> str | None:
    """The number of the last migration that was applied."""
    return MigrationContext.configure(connection).get_current_revision()
