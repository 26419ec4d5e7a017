"""foreign jobs: the arguments of observed ones, and an index of those that another broker carries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FOREIGN = sa.text("""source IS NOT NULL OR message = '{"why_not": "elsewhere"}'""")


def upgrade() -> None:
    op.add_column("job_status", sa.Column("arguments", sa.Text(), nullable=True))
    op.create_index(
        "ix_job_status_foreign", "job_status", ["state", "source"], postgresql_where=FOREIGN, sqlite_where=FOREIGN
    )


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
