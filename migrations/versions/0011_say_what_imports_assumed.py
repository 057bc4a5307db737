"""Mark the states that imports assumed, so that no figure takes them for known.

A file often says of a closed deal no more than how it ended. Until then it stands as open in the start stage:
right for what was open in all, but funnels and times in stages counted it there as well. Earlier imports knew
no other stage of such deals.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STAYS = [
    *("stage_entered_at", "id", "stage", "valid_from", "valid_to", "closed_at", "owner_id"),
    *("stage_entered_on", "transaction_id"),
]

ADD = """
    ALTER TABLE opportunity_versions ADD COLUMN assumed VARCHAR(30)
    CONSTRAINT ck_opportunity_versions_assumed CHECK (assumed IN ('stage', 'entry'))
"""

MARK = """
    UPDATE opportunity_versions SET assumed = 'stage'
    WHERE version = 1 AND closed_at IS NULL
    AND transaction_id IN (SELECT id FROM transactions WHERE source = 'import')
    AND EXISTS (
        SELECT 1 FROM opportunity_versions AS following
        WHERE following.id = opportunity_versions.id AND following.version = 2
        AND following.closed_at IS NOT NULL
        AND following.transaction_id = opportunity_versions.transaction_id
    )
"""


def upgrade() -> None:
    op.execute(sa.text(ADD))
    op.execute(sa.text(MARK))
    _index_stays([*STAYS, "assumed"])


def downgrade() -> None:
    _index_stays(STAYS)
    op.drop_column("opportunity_versions", "assumed")


def _index_stays(columns: list[str]) -> None:
    op.drop_index("ix_opportunity_versions_stays", "opportunity_versions")
    op.create_index("ix_opportunity_versions_stays", "opportunity_versions", columns)
