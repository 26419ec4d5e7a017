"""Jobs that wait, or should have ended by their time limit, whose message is nowhere.

Celery takes a message from its queue and notes that it holds it in two steps; a worker or a broker that is killed in
between loses it. So does a broker that lost its data. The row still waits: its message is then published again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from console import clock
from console.broker.port import Broker
from console.jobs.models import JobStatus
from console.jobs.registry import job_types
from console.jobs.rules import State, moments_of, published_ms, retries_of, version
from console.jobs.tally import Tally
from console.tracking.events import Kind

WAITED = timedelta(seconds=30)
"""How long a job has waited before its message is looked for."""
LOOK_AT = 500
NOTE = "its message was lost; it is published again"


def find_missing(session: Session, broker: Broker, now: datetime) -> dict[str, int]:
    """The oldest jobs of our own types whose message neither waits nor is held: id → version of the row.

    A queue serves the oldest first, so a message is no longer in it when all that could be before it came later.
    One that a worker is just taking seems to be missing for a moment: ask twice. A running job is looked at when its
    time limit has passed: its process was killed when nobody could tell the broker so.
    """
    late = {kind.name: kind.limits.timeout_s for kind in job_types() if kind.acks_late}
    waiting = _oldest(session, State.PENDING, [kind.name for kind in job_types()], now - WAITED)
    running = _oldest(session, State.PROCESSING, list(late), now - WAITED)
    suspects = [row for row in waiting if published_ms(row.ver) < clock.to_ms(now - WAITED)]
    overdue = [row for row in running if row.started_at < now - WAITED - timedelta(seconds=late[row.type])]
    if not suspects and not overdue:
        return {}
    first, held = broker.first_and_held(sorted({row.queue for row in suspects}))
    served = {queue: _published_at(session, ids) for queue, ids in first.items()}
    passed_over = [
        row
        for row in suspects
        if (front := served[row.queue]) is None or published_ms(row.ver) < front
    ]
    return {row.id: row.ver for row in [*passed_over, *overdue] if row.id not in held}


def _oldest(session: Session, state: State, types: list[str], before: datetime) -> Sequence[Any]:
    """Of those that wait for no time, and were enqueued before an instant."""
    return session.execute(
        select(JobStatus.id, JobStatus.type, JobStatus.queue, JobStatus.ver, JobStatus.started_at)
        .where(
            JobStatus.state == state, JobStatus.enqueued_at < before, JobStatus.due_at.is_(None),
            JobStatus.type.in_(types),
        )
        .order_by(JobStatus.enqueued_at)
        .limit(LOOK_AT)
    ).all()  # fmt: skip


def publish_again(session: Session, missing: dict[str, int], now: datetime) -> int:
    """Makes these jobs due, as one more run of the same attempt, unless they changed; returns how many."""
    rows = session.scalars(
        select(JobStatus)
        .where(JobStatus.id.in_(missing), JobStatus.state.in_((State.PENDING, State.PROCESSING)))
        .options(undefer(JobStatus.timeline))
        .order_by(JobStatus.id)
        .with_for_update(skip_locked=True)
    ).all()
    same = [row for row in rows if row.ver == missing[row.id] and row.due_at is None]
    tally = Tally()
    for row in same:
        tally.moved((row.type, row.queue, row.state), (row.type, row.queue, State.PENDING))
        row.state = State.PENDING
        retries = retries_of(row.ver)
        moment = (clock.to_ms(now), "lost", row.run, retries, NOTE)
        row.run += 1
        row.ver = version(row.run, retries, Kind.PUBLISHED, clock.to_ms(now))
        row.timeline = json.dumps([*moments_of(row.timeline), moment], separators=(",", ":"))
        row.due_at = now
    session.flush()
    tally.write(session)
    return len(same)


def _published_at(session: Session, job_ids: list[str]) -> int | None:
    """When the first of these was published, in ms; None: there are none. One that is not known came before all."""
    if not job_ids:
        return None
    rows = session.execute(select(JobStatus.id, JobStatus.ver).where(JobStatus.id.in_(job_ids)))
    known = {row.id: row.ver for row in rows}
    return min(published_ms(known[job_id]) if job_id in known else 0 for job_id in job_ids)
