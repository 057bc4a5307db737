"""Store beside each text what it is compared by, so that both databases agree on what is the same.

Until now names were lowered wherever they were compared, by three rules in as many places: a search did not find
“Müller” by “Muller”, an import took “STRASSE AG” for “Straße AG” and a conversion did not. The columns are filled
after the migration, see `crm_core.compared_texts`; so is the index that SQLite searches, which holds them.
The country is where phone numbers without a country's code belong; it begins with the locale's.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COMPARED = {
    "companies": ("folded_name", "folded_domain", "folded_industry", "folded_country"),
    "contacts": ("folded_name", "folded_email", "phone_digits", "folded_job_title"),
    "leads": ("folded_name", "folded_company_name", "folded_email", "phone_digits", "folded_source"),
    "opportunities": ("folded_name", "folded_next_step", "folded_source"),
    "users": ("folded_name", "folded_email"),
    "teams": ("folded_name",),
    "close_reasons": ("folded_label",),
    "saved_views": ("folded_name",),
}
VERSIONS = {
    "companies": "company_versions",
    "contacts": "contact_versions",
    "leads": "lead_versions",
    "opportunities": "opportunity_versions",
}
INDEXED = {
    "companies": ("folded_domain",),
    "contacts": ("folded_email", "phone_digits"),
    "leads": ("folded_company_name", "folded_email", "phone_digits"),
    "users": ("folded_name", "folded_email"),
}
SEARCHED = {
    "companies": ("company_search", ("folded_name", "folded_domain")),
    "contacts": ("contact_search", ("folded_name", "folded_email", "phone_digits")),
    "leads": ("lead_search", ("folded_name", "folded_company_name", "folded_email", "phone_digits")),
    "opportunities": ("opportunity_search", ("folded_name",)),
}

BEFORE = {
    "companies": ("name", "domain"),
    "contacts": ("name", "email"),
    "leads": ("name", "email"),
    "opportunities": ("name",),
}
FOLDED_BEFORE = {"sqlite": "trim(lower({}))", "postgresql": 'btrim(lower({} COLLATE "und-x-icu"))'}
FOLDED_COLUMNS_BEFORE = [(table, column) for table in ("leads", "contacts") for column in ("name", "email")]
SEARCHED_BEFORE = {
    "companies": ("company_search", ("name", "domain")),
    "contacts": ("contact_search", ("name", "email")),
    "leads": ("lead_search", ("name", "company_name", "email")),
    "opportunities": ("opportunity_search", ("name",)),
}
HAS_TRIGRAMS = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"


def upgrade() -> None:
    drop_search()
    for table, columns in BEFORE.items():
        for column in columns:
            op.drop_index(f"ix_{table}_{column}", table)
    for table, column in FOLDED_COLUMNS_BEFORE:
        op.drop_index(f"ix_{table}_folded_{column}", table)

    by_bytes = sa.Text() if is_embedded() else sa.Text(collation="C")
    for table, columns in COMPARED.items():
        for each in filter(None, (table, VERSIONS.get(table))):
            for column in columns:
                op.add_column(each, sa.Column(column, by_bytes, nullable=True))
    for table, columns in INDEXED.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])
    for table in VERSIONS:
        op.create_index(f"ix_{table}_folded_name_name", table, ["folded_name", "name"])
    op.add_column("settings", sa.Column("country", sa.String(2), nullable=True))
    locale = op.get_bind().scalar(sa.text("SELECT locale FROM settings"))
    op.execute(sa.text("UPDATE settings SET country = :country").bindparams(country=country_of(locale)))

    for table, (search, columns) in SEARCHED.items():
        create_search(table, search, columns, [f"{column} gin_trgm_ops" for column in columns])


def downgrade() -> None:
    drop_search()
    op.drop_column("settings", "country")
    for table in VERSIONS:
        op.drop_index(f"ix_{table}_folded_name_name", table)
    for table, columns in INDEXED.items():
        for column in columns:
            op.drop_index(f"ix_{table}_{column}", table)
    for table, columns in COMPARED.items():
        for each in filter(None, (table, VERSIONS.get(table))):
            for column in columns:
                op.drop_column(each, column)

    folded = FOLDED_BEFORE[op.get_bind().dialect.name]
    for table, column in FOLDED_COLUMNS_BEFORE:
        op.create_index(f"ix_{table}_folded_{column}", table, [sa.text(folded.format(column))])
    for table, columns in BEFORE.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])
    for table, (search, columns) in SEARCHED_BEFORE.items():
        lowered = [f'lower({column} COLLATE "und-x-icu") gin_trgm_ops' for column in columns]
        create_search(table, search, columns, lowered)
        if is_embedded():
            fill_search(table, search, columns)


def country_of(locale: str) -> str:
    """The region that a locale such as de_CH or zh_Hans_CN names."""
    region = re.search(r"_([A-Z]{2})(?:_|$)", locale)
    return region[1] if region else "US"


def is_embedded() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def drop_search() -> None:
    for table, (search, _) in SEARCHED_BEFORE.items():
        op.execute(f"DROP TABLE {search}" if is_embedded() else f"DROP INDEX IF EXISTS ix_{table}_search")


def create_search(table: str, search: str, columns: tuple[str, ...], on_a_server: list[str]) -> None:
    if is_embedded():
        op.execute(
            f"CREATE VIRTUAL TABLE {search} USING"
            f" fts5({', '.join(columns)}, tokenize='trigram case_sensitive 1', columnsize=0)"
        )
    elif op.get_bind().scalar(sa.text(HAS_TRIGRAMS)):
        texts = [sa.text(text) for text in on_a_server]
        op.create_index(f"ix_{table}_search", table, texts, postgresql_using="gin")


def fill_search(table: str, search: str, columns: tuple[str, ...]) -> None:
    names = ", ".join(columns)
    rows = op.get_bind().execute(sa.text(f"SELECT id, {names} FROM {table}")).all()
    values = ", ".join(f":{column}" for column in columns)
    put = sa.text(f"INSERT INTO {search} (rowid, {names}) VALUES (:id, {values})")
    if rows:
        texts = [{"id": key} | dict(zip(columns, map(lower, texts), strict=True)) for key, *texts in rows]
        op.get_bind().execute(put, texts)


def lower(text: str | None) -> str | None:
    return text and text.lower()
