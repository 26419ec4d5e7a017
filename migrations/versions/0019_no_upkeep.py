"""no upkeep: built-in schedules say when Celeriac's own upkeep is due."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("upkeep")


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
