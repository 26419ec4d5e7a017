"""Which jobs are kept no longer, and how they go: the oldest first, few at a time, counts in the same transaction.

Only jobs that have ended go. How long one is kept is counted from its end, so that a job which was planned a month
ahead does not vanish as soon as it has run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isinf

from sqlalchemy import ARRAY, ColumnElement, String, any_, delete, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from console import clock
from console.config import KEPT_STATES, settings
from console.jobs import registry
from console.jobs.models import JobAttempt, JobCount, JobLog, JobStatus
from console.jobs.rules import State
from console.jobs.tally import Tally

BATCH = 1_000
STUCK_AFTER = timedelta(days=30)
"""A job that waits to be run for so long will most likely never be heard of again; `celeriac doctor` counts them."""
_KEPT_AS = {State(name): name for name in KEPT_STATES} | {State.RETRYABLE: "FAILED"}

Days = Mapping[str, float]
"""How many days, by one of `KEPT_STATES`; infinite: for ever."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Jobs in one state that ended before a time: those of one type, or of all when no type has days of its own."""

    state: State
    before: datetime
    type: str | None = None


def slices(now: datetime, days: Days, own: Mapping[str, Days], types: Mapping[State, Sequence[str]]) -> list[Slice]:
    """What is kept no longer. `own`: days of single types; `types`: which there are in each state.

    As soon as one type has days of its own in a state, each type is a slice of its own: a slice is read along an
    index from its old end, and what is kept for longer must not lie in between.
    """
    found = []
    for state, kept_as in _KEPT_AS.items():
        special = {job_type: said[kept_as] for job_type, said in own.items() if kept_as in said}
        for job_type in types.get(state, ()) if special else (None,):
            kept = special.get(job_type or "", days[kept_as])
            if not isinf(kept):
                found.append(Slice(state, now - timedelta(days=kept), job_type))
    return found


def own_days() -> dict[str, Days]:
    """The days of job types that have some of their own; a setting comes before what the code says."""
    own: dict[str, Days] = {kind.name: kind.keep_days for kind in registry.job_types() if kind.keep_days}
    for job_type, days in settings().kept_days_of_types.items():
        own[job_type] = {**own.get(job_type, {}), **days}
    return own


def slices_in_force(session: Session, now: datetime) -> list[Slice]:
    """`slices` by the settings and the job types' own days."""
    own = own_days()
    types: dict[State, list[str]] = {}
    if own:
        rows = session.execute(
            select(JobCount.state, JobCount.type)
            .where(JobCount.state.in_(list(_KEPT_AS)))
            .group_by(JobCount.state, JobCount.type)
            .having(func.sum(JobCount.n) > 0)
            .order_by(JobCount.type)
        )
        for state, job_type in rows:
            types.setdefault(State(state), []).append(job_type)
    return slices(now, settings().kept_days, own, types)


def count_old(session: Session, of: Slice) -> dict[str, int]:
    """How many jobs of a slice there are, by type."""
    rows = session.execute(select(JobStatus.type, func.count()).where(*_conditions(of)).group_by(JobStatus.type))
    return {job_type: int(n) for job_type, n in rows}


def list_old(session: Session, of: Slice, since: datetime, limit: int = BATCH) -> tuple[list[str], datetime]:
    """The oldest ids of a slice, and how far that came: give it as `since` the next time. Locks nothing."""
    rows = session.execute(
        select(JobStatus.id, JobStatus.enqueued_at)
        .where(*_conditions(of), JobStatus.enqueued_at >= since)
        .order_by(JobStatus.enqueued_at)
        .limit(limit)
    ).all()
    return [row.id for row in rows], rows[-1].enqueued_at if rows else since


def delete_jobs(session: Session, of: Slice, job_ids: Sequence[str]) -> dict[str, str]:
    """Deletes these jobs, with all that hangs on them, where they still are in that state; returns the types by id.

    Rows that somebody else has locked are let be; the audit log keeps what was done to them.
    """
    still = select(JobStatus.id).where(among(session, JobStatus.id, job_ids), JobStatus.state == of.state)
    connection = session.connection()
    rows = connection.execute(
        delete(JobStatus)
        .where(JobStatus.id.in_(still.with_for_update(skip_locked=True)))
        .returning(JobStatus.id, JobStatus.type, JobStatus.queue)
    ).all()
    gone = {row.id: row.type for row in rows}
    if not gone:
        return gone
    tally = Tally()
    for row in rows:
        tally.moved((row.type, row.queue, of.state), None)
    for column in (JobAttempt.job_id, JobLog.job_id):
        connection.execute(delete(column.class_).where(among(session, column, list(gone))))
    tally.write(session)
    return gone


def count_stuck(session: Session, limit: int = 10_000) -> int:
    """How many jobs have waited for their worker for over `STUCK_AFTER`, up to `limit`. They are never deleted."""
    stuck = select(JobStatus.id).where(
        JobStatus.state == State.PENDING, JobStatus.enqueued_at < clock.now() - STUCK_AFTER
    )
    return session.scalar(select(func.count()).select_from(stuck.limit(limit).subquery())) or 0


def _conditions(of: Slice) -> list[ColumnElement[bool]]:
    """No job ends before it begins, so that the second one, along the index, leaves nothing out."""
    found = [
        JobStatus.state == of.state,
        JobStatus.enqueued_at < of.before,
        func.coalesce(JobStatus.finished_at, JobStatus.enqueued_at) < of.before,
    ]
    if of.type is not None:
        found.append(JobStatus.type == of.type)
    return found


def among(
    session: Session, column: InstrumentedAttribute[str] | ColumnElement[str], ids: Sequence[str]
) -> ColumnElement[bool]:
    """`column.in_(ids)` with one parameter instead of a thousand, which take longer to read than to find."""
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(literal(list(ids), ARRAY(String)))
    return column.in_(select(func.json_each(json.dumps(list(ids))).table_valued("value").c.value))
