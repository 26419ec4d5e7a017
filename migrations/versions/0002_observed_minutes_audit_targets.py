"""observed minutes, audit targets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "observed_minute",
        sa.Column("minute_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("minute_at", name=op.f("pk_observed_minute")),
    )
    op.create_table(
        "audit_target",
        sa.Column("target_id", sa.String(length=255), nullable=False),
        sa.Column("entry_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("target_id", "entry_id", name=op.f("pk_audit_target")),
    )


def downgrade() -> None:
    op.drop_table("audit_target")
    op.drop_table("observed_minute")
