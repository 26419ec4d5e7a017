"""upkeep: when Celeriac's own jobs are due; what workers could not keep, and what they have not shipped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "upkeep",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_upkeep"),
    )
    for name in ("dropped", "spooled_bytes"):
        op.add_column("worker", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
