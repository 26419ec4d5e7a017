"""bulk actions: what is done to all jobs that match, the jobs it makes, and where flushed ones are until they go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ACTIVE = sa.text("state IN ('running', 'trying', 'undoing', 'waiting')")
MADE = sa.text("action_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "bulk_action",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=64)),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("estimate", sa.BigInteger(), nullable=False),
        sa.Column("estimate_is_exact", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("done", "refused", "restored")),
        sa.Column("rate", sa.Float()),
        sa.Column("trial", sa.Integer(), nullable=False),
        sa.Column("pass_percent", sa.SmallInteger(), nullable=False),
        sa.Column("trial_wait_s", sa.Integer(), nullable=False),
        sa.Column("trial_until", sa.BigInteger()),
        sa.Column("tried", sa.Boolean(), nullable=False),
        sa.Column("stop_percent", sa.SmallInteger()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.String(length=36)),
        sa.Column("lease_owner", sa.String(length=255)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("next_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in ("started_at", "ended_at", "undo_until")),
        sa.PrimaryKeyConstraint("id", name="pk_bulk_action"),
    )
    op.create_index("ix_bulk_action_newest", "bulk_action", ["created_at", "id"])
    op.create_index(
        "ix_bulk_action_active", "bulk_action", ["lease_until"], postgresql_where=ACTIVE, sqlite_where=ACTIVE
    )
    op.add_column("job_status", sa.Column("action_id", sa.String(length=36)))
    op.create_index(
        "ix_job_status_action", "job_status", ["action_id", "state"], postgresql_where=MADE, sqlite_where=MADE
    )
    _like("flushed_job", "job_status", ("id",))
    _like("flushed_attempt", "job_attempt", ("job_id", "run", "attempt"))


def _like(name: str, table: str, key: tuple[str, ...]) -> None:
    """A table with the columns that another one has by now."""
    columns = sa.inspect(op.get_bind()).get_columns(table)
    op.create_table(
        name,
        sa.Column("flush_id", sa.String(length=36), nullable=False),
        sa.Column("kept_until", sa.BigInteger(), nullable=False),
        *(sa.Column(column["name"], column["type"], nullable=column["nullable"]) for column in columns),
        sa.PrimaryKeyConstraint("flush_id", *key, name=f"pk_{name}"),
    )
    op.create_index(f"ix_{name}_kept_until", name, ["kept_until"])


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
