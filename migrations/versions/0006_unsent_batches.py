"""unsent batches: new jobs that are committed and perhaps not published."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unsent_batch",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("job_ids", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unsent_batch"),
    )


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
