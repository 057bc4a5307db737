"""Let the totals of a list and the figures of closed deals be counted from an index alone.

Without it every deal had to be looked up for its stage's total: 175 ms for 100,000 deals instead of 13.
PostgreSQL, which puts nulls first where values fall, sorted them all for the fifty of the largest value.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TOTALS = ("stage", "probability", "expected_value", "expected_close_date", "deleted_at")
OUTCOMES = ("stage", "closed_at", "created_at", "expected_value", "close_reason_id", "deleted_at")

FALLING_VALUE = (sa.text("expected_value DESC NULLS LAST"), sa.text("id DESC"))


def upgrade() -> None:
    op.create_index("ix_opportunities_totals", "opportunities", TOTALS)
    op.create_index(
        "ix_opportunities_outcomes",
        "opportunities",
        OUTCOMES,
        sqlite_where=sa.text("closed_at IS NOT NULL"),
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_opportunities_falling_value", "opportunities", FALLING_VALUE)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_opportunities_falling_value", "opportunities")
    op.drop_index("ix_opportunities_outcomes", "opportunities")
    op.drop_index("ix_opportunities_totals", "opportunities")
