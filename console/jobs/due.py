"""What is due: delayed jobs and planned retries whose time has come, and committed jobs that nobody published.

Any number of beats may claim at once. A claim puts the jobs in their queue by the database's word first, gives
itself `outbox.GRACE` to publish them, and leaves them due again if it dies: then another beat publishes, and the
broker sees to it that a message that did arrive is not doubled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import redis
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, undefer

from console import clock, db
from console import redis as valkey
from console.broker.port import Message
from console.broker.valkey import broker
from console.config import settings
from console.jobs import outbox, registry
from console.jobs.models import JobStatus, StreamCheckpoint, UnsentBatch
from console.jobs.new_jobs import message_of
from console.jobs.rules import State, moments_of, retries_of, version
from console.jobs.tally import Tally
from console.tracking.events import STREAM_PREFIX, Event, Kind
from console.workers.models import Worker

CLAIM_BATCH = 500
LOST_AFTER = timedelta(seconds=40)
"""How long a worker is silent before its jobs count as lost: eight heartbeats."""
RESTARTED_FOR = timedelta(seconds=10)
"""How long a new worker of the same name has to ship what the one before it left on its disk."""
MAX_LAG_MS = 5_000


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
    while _publish_unsent():
        pass
    with db.writing() as session:
        messages = claim_due(session, clock.now(), limit)
    if messages:
        outbox.publish(messages)
        outbox.announce([message.id for message in messages])
    return len(messages)


def _publish_unsent() -> bool:
    """Publishes a batch of new jobs whose process did not say that it had; false: there is none."""
    with db.writing() as session:
        unsent = select(UnsentBatch).where(UnsentBatch.due_at <= clock.now()).order_by(UnsentBatch.due_at).limit(1)
        batch = session.scalar(unsent.with_for_update(skip_locked=True))
        if batch is None:
            return False
        batch.due_at = clock.now() + outbox.GRACE
        still = select(JobStatus).where(JobStatus.id.in_(json.loads(batch.job_ids)), JobStatus.state == State.PENDING)
        rows = session.scalars(still.options(undefer(JobStatus.payload), undefer(JobStatus.message))).all()
        messages = [_message(row, retries_of(row.ver)) for row in rows]
    broker().publish(messages)
    outbox.announce([message.id for message in messages])
    with db.writing() as session:
        outbox.forget(session, [batch.id])
    return True


def next_due(session: Session) -> datetime | None:
    """When the next job is due; None: nothing waits for a time, and nothing for being published."""
    planned = session.scalar(select(func.min(JobStatus.due_at)).where(JobStatus.due_at.is_not(None)))
    unsent = session.scalar(select(func.min(UnsentBatch.due_at)))
    return min((at for at in (planned, unsent) if at), default=None)


def is_current(session: Session) -> bool:
    """Whether what workers say is recorded at once. While it is not, their silence means nothing."""
    stored = {row.stream: row.last_id for row in session.scalars(select(StreamCheckpoint))}
    for number in range(settings().streams):
        stream = f"{STREAM_PREFIX}{number}"
        try:
            latest = valkey.client().xinfo_stream(stream)["last-generated-id"].decode()
        except redis.ResponseError:  # nothing was ever written to it
            continue
        if _ms_of(latest) - _ms_of(stored.get(stream, "0-0")) > MAX_LAG_MS:
            return False
    return True


def lost_events(session: Session, now: datetime, limit: int = CLAIM_BATCH) -> Sequence[Event]:
    """Events for running jobs whose worker is gone: LOST when the message comes back by itself, else FAILED.

    Of our own job types it is known whether they acknowledge late; jobs of other applications count as failed, and
    run again if their message does come back. Those of observed ones are their observer's affair. An event bears the
    time of the last sign of life, so that an end which the worker still wrote down itself, and which is shipped later,
    stands.
    """
    rows = session.execute(
        select(
            JobStatus.id,
            JobStatus.type,
            JobStatus.run,
            JobStatus.ver,
            JobStatus.max_attempts,
            JobStatus.worker,
            JobStatus.started_at,
            Worker.seen_at,
            Worker.started_at.label("worker_started_at"),
        )
        .join(Worker, Worker.name == JobStatus.worker)
        .where(JobStatus.state == State.PROCESSING, JobStatus.source.is_(None), _worker_is_gone(now))
        .limit(limit)
    )
    return [_lost(row) for row in rows]


def _worker_is_gone(now: datetime) -> ColumnElement[bool]:
    """Silent or stopped since a while; or replaced by a new process of the same name since the job began."""
    silent = Worker.seen_at < now - LOST_AFTER
    replaced = JobStatus.started_at < Worker.started_at
    return or_(
        and_(or_(silent, Worker.stopped_at.is_not(None)), JobStatus.started_at < now - LOST_AFTER),
        and_(replaced, Worker.started_at < now - RESTARTED_FOR),
    )


def _lost(row: Any) -> Event:
    is_replaced = row.started_at < row.worker_started_at
    last_sign = row.started_at if is_replaced else max(row.seen_at, row.started_at)
    comes_back = _comes_back(row.type, row.max_attempts)
    heard = "its process ended without a word" if is_replaced else f"last heard of at {last_sign:%Y-%m-%d %H:%M:%S} UTC"
    return Event(
        Kind.LOST if comes_back else Kind.FAILED,
        row.id,
        clock.to_ms(last_sign),
        row.run,
        retries_of(row.ver),
        {
            "reason": "worker_lost",
            "worker": row.worker,
            "error_type": "WorkerLost",
            "error_message": f"The worker {row.worker} is gone: {heard}. {_AGAIN if comes_back else _NOT_AGAIN}",
            "note": f"worker {row.worker} is gone",
        },
    )


_AGAIN = "The job goes back to its queue."
_NOT_AGAIN = "The job had left its queue before it ran, so it does not run again by itself."


def _comes_back(job_type: str, max_attempts: int | None) -> bool:
    """Whether an unfinished job is still with the broker. Only jobs that we dispatched state their attempts."""
    kind = registry.known(job_type)
    return max_attempts is not None if kind is None else kind.acks_late


def _ms_of(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])


def _message(row: JobStatus, retries: int) -> Message:
    columns = {name: getattr(row, name) for name in ("id", "type", "queue", "payload", "message", "priority", "run")}
    return message_of(columns, retries)
