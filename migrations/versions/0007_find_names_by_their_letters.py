"""Find names by any three letters in a row, so that a search does not read every name.

Without it a text in a million deals took more than half a second. SQLite keeps the texts in Python's lower case
in tables beside the records. Where PostgreSQL may not have pg_trgm, a search stays as slow as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SEARCHED = {
    "companies": ("company_search", ("name", "domain")),
    "contacts": ("contact_search", ("name", "email")),
    "leads": ("lead_search", ("name", "company_name", "email")),
    "opportunities": ("opportunity_search", ("name",)),
}
HAS_TRIGRAMS = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        fill_tables()
    elif allows_trigrams():
        for table, (_, columns) in SEARCHED.items():
            lowered = [sa.text(f'lower({column} COLLATE "und-x-icu") gin_trgm_ops') for column in columns]
            op.create_index(f"ix_{table}_search", table, lowered, postgresql_using="gin")
            op.execute(f"ANALYZE {table}")  # or it knows nothing of the lowered names until many have changed


def fill_tables() -> None:
    for table, (search, columns) in SEARCHED.items():
        names = ", ".join(columns)
        op.execute(
            f"CREATE VIRTUAL TABLE {search} USING"
            f" fts5({names}, tokenize='trigram case_sensitive 1', columnsize=0)"
        )
        rows = op.get_bind().execute(sa.text(f"SELECT id, {names} FROM {table}")).all()
        lowered = [{"id": key} | dict(zip(columns, map(lower, texts), strict=True)) for key, *texts in rows]
        values = ", ".join(f":{column}" for column in columns)
        put = sa.text(f"INSERT INTO {search} (rowid, {names}) VALUES (:id, {values})")
        if lowered:
            op.get_bind().execute(put, lowered)


def lower(text: str | None) -> str | None:
    return text and text.lower()


def allows_trigrams() -> bool:
    """Whether the server has its index of trigrams, now at the latest."""
    connection = op.get_bind()
    try:
        with connection.begin_nested():
            op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except sa.exc.DBAPIError:
        pass  # `python -m crm_core check` says what to do then
    return bool(connection.scalar(sa.text(HAS_TRIGRAMS)))


def downgrade() -> None:
    for table, (search, _) in SEARCHED.items():
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TABLE {search}")
        else:
            op.execute(f"DROP INDEX IF EXISTS ix_{table}_search")
