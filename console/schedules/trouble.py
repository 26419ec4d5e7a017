"""Which schedules need a look: late, not able to fire, with times missed or runs overdue; and how many of these."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CompoundSelect, func, literal_column, select, union_all
from sqlalchemy.orm import Session

from console.schedules.models import Schedule, ScheduleFire
from console.schedules.rules import GRACE

LATE_AFTER = GRACE
TROUBLED_FOR = timedelta(days=1)
MAX_FLAGGED = 2_000


def flagged(now: datetime) -> CompoundSelect[Any]:
    """Ids of schedules that are late, cannot fire, or had a time missed or a run overdue; each along its index."""
    each = (
        (Schedule.due_at.is_not(None), Schedule.due_at < now - LATE_AFTER),
        (Schedule.problem != literal_column("''"),),
        (Schedule.trouble_at.is_not(None), Schedule.trouble_at > now - TROUBLED_FOR),
    )
    return union_all(*(select(select(Schedule.id).where(*one).limit(MAX_FLAGGED).subquery()) for one in each))


def missed_since(session: Session, since: datetime) -> int:
    """How many times passed without a run since then."""
    query = select(func.sum(ScheduleFire.slots)).where(ScheduleFire.state == "missed", ScheduleFire.at >= since)
    return int(session.scalar(query) or 0)


def overdue_since(session: Session, since: datetime) -> int:
    """How many runs' jobs had not ended by their time, of those that were due since then."""
    query = select(func.count()).where(ScheduleFire.nominal_at >= since, ScheduleFire.overdue)
    return session.scalar(query) or 0
