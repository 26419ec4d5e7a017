"""schedules: what they are, their versions, what they did, and calendars of blackouts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("ver", sa.Integer(), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in ("nominal_at", "due_at")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("fired", "missed")),
        sa.Column("last_at", sa.BigInteger()),
        sa.Column("open_job_id", sa.String(length=255)),
        sa.Column("pause_reason", sa.String(length=500), nullable=False),
        sa.Column("paused_by", sa.String(length=255)),
        *(sa.Column(name, sa.BigInteger()) for name in ("paused_at", "paused_until")),
        sa.Column("problem", sa.String(length=500), nullable=False),
        sa.Column("file", sa.String(length=255)),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created_at", "changed_at")),
        sa.Column("changed_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedule"),
    )
    op.create_index("uq_schedule_name", "schedule", ["name"], unique=True)
    _partial("ix_schedule_due", "schedule", "due_at", "due_at IS NOT NULL")
    op.create_index("ix_schedule_state", "schedule", ["state", "name"])
    op.create_index("ix_schedule_type", "schedule", ["type", "name"])
    op.create_table(
        "schedule_version",
        sa.Column("schedule_id", sa.String(length=36), nullable=False),
        sa.Column("ver", sa.Integer(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "ver", name="pk_schedule_version"),
    )
    op.create_table(
        "schedule_fire",
        sa.Column("schedule_id", sa.String(length=36), nullable=False),
        sa.Column("nominal_at", sa.BigInteger(), nullable=False),
        sa.Column("trigger", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.String(length=255)),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("until_at", sa.BigInteger()),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("finish_by", sa.BigInteger()),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "nominal_at", "trigger", name="pk_schedule_fire"),
    )
    op.create_index("ix_schedule_fire_at", "schedule_fire", ["nominal_at"])
    _partial("ix_schedule_fire_job", "schedule_fire", "job_id", "job_id IS NOT NULL")
    _partial("ix_schedule_fire_waits", "schedule_fire", "nominal_at", "state = 'waiting'")
    _partial("ix_schedule_fire_missed", "schedule_fire", "at", "state = 'missed'")
    _partial("ix_schedule_fire_watched", "schedule_fire", "finish_by", "finish_by IS NOT NULL")
    op.create_table(
        "schedule_blackout",
        sa.Column("calendar", sa.String(length=80), nullable=False),
        sa.Column("schedule_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("calendar", "schedule_id", name="pk_schedule_blackout"),
    )
    op.create_table(
        "blackout_calendar",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_blackout_calendar"),
    )


def _partial(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
