"""lineage and source of jobs; counts and rollups by shard, rollups by hour and day, with histograms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LINEAGE = ("group_id", "chord_id")
INDEXED = ("parent_id", "root_id", *LINEAGE)
LISTS = {
    "newest": ["enqueued_at"],
    "state": ["state", "enqueued_at"],
    "queue": ["queue", "state", "enqueued_at"],
    "type": ["type", "state", "enqueued_at"],
}
MEASURES = ("enqueued", "completed", "failed", "retried", "cancelled", "wait_ms", "runtime_ms")
GRAINS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}


def upgrade() -> None:
    for name in LINEAGE:
        op.add_column("job_status", sa.Column(name, sa.String(length=255), nullable=True))
    op.add_column("job_status", sa.Column("source", sa.String(length=64), nullable=True))
    op.execute("UPDATE job_status SET root_id = NULL WHERE root_id = id")
    for name in INDEXED:
        _partial_index(f"ix_job_status_{name}", name)
    op.drop_index("uq_job_status_unique_lock", "job_status")
    _partial_index("uq_job_status_unique_lock", "unique_lock", unique=True)
    for name, columns in LISTS.items():
        op.drop_index(f"ix_job_status_{name}", "job_status")
        op.create_index(f"ix_job_status_{name}", "job_status", columns)
    _counts_by_shard()
    _rollups_by_grain()


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")


def _partial_index(name: str, column: str, *, unique: bool = False) -> None:
    present = sa.text(f"{column} IS NOT NULL")
    op.create_index(name, "job_status", [column], unique=unique, postgresql_where=present, sqlite_where=present)


def _counts_by_shard() -> None:
    op.rename_table("job_count", "job_count_old")
    op.create_table(
        "job_count",
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("queue", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("type", "queue", "state", "shard", name="pk_job_count_by_shard"),
    )
    op.execute(
        "INSERT INTO job_count (type, queue, state, shard, n) SELECT type, queue, state, -1, n FROM job_count_old"
    )
    op.drop_table("job_count_old")


def _rollups_by_grain() -> None:
    op.rename_table("job_rollup", "job_rollup_old")
    op.create_table(
        "job_rollup",
        sa.Column("grain", sa.String(length=6), nullable=False),
        sa.Column("dimension", sa.String(length=5), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in MEASURES),
        sa.Column("waits", sa.Text(), nullable=True),
        sa.Column("runtimes", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("grain", "dimension", "at", "name", "shard", name="pk_job_rollup_by_grain"),
    )
    sums = ", ".join(f"sum({name})" for name in MEASURES)
    for grain, length in GRAINS.items():
        op.execute(
            f"INSERT INTO job_rollup (grain, dimension, at, name, shard, {', '.join(MEASURES)})"
            f" SELECT '{grain}', dimension, minute - minute % {length}, name, -1, {sums}"
            f" FROM job_rollup_old GROUP BY dimension, minute - minute % {length}, name"
        )
    op.drop_table("job_rollup_old")
