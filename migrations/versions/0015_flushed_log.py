"""flushed log: where the log lines of flushed jobs are until it is certain that nobody wants them back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flushed_log",
        sa.Column("flush_id", sa.String(length=36), nullable=False),
        sa.Column("kept_until", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.String(length=255), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("run", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("flush_id", "job_id", "attempt", "run", "seq", name="pk_flushed_log"),
    )
    op.create_index("ix_flushed_log_kept_until", "flushed_log", ["kept_until"])


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
