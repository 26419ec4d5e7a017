"""How long it is kept what schedules did."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, tuple_

from console import db
from console.schedules.models import ScheduleFire

KEPT = timedelta(days=90)
BATCH = 1_000
MOST = 100
"""Batches of one run."""


def forget(now: datetime) -> int:
    """Deletes what is older than `KEPT`, some at a time, and returns how many that were."""
    key = (ScheduleFire.schedule_id, ScheduleFire.nominal_at, ScheduleFire.trigger)
    old = select(*key).where(ScheduleFire.nominal_at < now - KEPT, ScheduleFire.state != "waiting").limit(BATCH)
    gone = 0
    for _ in range(MOST):
        with db.writing() as session:
            done: Any = session.execute(delete(ScheduleFire).where(tuple_(*key).in_(old)))
        gone += done.rowcount
        if done.rowcount < BATCH:
            break
    return gone
