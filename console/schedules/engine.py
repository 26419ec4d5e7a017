"""What beat does with schedules: claims those that are due, makes their jobs and moves their cursors, all in one
transaction. Any number of beats may; a row that cannot be used is flagged and pushed on and stops no other one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from blinker import Signal
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from console import clock, db
from console.actor import SYSTEM
from console.audit.service import record
from console.errors import CeleriacError, Conflict, NotFound
from console.jobs import due, outbox
from console.jobs.models import JobStatus
from console.jobs.rules import ENDED
from console.jobs.service import cancel_job
from console.schedules import making, planning
from console.schedules.definition import Definition, Overlap
from console.schedules.making import Slot
from console.schedules.models import Schedule, ScheduleFire
from console.schedules.recurrence import TICK
from console.signals import schedule_missed, schedule_overdue

CLAIM_BATCH = 500
TRY_AGAIN = timedelta(minutes=5)
"""When a schedule that cannot fire is looked at again."""
LEASE = timedelta(days=1)
"""A job that is open for longer than this, and than its time to finish, holds nothing up: perhaps nobody records it."""
TOPIC = "schedules"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Claimed:
    """What one claim came to. `missed`: schedule and number of times; `broken`: schedules that could not fire."""

    rows: int = 0
    jobs: list[str] = field(default_factory=list)
    missed: list[tuple[str, int]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def fire_due(limit: int = CLAIM_BATCH) -> int:
    """Claims one batch and returns how many schedules that were; their jobs are published by then."""
    with db.writing() as session:
        claimed = claim_due(session, clock.now(), limit)
    for name, slots in claimed.missed:
        log.warning("schedule %s missed %d runs", name, slots)
        _announce(schedule_missed, name, slots=slots)
    return claimed.rows


def claim_due(session: Session, now: datetime, limit: int = CLAIM_BATCH) -> Claimed:
    """Locks what is due, up to `limit`, makes the jobs and moves on. The caller commits."""
    wanted = select(Schedule).where(Schedule.due_at.is_not(None), Schedule.due_at <= now).order_by(Schedule.due_at)
    return _fire(session, session.scalars(wanted.limit(limit).with_for_update(skip_locked=True)).all(), now)


def fire_passed(session: Session, rows: Sequence[Schedule], now: datetime) -> None:
    """Fires times that are over and that no beat has claimed yet, of locked schedules that are about to be changed.

    They are planned anew from now on: these times would be lost, without being told of as missed.
    """
    active = [row for row in rows if row.state == planning.ACTIVE]
    _fire(session, [row for row in active if row.nominal_at is not None and row.nominal_at <= now], now)


def _fire(session: Session, rows: Sequence[Schedule], now: datetime) -> Claimed:
    claimed = Claimed(len(rows))
    if not rows:
        return claimed
    open_jobs = _open(session, [row.open_job_id for row in rows if row.open_job_id])
    slots: list[Slot] = []
    for row in rows:
        try:
            slots += _claim(session, row, now, open_jobs, claimed)
        except Exception as error:  # noqa: BLE001  one row must never stop the others
            _flag(row, error, now, claimed)
    claimed.jobs = _make(session, slots, now, claimed)
    outbox.tell_after_commit(session, TOPIC)
    return claimed


def next_due(session: Session) -> datetime | None:
    """When the next schedule is due."""
    return session.scalar(select(func.min(Schedule.due_at)).where(Schedule.due_at.is_not(None)))


def start_waiting(limit: int = CLAIM_BATCH) -> int:
    """Starts what waited for a job to end; how many that were."""
    waits = (
        select(ScheduleFire, Schedule)
        .join(Schedule, Schedule.id == ScheduleFire.schedule_id)
        .join(JobStatus, JobStatus.id == Schedule.open_job_id, isouter=True)
        .where(ScheduleFire.state == "waiting", Schedule.state != planning.PAUSED)
        .where(or_(JobStatus.id.is_(None), JobStatus.state.in_(ENDED), JobStatus.enqueued_at < clock.now() - LEASE))
        .order_by(ScheduleFire.nominal_at)
        .limit(limit)
    )
    with db.reading() as session:
        if session.execute(waits.limit(1)).first() is None:
            return 0
    with db.writing() as session:
        found = session.execute(waits.with_for_update(of=[ScheduleFire, Schedule], skip_locked=True)).all()
        now = clock.now()
        slots = []
        for fire, row in found:
            definition = Definition.from_json(row.definition)
            slots.append(Slot(row, definition, fire.nominal_at, making.TIME, "waited for the one before"))
            session.delete(fire)
        session.flush()
        claimed = Claimed()
        made = _make(session, slots, now, claimed)
        for slot in slots:
            slot.row.fired += 1
        outbox.tell_after_commit(session, TOPIC)
    return len(made)


def watch(limit: int = CLAIM_BATCH) -> int:
    """Flags runs whose job had not ended by its time; how many that were.

    While what workers say is not recorded at once, nobody knows: then those are looked at later.
    """
    now = clock.now()
    query = (
        select(ScheduleFire, Schedule, JobStatus.state, JobStatus.finished_at)
        .join(Schedule, Schedule.id == ScheduleFire.schedule_id)
        .join(JobStatus, JobStatus.id == ScheduleFire.job_id, isouter=True)
        .where(ScheduleFire.finish_by.is_not(None), ScheduleFire.finish_by <= now)
        .limit(limit)
    )
    with db.reading() as session:
        if session.execute(query.limit(1)).first() is None or not due.is_current(session):
            return 0
    late = []
    with db.writing() as session:
        locked = query.with_for_update(of=[ScheduleFire, Schedule], skip_locked=True)
        rows: list[Any] = list(session.execute(locked))
        for fire, row, state, finished_at in rows:
            in_time = state is None or (state in ENDED and (finished_at or now) <= fire.finish_by)
            fire.finish_by, fire.overdue = None, not in_time
            if not in_time:
                row.overdue, row.trouble_at = row.overdue + 1, now
                late.append((row.name, fire.job_id))
        outbox.tell_after_commit(session, TOPIC)
    for name, job_id in late:
        log.warning("schedule %s: job %s has not ended by its time", name, job_id)
        _announce(schedule_overdue, name, job_id=job_id)
    return len(late)


def _announce(signal: Signal, name: str, **said: Any) -> None:
    """Whoever subscribed must not end the beat."""
    for receiver in signal.receivers_for(name):
        try:
            receiver(name, **said)
        except Exception:
            log.exception("a subscriber of %s failed", signal.name)  # type: ignore[attr-defined]


def _claim(
    session: Session, row: Schedule, now: datetime, open_jobs: dict[str, datetime], claimed: Claimed
) -> list[Slot]:
    """Decides on one schedule and moves its cursor; the jobs are made later, many at once."""
    definition = Definition.from_json(row.definition)
    timetable = planning.timetable_of(definition, row.id, planning.calendars(session, [definition]), now)
    row.problem = ""
    if row.state == planning.PAUSED:  # its pause is over; what fell into it was not to fire
        planning.set_cursor(row, timetable, now - TICK, definition.max_runs)
        row.pause_reason, row.paused_by, row.paused_at, row.paused_until = "", None, None, None
        record(session, SYSTEM, "schedules.resume", "schedule", row.id, name=row.name)
        return []
    # Brought forward (`builtin.again_at`) it fires at that time, and at its own one later.
    begins = min(row.nominal_at or now, row.due_at or now) if row.built_in else row.nominal_at or now
    claim = timetable.claim(begins, now, definition)
    left = None if definition.max_runs is None else max(0, definition.max_runs - row.fired)
    times = claim.fire if left is None else claim.fire[:left]
    slots = _overlapping(session, row, definition, times, now, open_jobs)
    if claim.missed is not None:
        reason = "no beat was there" if claim.missed.is_exact else "no beat was there; at least so many"
        making.note(session, row, claim.missed.first_at, "missed", now, reason, claim.missed)
        row.missed, row.trouble_at = row.missed + claim.missed.slots, now
        claimed.missed.append((row.name, claim.missed.slots))
    row.fired += len(slots)
    ended = claim.next_at is None or (definition.max_runs is not None and row.fired >= definition.max_runs)
    row.nominal_at = None if ended else claim.next_at
    row.due_at = timetable.due(row.nominal_at) if row.nominal_at else None
    row.state = planning.ACTIVE if row.nominal_at else planning.ENDED
    return slots


def _overlapping(
    session: Session, row: Schedule, definition: Definition, times: list[datetime], now: datetime,
    open_jobs: dict[str, datetime],
) -> list[Slot]:  # fmt: skip
    """Those times that fire now, as the overlap policy says; the others are noted."""
    all_slots = [Slot(row, definition, at) for at in times]
    if definition.overlap is Overlap.ALLOW or not times:
        return all_slots
    begun = open_jobs.get(row.open_job_id or "")
    lease = max(LEASE, timedelta(seconds=definition.finish_within_s or 0))
    is_open = begun is not None and now - begun < lease
    if definition.overlap is Overlap.CANCEL:
        if is_open and row.open_job_id:
            _cancel(session, row.open_job_id)
        rest, fire = times[:-1], all_slots[-1:]
    else:
        rest, fire = (times, []) if is_open else (times[1:], all_slots[:1])
    if definition.overlap is Overlap.QUEUE and rest and not _waits(session, row.id):
        making.note(session, row, rest[0], "waiting", now, "the one before runs")
        rest = rest[1:]
    for at in rest:
        making.note(session, row, at, "skipped", now, "the one before had not ended")
    return fire


def _waits(session: Session, schedule_id: str) -> bool:
    query = select(ScheduleFire.nominal_at).where(
        ScheduleFire.schedule_id == schedule_id, ScheduleFire.state == "waiting"
    )
    return session.execute(query.limit(1)).first() is not None


def _cancel(session: Session, job_id: str) -> None:
    try:
        cancel_job(session, SYSTEM, job_id)
    except (Conflict, NotFound) as error:
        log.info("job %s was not cancelled for its successor: %s", job_id, error.detail)


def _open(session: Session, job_ids: Sequence[str]) -> dict[str, datetime]:
    """Those of these jobs that have not ended, and when they were enqueued."""
    query = select(JobStatus.id, JobStatus.enqueued_at).where(JobStatus.id.in_(job_ids), JobStatus.state.not_in(ENDED))
    return {row.id: row.enqueued_at for row in session.execute(query)}


def _make(session: Session, slots: list[Slot], now: datetime, claimed: Claimed) -> list[str]:
    """All at once; when one of them cannot be, each by itself."""
    try:
        with session.begin_nested():
            return making.make(session, slots, now)
    except Exception:  # noqa: BLE001  as above
        made: list[str] = []
        for slot in slots:
            try:
                with session.begin_nested():
                    made += making.make(session, [slot], now)
            except Exception as error:  # noqa: BLE001
                making.note(session, slot.row, slot.nominal_at, "skipped", now, _said(error))
                slot.row.problem = _said(error)
                claimed.broken.append(slot.row.name)
        return made


def _flag(row: Schedule, error: Exception, now: datetime, claimed: Claimed) -> None:
    log.warning("schedule %s cannot fire: %s", row.name, _said(error))
    row.problem, row.due_at = _said(error), now + TRY_AGAIN
    claimed.broken.append(row.name)


def _said(error: Exception) -> str:
    said = error.detail if isinstance(error, CeleriacError) else f"{type(error).__name__}: {error}"
    return said[:500]
