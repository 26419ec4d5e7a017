"""What is wrong now, in words that say what to do. For `celeriac monitor`, Overview and whoever else wants to know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console import clock
from console.jobs.models import JobStatus
from console.queues.queries import QueueView
from console.queues.recording import Recording

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


def find_problems(session: Session, queues: Sequence[QueueView], recording: Recording | None) -> list[Problem]:
    """What is wrong with these queues and with the processes that move jobs, worst first; empty: all is well.

    `recording` is None when the broker does not say how it stands.
    """
    now = clock.now()
    found = []
    if recording is None or all(queue.depth is None for queue in queues):
        found.append(Problem("broker", "The broker does not answer. Is it running, is BROKER_URL right?"))
    else:
        found += _problems_of_recording(recording)
    overdue = session.scalar(select(func.min(JobStatus.due_at)).where(JobStatus.due_at < now - OVERDUE_AFTER))
    if overdue is not None:
        found.append(Problem("beat", f"A job has been due for {_said(now - overdue)}. Start `celeriac beat`."))
    found += [problem for queue in queues if (problem := _problem_of(queue))]
    return sorted(found, key=lambda problem: WORST_FIRST.index(problem.kind))


def _problem_of(queue: QueueView) -> Problem | None:
    waiting = max(queue.depth or 0, queue.pending)
    if waiting and not queue.consumers:
        if queue.observed:
            said = f"No worker of the observed application serves the queue {queue.name}, and {waiting:,} wait there."
            return Problem("workers", said)
        return Problem(
            "workers",
            f"No worker serves the queue {queue.name}, and it holds {waiting:,} waiting. "
            f"Start `celeriac work --queue={queue.name}`.",
        )
    if queue.oldest_wait_ms is not None and timedelta(milliseconds=queue.oldest_wait_ms) > STUCK_AFTER:
        waited = _said(timedelta(milliseconds=queue.oldest_wait_ms))
        return Problem("stuck", f"A job on the queue {queue.name} has waited for {waited}. It needs more workers.")
    return None


def _problems_of_recording(recording: Recording) -> Iterator[Problem]:
    lag = timedelta(milliseconds=recording.lag_ms)
    if lag > UNRECORDED_AFTER:
        text = f"Events have waited for {_said(lag)} to be recorded, so what is shown is older than that."
        yield Problem("recorder", f"{text} Start `celeriac recorder`.")
    elif recording.is_nearly_full:
        yield Problem(
            "recorder",
            f"An event stream holds {recording.fullest:.0%} of what it may: more comes than is recorded. "
            "Start `celeriac recorder`, or more of them.",
        )


def _said(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
