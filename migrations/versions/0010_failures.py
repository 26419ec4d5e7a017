"""failures: fingerprints of failed jobs, failure groups with their counts, deploys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('FAILED', 'RETRYABLE') AND retried_as IS NULL")
UNPRINTED = sa.text("fingerprint IS NULL AND state IN ('FAILED', 'RETRYABLE')")
KNOWN = sa.text("fingerprint IS NOT NULL")


def upgrade() -> None:
    op.add_column("job_status", sa.Column("fingerprint", sa.String(length=16), nullable=True))
    for name, columns, where in (
        ("fingerprint", ["fingerprint", "enqueued_at"], KNOWN),
        ("open", ["type", "fingerprint"], OPEN),
        ("unprinted", ["state"], UNPRINTED),
    ):
        op.create_index(f"ix_job_status_{name}", "job_status", columns, postgresql_where=where, sqlite_where=where)
    op.create_table(
        "failure_group",
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        *(sa.Column(name, sa.String(length=255), nullable=False) for name in ("type", "error_type")),
        sa.Column("pattern", sa.String(length=300), nullable=False),
        sa.Column("frame", sa.String(length=255), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("first_seen_at", "last_seen_at")),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("state_at", sa.BigInteger(), nullable=True),
        sa.Column("state_by", sa.String(length=255), nullable=True),
        sa.Column("reopened_at", sa.BigInteger(), nullable=True),
        sa.Column("reopened_why", sa.String(length=200), nullable=True),
        *(sa.Column(f"ignore_{name}", sa.BigInteger(), nullable=True) for name in ("until", "left", "rate")),
        sa.Column("assignee", sa.String(length=255), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("runbook", sa.String(length=2000), nullable=True),
        sa.Column("ver", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_failure_group"),
    )
    op.create_index("ix_failure_group_last_seen", "failure_group", ["last_seen_at"])
    op.create_index("ix_failure_group_first_seen", "failure_group", ["first_seen_at"])
    op.create_table(
        "failure_tally",
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("hour_at", sa.BigInteger(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "hour_at", "shard", name="pk_failure_tally"),
    )
    op.create_index("ix_failure_tally_hour", "failure_tally", ["hour_at"])
    op.create_table(
        "deploy",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("added_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deploy"),
    )
    op.create_index("ix_deploy_at", "deploy", ["at"])


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
