"""Runs migrations on the connection that `crm_core.migrate` hands over, or on the configured database."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext

from crm_core import columns
from crm_core.config import Config
from crm_core.database import Database
from crm_core.models import Base


def render_plainly(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Migrations import only alembic and sqlalchemy, so our column types are written as what they store."""
    if kind != "type":
        return False
    match item:
        case columns.UtcDateTime():
            return "sa.DateTime(timezone=True)"
        case columns.TenThousandths():
            return "sa.BigInteger()"
        case columns.Line(impl=sa.String() as text):
            return f"sa.String({text.length})"
        case columns.LongText():
            return "sa.Text()"
        case _ if item is columns.Document:
            autogen.imports.add("from sqlalchemy.dialects import postgresql")
            return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
        case _:
            return False


def run_on(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=render_plainly,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=False,
    )
    context.run_migrations()


handed_over: sa.Connection | None = context.config.attributes.get("connection")
if handed_over is not None:
    run_on(handed_over)
else:
    with Database(Config().database_url).migration() as own:
        run_on(own)
