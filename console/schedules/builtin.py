"""Celeriac's own schedules: there like any other, but nobody can delete them or give them another job type."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from console import clock, db
from console.actor import SYSTEM
from console.jobs import outbox
from console.jobs.registry import INTERNAL_QUEUE
from console.schedules.definition import Definition, Kind
from console.schedules.models import Schedule, ScheduleSearch, ScheduleVersion
from console.schedules.rules import Timetable
from console.upkeep.service import RETENTION

FIRST_AFTER = timedelta(minutes=5)
"""A first start has better things to do."""
BUILT_IN = (
    Definition(
        name="Celeriac: retention",
        type=RETENTION,
        kind=Kind.EVERY,
        every=1,
        unit="hours",
        queue=INTERNAL_QUEUE,
        owner="celeriac",
        note="Removes jobs, rollups, logs and keys that are kept no longer.",
    ),
)


LATE_AFTER = timedelta(hours=2)


def id_of(definition: Definition) -> str:
    """The same in every database, so that two beats cannot make it twice."""
    return f"builtin:{definition.type}"[:36]


def ensure() -> None:
    """Makes those that are not there."""
    with db.reading() as session:
        missing = [one for one in BUILT_IN if session.get(Schedule, id_of(one)) is None]
    if missing:
        with db.writing() as session:
            for one in missing:
                _add(session, one)


def again_at(session: Session, job_type: str, at: datetime) -> None:
    """The next run comes at that time if it would come later: the last one did not get everything done."""
    sooner = update(Schedule).where(Schedule.built_in, Schedule.type == job_type, Schedule.due_at > at)
    session.execute(sooner.where(Schedule.state == "active").values(due_at=at))
    outbox.wake_after_commit(session)


def overdue(session: Session) -> dict[str, timedelta]:
    """Built-in ones that nobody has fired for longer than `LATE_AFTER`, by job type, and for how long they are due."""
    late = Schedule.due_at < clock.now() - LATE_AFTER
    rows = session.scalars(select(Schedule).where(Schedule.built_in, late).order_by(Schedule.type))
    return {row.type: clock.now() - row.due_at for row in rows if row.due_at is not None}


def _add(session: Session, definition: Definition) -> None:
    now = clock.now()
    first = Timetable(definition).after(now + FIRST_AFTER)
    row = Schedule(
        id=id_of(definition), name=definition.name, type=definition.type, kind=definition.kind,
        definition=definition.to_json(), ver=1, rev=0, state="active", nominal_at=first, due_at=first, fired=0,
        missed=0, pause_reason="", problem="", built_in=True, created_at=now, changed_at=now, changed_by=SYSTEM.name,
    )  # fmt: skip
    version = ScheduleVersion(
        schedule_id=row.id, ver=1, definition=row.definition, at=now, by=SYSTEM.name, why="built in"
    )
    for made in (row, version, ScheduleSearch.of(row)):
        session.merge(made)
