"""trouble of schedules: how many runs were overdue, when something went wrong last; the table upkeep goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedule", sa.Column("overdue", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("schedule", sa.Column("trouble_at", sa.BigInteger()))
    for name, columns, where in (
        ("ix_schedule_trouble", ["trouble_at"], "trouble_at IS NOT NULL"),
        ("ix_schedule_problem", ["name"], "problem <> ''"),
    ):
        op.create_index(name, "schedule", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
    op.drop_table("upkeep")  # built-in schedules say when that is due


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
