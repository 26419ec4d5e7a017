"""Which schedules need a look: late, not able to fire, with times missed or runs overdue; and how many of these."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, literal_column, or_, select
from sqlalchemy.orm import Session

from console.schedules.models import Schedule, ScheduleFire
from console.schedules.rules import GRACE

LATE_AFTER = GRACE
TROUBLED_FOR = timedelta(days=1)
MAX_FLAGGED = 1_000


def late(now: datetime) -> ColumnElement[bool]:
    """That nobody fires a schedule in time."""
    return and_(Schedule.due_at.is_not(None), Schedule.due_at < now - LATE_AFTER)


def flagged(session: Session, now: datetime) -> ColumnElement[bool]:
    """That a schedule is late, cannot fire, or had a time missed or a run overdue.

    By their ids while these are few, each sign along its index; else there is one on every page anyway.
    """
    found = [session.scalars(select(Schedule.id).where(sign).limit(MAX_FLAGGED + 1)).all() for sign in _signs(now)]
    if any(len(some) > MAX_FLAGGED for some in found):
        return any_sign(now)
    return Schedule.id.in_({one for some in found for one in some})


def any_sign(now: datetime) -> ColumnElement[bool]:
    """The same, of schedules that are looked at anyway."""
    return or_(*_signs(now))


def _signs(now: datetime) -> tuple[ColumnElement[bool], ...]:
    troubled = and_(Schedule.trouble_at.is_not(None), Schedule.trouble_at > now - TROUBLED_FOR)
    return late(now), Schedule.problem != literal_column("''"), troubled


def missed_since(session: Session, since: datetime) -> int:
    """How many times passed without a run since then."""
    query = select(func.sum(ScheduleFire.slots)).where(ScheduleFire.state == "missed", ScheduleFire.at >= since)
    return int(session.scalar(query) or 0)


def overdue_since(session: Session, since: datetime) -> int:
    """How many runs' jobs had not ended by their time, of those that were due since then."""
    query = select(func.count()).where(ScheduleFire.nominal_at >= since, ScheduleFire.overdue)
    return session.scalar(query) or 0
