"""schedules are found by a part of their name or job type, and those that cannot fire by an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BATCH = 5_000
MAX_TEXT = 400


def upgrade() -> None:
    table = op.create_table(
        "schedule_search",
        sa.Column("schedule_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("text", sa.String(length=MAX_TEXT), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", name="pk_schedule_search"),
    )
    op.create_index("ix_schedule_search", "schedule_search", ["name", "text", "schedule_id"])
    _fill(table)
    where = sa.text("problem <> ''")
    op.create_index("ix_schedule_problem", "schedule", ["name"], postgresql_where=where, sqlite_where=where)


def _fill(table: sa.Table) -> None:
    schedule = sa.table("schedule", *(sa.column(name, sa.String) for name in ("id", "name", "type")))
    connection, after = op.get_bind(), ""
    while True:
        some = sa.select(schedule).where(schedule.c.id > after).order_by(schedule.c.id).limit(BATCH)
        rows = connection.execute(some).all()
        if not rows:
            return
        said = {row.id: f"{row.name} {row.type}".lower()[:MAX_TEXT] for row in rows}
        made = [{"schedule_id": row.id, "name": row.name, "text": said[row.id]} for row in rows]
        connection.execute(sa.insert(table), made)
        after = rows[-1].id


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")
