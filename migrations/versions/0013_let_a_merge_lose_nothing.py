"""Remember into which record another was merged, and further e-mail addresses and phones of a contact.

A merge rewrote the notes of the merged record, which have no history, so that it could not be undone. From now
on they stay where they are, and the merged record says which one stands for it. Earlier merges are marked, by
the note that only they wrote and by what they deleted: these still can't be undone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = {"companies": "company", "contacts": "contact"}
OTHERS = ("other_emails", "other_phones")
COMPARED = ("folded_other_emails", "other_phone_digits")
SEARCHED = ["folded_name", "folded_email", "phone_digits"]
HAS_TRIGRAMS = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"

ADD = """
    ALTER TABLE {0} ADD COLUMN merged_into_id INTEGER
    CONSTRAINT fk_{0}_merged_into_id REFERENCES {0} (id)
    CONSTRAINT ck_{0}_merged_into_another
    CHECK (merged_into_id IS NULL OR (deleted_at IS NOT NULL AND merged_into_id != id))
"""

MARK = """
    UPDATE transactions SET is_merge = true
    WHERE note LIKE 'Merged “%” into “%”' AND EXISTS (
        SELECT 1 FROM {1}_versions AS deleted JOIN {1}_versions AS before
        ON before.id = deleted.id AND before.version = deleted.version - 1
        WHERE deleted.transaction_id = transactions.id
        AND deleted.deleted_at IS NOT NULL AND before.deleted_at IS NULL
    )
"""

MOVE_NOTES = """
    WITH RECURSIVE standing AS (
        SELECT id, id AS whole_id FROM {0} WHERE merged_into_id IS NULL
        UNION SELECT merged.id, standing.whole_id
        FROM {0} AS merged JOIN standing ON merged.merged_into_id = standing.id
    )
    UPDATE notes SET {1}_id = (SELECT whole_id FROM standing WHERE standing.id = notes.{1}_id)
    WHERE {1}_id IN (SELECT id FROM {0} WHERE merged_into_id IS NOT NULL)
"""


def upgrade() -> None:
    op.add_column(
        "transactions", sa.Column("is_merge", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    for table, kind in TABLES.items():
        op.execute(sa.text(ADD.format(table)))
        op.add_column(f"{kind}_versions", sa.Column("merged_into_id", sa.Integer()))
        op.create_index(f"ix_{table}_merged_into_id", table, ["merged_into_id"])
        op.execute(sa.text(MARK.format(table, kind)))
    by_bytes = sa.Text() if is_embedded() else sa.Text(collation="C")
    for table in ("contacts", "contact_versions"):
        for column in OTHERS:
            op.add_column(table, sa.Column(column, sa.Text()))
        for column in COMPARED:
            op.add_column(table, sa.Column(column, by_bytes))
    search_in([*SEARCHED, *COMPARED])


def downgrade() -> None:
    """Notes of merged records go to those that stand for them, as earlier programs wrote it."""
    search_in(SEARCHED)
    for table in ("contacts", "contact_versions"):
        for column in (*OTHERS, *COMPARED):
            op.drop_column(table, column)
    for table, kind in TABLES.items():
        op.execute(sa.text(MOVE_NOTES.format(table, kind)))
        op.drop_index(f"ix_{table}_merged_into_id", table)
        op.drop_column(f"{kind}_versions", "merged_into_id")
        op.drop_column(table, "merged_into_id")
    op.drop_column("transactions", "is_merge")


def is_embedded() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def search_in(columns: list[str]) -> None:
    """Let contacts be found by these columns."""
    names = ", ".join(columns)
    if is_embedded():
        op.execute("DROP TABLE contact_search")
        op.execute(
            "CREATE VIRTUAL TABLE contact_search USING"
            f" fts5({names}, tokenize='trigram case_sensitive 1', columnsize=0)"
        )
        op.execute(f"INSERT INTO contact_search (rowid, {names}) SELECT id, {names} FROM contacts")
        return
    op.execute("DROP INDEX IF EXISTS ix_contacts_search")
    if op.get_bind().scalar(sa.text(HAS_TRIGRAMS)):
        texts = [sa.text(f"{column} gin_trgm_ops") for column in columns]
        op.create_index("ix_contacts_search", "contacts", texts, postgresql_using="gin")
