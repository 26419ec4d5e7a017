"""What is due: delayed jobs and planned retries whose time has come, and committed jobs that nobody published.

Any number of beats may claim at once. A claim puts the jobs in their queue by the database's word first, gives
itself `outbox.GRACE` to publish them, and leaves them due again if it dies: then another beat publishes, and the
broker sees to it that a message that did arrive is not doubled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from console import clock, db
from console.broker.port import Message
from console.jobs import outbox
from console.jobs.models import JobStatus
from console.jobs.rules import State, moments_of, retries_of, version
from console.jobs.service import message_of
from console.jobs.tally import Tally
from console.tracking.events import Event, Kind
from console.workers.models import Worker

CLAIM_BATCH = 500
LOST_AFTER = timedelta(seconds=60)


def claim_due(session: Session, now: datetime, limit: int = CLAIM_BATCH) -> list[Message]:
    """Claims up to `limit` jobs that are due and returns their messages, to be published after the commit."""
    rows = session.scalars(
        select(JobStatus)
        .where(JobStatus.due_at.is_not(None), JobStatus.due_at <= now)
        .options(undefer(JobStatus.payload), undefer(JobStatus.message), undefer(JobStatus.timeline))
        .order_by(JobStatus.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    tally, messages = Tally(), []
    now_ms = clock.to_ms(now)
    for row in rows:
        retries = retries_of(row.ver)
        if row.state in (State.SCHEDULED, State.RETRYING):
            retries += row.state == State.RETRYING
            tally.moved((row.type, row.queue, row.state), (row.type, row.queue, State.PENDING))
            row.state, row.ver = State.PENDING, version(row.run, retries, Kind.PUBLISHED, now_ms)
            row.timeline = json.dumps([*moments_of(row.timeline), (now_ms, "published", row.run, retries, "")])
        row.due_at = now + outbox.GRACE
        messages.append(_message(row, retries))
    session.flush()
    tally.write(session)
    return messages


def publish_due(limit: int = CLAIM_BATCH) -> int:
    """Claims and publishes one batch and returns how many that were. Raises `Unavailable` when the broker is away."""
    with db.writing() as session:
        messages = claim_due(session, clock.now(), limit)
    if messages:
        outbox.publish(messages)
        outbox.announce([message.id for message in messages])
    return len(messages)


def next_due(session: Session) -> datetime | None:
    """When the next job is due; None: nothing waits for a time."""
    return session.scalar(select(func.min(JobStatus.due_at)).where(JobStatus.due_at.is_not(None)))


def lost_events(session: Session, now: datetime, limit: int = CLAIM_BATCH) -> Sequence[Event]:
    """Events for running jobs whose worker is gone: its messages come back when it acknowledges late, else they failed.

    Our own job types acknowledge late (they state their attempts); of others it is not known, so they count as failed.
    """
    gone = select(Worker.name).where((Worker.seen_at < now - LOST_AFTER) | Worker.stopped_at.is_not(None))
    rows = session.execute(
        select(JobStatus.id, JobStatus.run, JobStatus.ver, JobStatus.max_attempts, JobStatus.worker)
        .where(JobStatus.state == State.PROCESSING, JobStatus.worker.in_(gone), JobStatus.started_at < now - LOST_AFTER)
        .limit(limit)
    )
    now_ms = clock.to_ms(now)
    return [
        Event(
            Kind.FAILED if row.max_attempts is None else Kind.LOST,
            row.id,
            now_ms,
            row.run,
            retries_of(row.ver),
            {
                "reason": "worker_lost",
                "worker": row.worker,
                "error_type": "WorkerLost",
                "error_message": f"Worker {row.worker} was not heard of for {LOST_AFTER.total_seconds():.0f} s.",
                "note": f"worker {row.worker} is gone",
            },
        )
        for row in rows
    ]


def _message(row: JobStatus, retries: int) -> Message:
    columns = {name: getattr(row, name) for name in ("id", "type", "queue", "payload", "message", "priority", "run")}
    return message_of(columns, retries)
