"""Reads of queues, workers and throughput for Overview, CLI and API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, case, func, literal_column, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from console import clock
from console.broker.port import Broker
from console.errors import Unavailable
from console.jobs.models import JobCount, JobRollup, JobStatus
from console.jobs.observed import MINUTE_MS
from console.jobs.registry import INTERNAL_QUEUE, job_types
from console.jobs.rules import State
from console.jobs.tally import coarsest_grain
from console.observe import status as observed
from console.workers.models import ObservedMinute
from console.workers.queries import list_workers

MEASURES = ("enqueued", "completed", "failed", "retried", "cancelled", "wait_ms", "runtime_ms")
OUR_QUEUES = ("notifications", "emails", "default", "heavy")


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue now. `depth` is what waits in the brokers, ours and observed ones; None when ours does not answer.

    `oldest_wait_ms`: for how long the oldest PENDING job has waited; None: none waits. `consumers`: live workers on it.
    """

    name: str
    depth: int | None
    pending: int
    processing: int
    scheduled: int
    oldest_wait_ms: int | None
    consumers: int
    observed: bool = False
    """It is one of an application that is only observed."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened from `at` on, for the length of the chart's grain. None counts: nothing was recorded then."""

    at: datetime
    enqueued: int | None
    completed: int | None
    failed: int | None
    retried: int | None
    cancelled: int | None
    mean_wait_ms: float | None
    mean_runtime_ms: float | None


def list_queues(session: Session, broker: Broker) -> list[QueueView]:
    """Every queue that is ours, holds jobs or has a worker, by name; Celeriac's own upkeep queue is left out."""
    counts: dict[str, dict[str, int]] = {}
    waiting = (State.PENDING, State.PROCESSING, State.SCHEDULED, State.RETRYING)
    rows = session.execute(
        select(JobCount.queue, JobCount.state, func.sum(JobCount.n))
        .group_by(JobCount.queue, JobCount.state)
        .having(func.sum(JobCount.n) > 0)
    )
    for queue, state, n in rows:
        counts.setdefault(queue, {})[state] = int(n) if state in waiting else 0
    workers = [worker for worker in list_workers(session) if worker.alive]
    served = {queue for worker in workers for queue in worker.queues}
    foreign = observed.depths()
    ours = {*OUR_QUEUES, *(kind.queue for kind in job_types())}
    names = sorted({*ours, *counts, *served, *foreign} - {INTERNAL_QUEUE, ""})
    depths = _depths(broker, names)
    return [
        QueueView(
            name=name,
            depth=depths[name] + foreign.get(name, 0) if name in depths else None,
            pending=counts.get(name, {}).get(State.PENDING, 0),
            processing=counts.get(name, {}).get(State.PROCESSING, 0),
            scheduled=counts.get(name, {}).get(State.SCHEDULED, 0) + counts.get(name, {}).get(State.RETRYING, 0),
            oldest_wait_ms=_oldest_wait_ms(session, name) if counts.get(name, {}).get(State.PENDING) else None,
            consumers=sum(name in worker.queues for worker in workers),
            observed=name in foreign and name not in ours,
        )
        for name in names
    ]


def throughput(session: Session, span: timedelta, grain: timedelta, queue: str = "") -> list[Bucket]:
    """Buckets of `grain` (whole minutes) over the last `span`, oldest first; the last one is unfinished.

    A bucket with neither a minute that a recorder watched nor an event has None for every count.
    """
    grain_ms = int(grain.total_seconds() * 1000)
    now_ms = clock.now_ms()
    first_ms = (now_ms - int(span.total_seconds() * 1000)) // grain_ms * grain_ms + grain_ms
    place = _place(JobRollup.at, grain_ms)
    query = (
        select(place, *(func.sum(_of_queue(getattr(JobRollup, name), queue)) for name in MEASURES))
        .where(
            JobRollup.grain == coarsest_grain(grain_ms),
            JobRollup.dimension == "queue",
            JobRollup.at >= clock.from_ms(first_ms),
            JobRollup.name != INTERNAL_QUEUE,
        )
        .group_by(place)
    )
    found = {int(row[0]) * grain_ms: [int(value) for value in row[1:]] for row in session.execute(query)}
    nothing = dict.fromkeys(_watched(session, first_ms, grain_ms, now_ms), [0] * len(MEASURES))
    known = nothing | found
    return [_bucket(at_ms, known.get(at_ms)) for at_ms in range(first_ms, now_ms + 1, grain_ms)]


def failing_types(session: Session, span: timedelta, limit: int = 5) -> list[tuple[str, int, int]]:
    """Job types with failures in the span, worst first: (type, failed, ended); to the hour from two days on."""
    grain = "hour" if span > timedelta(days=2) else "minute"
    since = clock.now() - span
    failed, ended = func.sum(JobRollup.failed), func.sum(JobRollup.failed + JobRollup.completed)
    rows = session.execute(
        select(JobRollup.name, failed, ended)
        .where(JobRollup.grain == grain, JobRollup.dimension == "type", JobRollup.at >= since)
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


def _place(instant: InstrumentedAttribute[datetime], grain_ms: int) -> ColumnElement[int]:
    """Which bucket an instant falls in, counted from 1970; written out, since PostgreSQL groups by no parameter."""
    return (type_coerce(instant, BigInteger) // literal_column(str(grain_ms), BigInteger)).label("place")


def _of_queue(measure: InstrumentedAttribute[int], queue: str) -> ColumnElement[int]:
    """A measure where it is that of the queue; the other queues still tell that somebody recorded."""
    return case((JobRollup.name == queue, measure), else_=0) if queue else measure.expression


def _watched(session: Session, first_ms: int, grain_ms: int, now_ms: int) -> set[int]:
    """Beginnings of the buckets in which a recorder was at work.

    The minute that has just begun counts as the one before it, until its recorder has had the time to say so.
    """
    place = _place(ObservedMinute.minute_at, grain_ms)
    places = session.scalars(select(place).where(ObservedMinute.minute_at >= clock.from_ms(first_ms)).group_by(place))
    watched = {place * grain_ms for place in places}
    latest = session.scalar(select(func.max(ObservedMinute.minute_at)))
    if latest is not None and clock.to_ms(latest) >= now_ms // MINUTE_MS * MINUTE_MS - MINUTE_MS:
        watched.add(now_ms // grain_ms * grain_ms)
    return watched


def _bucket(at_ms: int, values: list[int] | None) -> Bucket:
    if values is None:
        return Bucket(clock.from_ms(at_ms), None, None, None, None, None, mean_wait_ms=None, mean_runtime_ms=None)
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
