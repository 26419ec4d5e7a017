"""Celeriac's own schedules: there like any other, but nobody can delete them, or change more than their times."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from console import clock, db
from console.actor import SYSTEM
from console.jobs import outbox
from console.jobs.registry import INTERNAL_QUEUE
from console.schedules.definition import Definition, Kind
from console.schedules.models import Schedule, ScheduleSearch, ScheduleVersion
from console.schedules.recurrence import wrong
from console.schedules.rules import Timetable
from console.upkeep.service import AUDIT, FILES, RETENTION, ROLLUPS

FIRST_AFTER = timedelta(minutes=5)
"""A first start has better things to do."""
SHORTEST, LONGEST = timedelta(minutes=5), timedelta(days=7)
"""So long may lie between two runs: more often is load without use, more rarely and what should be gone heaps up."""
RUNS_LOOKED_AT = 30
_FREE = frozenset({
    "kind", "cron", "cron_days", "every", "unit", "anchor", "rrule", "timezone", "jitter_s", "blackouts",
    "finish_within_s", "tags", "owner", "note",
})  # fmt: skip
"""What people may say of one: when it runs, and words."""


def _each_hour(name: str, job_type: str, minute: int, note: str) -> Definition:
    return Definition(
        name=f"Celeriac: {name}",
        type=job_type,
        kind=Kind.CRON,
        cron=f"{minute} * * * *",
        queue=INTERNAL_QUEUE,
        owner="celeriac",
        note=note,
    )


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
    _each_hour("rollups", ROLLUPS, 10, "Takes days that are over into the totals that counters are read from."),
    _each_hour("audit log", AUDIT, 25, "Removes what people did and bulk actions that are kept no longer."),
    _each_hour("files", FILES, 40, "Removes uploads and results of jobs that are kept no longer."),
)


LATE_AFTER = timedelta(hours=2)


def id_of(definition: Definition) -> str:
    """The same in every database, so that two beats cannot make it twice."""
    return f"builtin:{definition.type}"[:36]


def check(definition: Definition, timetable: Timetable, now: datetime) -> None:
    """Raises `InvalidInput` when a built-in one would not do what it is for any more."""
    [own] = [one for one in BUILT_IN if one.type == definition.type]
    for name in Definition.model_fields.keys() - _FREE:
        if getattr(definition, name) != getattr(own, name):
            raise wrong(name, "Of a built-in schedule only its times and words can be changed, and it can be paused.")
    times = [now, *(run.nominal_at for run in timetable.runs(now, RUNS_LOOKED_AT))]
    gaps = [later - one for one, later in pairwise(times)]
    if len(gaps) < RUNS_LOOKED_AT or max(gaps) > LONGEST or min(gaps[1:]) < SHORTEST:
        raise wrong(definition.kind, "A built-in one runs for ever, from every 5 minutes to every 7 days.")


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
    """Built-in ones that nobody has fired for longer than `LATE_AFTER`: job type → for how long, longest first."""
    late = Schedule.due_at < clock.now() - LATE_AFTER
    rows = session.scalars(select(Schedule).where(Schedule.built_in, late).order_by(Schedule.due_at, Schedule.id))
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
