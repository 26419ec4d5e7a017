"""What is wrong now, in words that say what to do. For `celeriac monitor`, Overview and whoever else wants to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import redis
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console import clock
from console import redis as valkey
from console.config import settings
from console.jobs.models import JobStatus
from console.queues.queries import QueueView
from console.tracking.events import STREAM_PREFIX

OVERDUE_AFTER = timedelta(seconds=60)
"""Beat publishes what is due within a second or two; after this long it is not there."""
UNRECORDED_AFTER = timedelta(seconds=60)
"""The recorder stores an event within a second and then trims it off the stream."""
STUCK_AFTER = timedelta(hours=1)
WORST_FIRST = ("broker", "recorder", "beat", "workers", "stuck")


@dataclass(frozen=True, slots=True)
class Problem:
    """`kind` is one of broker, workers, stuck, beat, recorder; `text` says what is wrong and what to do."""

    kind: str
    text: str


def find_problems(session: Session, queues: Sequence[QueueView]) -> list[Problem]:
    """What is wrong with these queues and with the processes that move jobs, worst first; empty: all is well."""
    now = clock.now()
    found = []
    if all(queue.depth is None for queue in queues):
        found.append(Problem("broker", "The broker does not answer. Is it running, is BROKER_URL right?"))
    elif (oldest := _oldest_event()) is not None and oldest < now - UNRECORDED_AFTER:
        waited = _said(now - oldest)
        found.append(Problem("recorder", f"Events have waited for {waited} to be recorded. Start `celeriac recorder`."))
    overdue = session.scalar(select(func.min(JobStatus.due_at)).where(JobStatus.due_at < now - OVERDUE_AFTER))
    if overdue is not None:
        found.append(Problem("beat", f"A job has been due for {_said(now - overdue)}. Start `celeriac beat`."))
    found += [problem for queue in queues if (problem := _problem_of(queue))]
    return sorted(found, key=lambda problem: WORST_FIRST.index(problem.kind))


def _problem_of(queue: QueueView) -> Problem | None:
    waiting = max(queue.depth or 0, queue.pending)
    if waiting and not queue.consumers:
        return Problem(
            "workers",
            f"No worker serves the queue {queue.name}, and it holds {waiting:,} waiting. "
            f"Start `celeriac work --queue={queue.name}`.",
        )
    if queue.oldest_wait_ms is not None and timedelta(milliseconds=queue.oldest_wait_ms) > STUCK_AFTER:
        waited = _said(timedelta(milliseconds=queue.oldest_wait_ms))
        return Problem("stuck", f"A job on the queue {queue.name} has waited for {waited}. It needs more workers.")
    return None


def _oldest_event() -> datetime | None:
    """When the oldest event that nobody has stored was written; ids in a stream begin with the milliseconds."""
    try:
        heads = [valkey.client().xrange(f"{STREAM_PREFIX}{number}", count=1) for number in range(settings().streams)]
    except redis.RedisError:
        return None
    oldest = [entry for entries in heads for entry, _ in cast("list[tuple[bytes, Any]]", entries)]
    return min((clock.from_ms(int(entry.partition(b"-")[0])) for entry in oldest), default=None)


def _said(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
