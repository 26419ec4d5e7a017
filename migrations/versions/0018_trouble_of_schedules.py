"""trouble of schedules: how many runs were overdue, when something went wrong last; the table upkeep goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedule", sa.Column("overdue", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("schedule", sa.Column("trouble_at", sa.BigInteger()))
    where = sa.text("trouble_at IS NOT NULL")
    op.create_index("ix_schedule_trouble", "schedule", ["trouble_at"], postgresql_where=where, sqlite_where=where)
    op.drop_table("upkeep")  # built-in schedules say when that is due


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
