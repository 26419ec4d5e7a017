"""Celeriac's own upkeep: jobs of ours that beat dispatches again and again, each once however many beats run."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from console import clock
from console.audit.service import SYSTEM
from console.jobs.registry import job_type
from console.jobs.service import DispatchOptions, dispatch
from console.upkeep.models import Upkeep

RETENTION = "celeriac.retention"
EVERY = {RETENTION: timedelta(hours=1)}
FIRST_AFTER = timedelta(minutes=5)
"""A first start has better things to do."""
LATE_AFTER = timedelta(hours=2)


def has_due(session: Session, now: datetime) -> bool:
    """Whether anything is due, or was never planned."""
    planned = {row.name: row.next_at for row in session.scalars(select(Upkeep))}
    return any(name not in planned or planned[name] <= now for name in EVERY)


def dispatch_due(session: Session, now: datetime) -> list[str]:
    """Dispatches what is due and returns the job types; published when the session commits.

    While one still runs, or waits for a worker, no second one is made.
    """
    return [name for name in EVERY if _claim(session, name, now) and _dispatch(session, name)]


def again_at(session: Session, name: str, at: datetime) -> None:
    """The next run comes at that time if it would come later: the last one did not get everything done."""
    session.execute(update(Upkeep).where(Upkeep.name == name, Upkeep.next_at > at).values(next_at=at))


def overdue(session: Session) -> dict[str, timedelta]:
    """Upkeep that nobody has dispatched for longer than `LATE_AFTER`, and for how long it has been due."""
    now = clock.now()
    late = session.scalars(select(Upkeep).where(Upkeep.next_at < now - LATE_AFTER).order_by(Upkeep.name))
    return {row.name: now - row.next_at for row in late}


def _claim(session: Session, name: str, now: datetime) -> bool:
    """Whether it is due and this is the process that moves it on."""
    insert = pg_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    session.execute(insert(Upkeep).values(name=name, next_at=now + FIRST_AFTER).on_conflict_do_nothing())
    due = update(Upkeep).where(Upkeep.name == name, Upkeep.next_at <= now)
    moved: int = session.execute(due.values(next_at=now + EVERY[name])).rowcount  # type: ignore[attr-defined]
    return moved == 1


def _dispatch(session: Session, name: str) -> bool:
    return bool(dispatch(session, SYSTEM, job_type(name), {}, DispatchOptions(unique_key=name)))
