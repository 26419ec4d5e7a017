"""Reads of queues, workers and throughput for Overview, CLI and API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console import clock
from console.broker.port import Broker
from console.errors import Unavailable
from console.jobs.models import JobCount, JobRollup, JobStatus
from console.jobs.registry import INTERNAL_QUEUE, job_types
from console.jobs.rules import State
from console.workers.queries import list_workers

OUR_QUEUES = ("notifications", "emails", "default", "heavy")


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue now. `depth` is what waits in the broker, None when it does not answer.

    `oldest_wait_ms`: for how long the oldest PENDING job has waited; None: none waits. `consumers`: live workers on it.
    """

    name: str
    depth: int | None
    pending: int
    processing: int
    scheduled: int
    oldest_wait_ms: int | None
    consumers: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened from `at` on, for the length of the chart's grain. None counts: nothing was recorded then."""

    at: datetime
    enqueued: int
    completed: int
    failed: int
    retried: int
    cancelled: int
    mean_wait_ms: float | None
    mean_runtime_ms: float | None


def list_queues(session: Session, broker: Broker) -> list[QueueView]:
    """Every queue that is ours, holds jobs or has a worker, by name; Celeriac's own upkeep queue is left out."""
    counts: dict[str, dict[str, int]] = {}
    waiting = (State.PENDING, State.PROCESSING, State.SCHEDULED, State.RETRYING)
    rows = session.execute(
        select(JobCount.queue, JobCount.state, func.sum(JobCount.n))
        .where(JobCount.n > 0)
        .group_by(JobCount.queue, JobCount.state)
    )
    for queue, state, n in rows:
        counts.setdefault(queue, {})[state] = int(n) if state in waiting else 0
    workers = [worker for worker in list_workers(session) if worker.alive]
    served = {queue for worker in workers for queue in worker.queues}
    names = sorted(({*OUR_QUEUES, *counts, *served} | {kind.queue for kind in job_types()}) - {INTERNAL_QUEUE, ""})
    depths = _depths(broker, names)
    return [
        QueueView(
            name=name,
            depth=depths.get(name),
            pending=counts.get(name, {}).get(State.PENDING, 0),
            processing=counts.get(name, {}).get(State.PROCESSING, 0),
            scheduled=counts.get(name, {}).get(State.SCHEDULED, 0) + counts.get(name, {}).get(State.RETRYING, 0),
            oldest_wait_ms=_oldest_wait_ms(session, name) if counts.get(name, {}).get(State.PENDING) else None,
            consumers=sum(name in worker.queues for worker in workers),
        )
        for name in names
    ]


def throughput(session: Session, span: timedelta, grain: timedelta, queue: str = "") -> list[Bucket]:
    """Buckets of `grain` (whole minutes) over the last `span`, oldest first; the last one is unfinished."""
    grain_ms = int(grain.total_seconds() * 1000)
    now_ms = clock.now_ms()
    first_ms = (now_ms - int(span.total_seconds() * 1000)) // grain_ms * grain_ms + grain_ms
    sums = [
        func.sum(getattr(JobRollup, name))
        for name in ("enqueued", "completed", "failed", "retried", "cancelled", "wait_ms", "runtime_ms")
    ]
    query = (
        select(JobRollup.minute, *sums)
        .where(
            JobRollup.dimension == "queue",
            JobRollup.minute >= clock.from_ms(first_ms),
            JobRollup.name != INTERNAL_QUEUE,
        )
        .group_by(JobRollup.minute)
    )
    if queue:
        query = query.where(JobRollup.name == queue)
    found: dict[int, list[int]] = {}
    for minute, *values in session.execute(query):
        at_ms = clock.to_ms(minute) // grain_ms * grain_ms
        bucket = found.setdefault(at_ms, [0] * len(sums))
        for i, value in enumerate(values):
            bucket[i] += int(value)
    return [_bucket(at_ms, found.get(at_ms, [0] * len(sums))) for at_ms in range(first_ms, now_ms + 1, grain_ms)]


def failing_types(session: Session, span: timedelta, limit: int = 5) -> list[tuple[str, int, int]]:
    """Job types with failures in the span, worst first: (type, failed, ended)."""
    since = clock.now() - span
    failed, ended = func.sum(JobRollup.failed), func.sum(JobRollup.failed + JobRollup.completed)
    rows = session.execute(
        select(JobRollup.name, failed, ended)
        .where(JobRollup.dimension == "type", JobRollup.minute >= since)
        .group_by(JobRollup.name)
        .having(failed > 0)
        .order_by(failed.desc())
        .limit(limit)
    )
    return [(name, int(bad), int(all_)) for name, bad, all_ in rows]


def _depths(broker: Broker, names: Sequence[str]) -> dict[str, int]:
    try:
        return broker.depths(names)
    except Unavailable:
        return {}


def _oldest_wait_ms(session: Session, queue: str) -> int | None:
    oldest = session.scalar(
        select(JobStatus.enqueued_at)
        .where(JobStatus.queue == queue, JobStatus.state == State.PENDING)
        .order_by(JobStatus.enqueued_at, JobStatus.id)
        .limit(1)
    )
    return None if oldest is None else max(0, clock.now_ms() - clock.to_ms(oldest))


def _bucket(at_ms: int, values: list[int]) -> Bucket:
    enqueued, completed, failed, retried, cancelled, wait_ms, runtime_ms = values
    ended = completed + failed
    return Bucket(
        clock.from_ms(at_ms),
        enqueued,
        completed,
        failed,
        retried,
        cancelled,
        mean_wait_ms=wait_ms / ended if ended else None,
        mean_runtime_ms=runtime_ms / ended if ended else None,
    )
