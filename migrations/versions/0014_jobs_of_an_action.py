"""jobs of an action: those of one action in their order, by its index alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MADE = sa.text("action_id IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_job_status_action", "job_status")
    op.create_index(
        "ix_job_status_action",
        "job_status",
        ["action_id", "state", "enqueued_at"],
        postgresql_where=MADE,
        sqlite_where=MADE,
    )


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
