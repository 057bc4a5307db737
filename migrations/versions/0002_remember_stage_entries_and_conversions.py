"""Remember when a deal came into its stage, and what a lead's conversion did.

How long deals stand in a stage was hidden in their versions; a column of its own makes lists sort by it.
It stays nullable because SQLite adds no required column to a table with rows; `check` proves that it is filled.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

ENTRIES_OF_VERSIONS = """
    UPDATE opportunity_versions SET stage_entered_at = entries.entered_at
    FROM (
        SELECT id, valid_from, max(entered_at) OVER (PARTITION BY id ORDER BY valid_from) AS entered_at
        FROM (
            SELECT id, valid_from, CASE
                WHEN stage = lag(stage) OVER (PARTITION BY id ORDER BY valid_from) THEN NULL
                ELSE valid_from
            END AS entered_at
            FROM opportunity_versions
        ) AS changes
    ) AS entries
    WHERE entries.id = opportunity_versions.id AND entries.valid_from = opportunity_versions.valid_from
"""
ENTRIES_OF_DEALS = """
    UPDATE opportunities SET stage_entered_at = current.stage_entered_at
    FROM opportunity_versions AS current
    WHERE current.id = opportunities.id AND current.valid_to IS NULL
"""


def upgrade() -> None:
    for table in ("opportunities", "opportunity_versions"):
        op.add_column(table, sa.Column("stage_entered_at", sa.DateTime(timezone=True)))
    for table in ("leads", "lead_versions"):
        op.add_column(table, sa.Column("conversion", DOCUMENT))
    op.execute(ENTRIES_OF_VERSIONS)
    op.execute(ENTRIES_OF_DEALS)


def downgrade() -> None:
    for table in ("leads", "lead_versions"):
        op.drop_column(table, "conversion")
    for table in ("opportunities", "opportunity_versions"):
        op.drop_column(table, "stage_entered_at")
