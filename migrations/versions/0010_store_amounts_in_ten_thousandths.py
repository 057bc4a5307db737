"""Store amounts in ten-thousandths instead of hundredths, so that a currency may have three decimals.

1.234 Kuwaiti dinars were stored as 1.23. Every amount stays the same number: it is counted in smaller units.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

AMOUNTS = {
    "opportunities": "expected_value",
    "opportunity_versions": "expected_value",
    "leads": "estimated_value",
    "lead_versions": "estimated_value",
    "targets": "amount",
}


def upgrade() -> None:
    for table, amount in AMOUNTS.items():
        op.execute(f"UPDATE {table} SET {amount} = {amount} * 100 WHERE {amount} IS NOT NULL")


def downgrade() -> None:
    """What is finer than hundredths is rounded half up; no amount is below 0."""
    for table, amount in AMOUNTS.items():
        op.execute(f"UPDATE {table} SET {amount} = ({amount} + 50) / 100 WHERE {amount} IS NOT NULL")
