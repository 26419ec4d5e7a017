"""Jobs that were sent and not heard of again, since all that followed fell into a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console import clock
from console.broker.observed import Depths
from console.jobs.models import JobStatus
from console.jobs.rules import State, at_ms_of, retries_of, run_of
from console.observe.memory import Memory
from console.observe.models import ObservedGap
from console.tracking.events import Event, Kind

AFTER_A_GAP = timedelta(seconds=60)
CERTAIN_AFTER_S = 15.0
"""For so long nothing may speak against it, so that what is on its way to the store has arrived."""
BATCH = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that is stored as one that waits. `at_ms`: the last sign of it."""

    id: str
    queue: str
    run: int
    retries: int
    at_ms: int


def waiting_since_a_gap(session: Session, source: str) -> list[Waiting]:
    """Jobs of the source that waited when its latest gap ended, a minute ago or longer; the oldest ones first."""
    ended = select(func.max(ObservedGap.to_at)).where(
        ObservedGap.source == source, ObservedGap.to_at <= clock.now() - AFTER_A_GAP
    )
    until = session.scalar(ended)
    if until is None:
        return []
    rows = session.execute(
        select(JobStatus.id, JobStatus.queue, JobStatus.ver)
        .where(
            JobStatus.source == source,
            JobStatus.state.in_((State.PENDING, State.RETRYING)),
            JobStatus.enqueued_at <= until,
        )
        .order_by(JobStatus.enqueued_at)
        .limit(BATCH)
    )
    return [Waiting(row.id, row.queue, run_of(row.ver), retries_of(row.ver), at_ms_of(row.ver)) for row in rows]


class Unheard:
    """Of one source. Not for several threads."""

    def __init__(self, source: str, memory: Memory) -> None:
        self._source, self._memory = source, memory
        self._since: dict[str, float] = {}

    def ends(
        self, waiting: Sequence[Waiting], depths: Depths, held: frozenset[str] | None, now_s: float
    ) -> list[Event]:
        """Ends for those that are in no queue and at no worker.

        `held`: ids that workers hold; None: not all of them said so. Then the broker has to say that they hold none.
        `now_s`: by a clock that only goes forward.
        """
        if depths.unacked or (depths.unacked is None and held is None):
            self._since.clear()
            return []
        gone = [job for job in waiting if _is_empty(job.queue, depths) and job.id not in (held or ())]
        self._since = {job.id: self._since.get(job.id, now_s) for job in gone}
        sure = [job for job in gone if now_s - self._since[job.id] >= CERTAIN_AFTER_S]
        return [event for job in sure if (event := self._end(job))]

    def _end(self, job: Waiting) -> Event | None:
        """Its time is the last sign of the job, so that a real end, if one is told, wins."""
        known = self._memory.find(job.id)
        if any(attempt.running for attempt in known.open) or (known.run, known.retries) > (job.run, job.retries):
            return None
        for attempt in list(known.open):
            self._memory.close(job.id, known, attempt, job.at_ms / 1000)
        data = {"reason": "end_unseen", "source": self._source, "note": "its end was not seen"}
        return Event(Kind.CANCELLED, job.id, job.at_ms, job.run, job.retries, data)


def _is_empty(queue: str, depths: Depths) -> bool:
    """Of a job whose queue is not known, every queue has to be empty."""
    return not any(depths.queues.values()) if not queue else depths.queues.get(queue) == 0
