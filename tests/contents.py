"""Everything that a database holds, taken and put back."""

from typing import Any

from sqlalchemy import Connection, text

from crm_core.models import Base
from crm_core.models.search import SEARCHED

Contents = dict[str, list[dict[str, Any]]]
"""Rows by the name of their table."""

IN_WHATEVER_ORDER = {
    "sqlite": "PRAGMA defer_foreign_keys = ON",
    "postgresql": "SET LOCAL session_replication_role = replica",
}

IDS_ANEW = "SELECT " + ", ".join(
    f"setval(pg_get_serial_sequence('{name}', 'id'), coalesce((SELECT max(id) FROM {name}), 0) + 1, false)"
    for name, table in Base.metadata.tables.items()
    if "id" in table.c and not name.endswith("_versions")
)
"""Lets ids on PostgreSQL begin again after those that are there; on SQLite they do by themselves."""


def taken(connection: Connection) -> Contents:
    """Every row of every table of ours."""
    return {
        table.name: [dict(row._mapping) for row in connection.execute(table.select())]
        for table in Base.metadata.sorted_tables
    }


def put_back(connection: Connection, contents: Contents) -> None:
    """Leave those rows in the tables, and no others."""
    connection.execute(text(IN_WHATEVER_ORDER[connection.dialect.name]))
    for table in Base.metadata.sorted_tables:
        connection.execute(table.delete())
    if connection.dialect.name == "sqlite":
        for index in SEARCHED.values():
            connection.execute(index.delete())
    for table in Base.metadata.sorted_tables:
        if rows := contents[table.name]:
            connection.execute(table.insert(), rows)
    if connection.dialect.name == "postgresql":
        connection.execute(text(IDS_ANEW))
