"""What an observer remembers of jobs that have not ended: most of Celery's events name a job by its id alone.

A retry is published, and may be received and begun, before the worker tells that the attempt before it has ended. So
a job can have several open attempts, and an event is given to the one that it fits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_LIVE = 500_000
MAX_ENDED = 50_000


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt that was received and has not ended. `at`: its latest event, by the worker's clock, in seconds."""

    retries: int
    run: int
    worker: str
    at: float
    running: bool = False


@dataclass(slots=True)
class Known:
    """A job as far as it was seen: its latest attempt, those that are open, and when one ended last.

    `recalled`: the store told of it, and no event since. It may have been stored from an event that is read again.
    """

    retries: int = 0
    run: int = 0
    ended_at: float = 0.0
    open: list[Attempt] = field(default_factory=list)
    recalled: bool = False

    def began(self, worker: str) -> Attempt | None:
        """The attempt that this worker begins."""
        waiting = [attempt for attempt in self.open if not attempt.running]
        return next((attempt for attempt in waiting if attempt.worker == worker), waiting[0] if waiting else None)

    def ended(self, worker: str, *, by_retry: bool) -> Attempt | None:
        """The attempt that ends on this worker. Only the latest can end otherwise than by a retry."""
        fits = [attempt for attempt in self.open if attempt.worker == worker] or self.open
        fits = [attempt for attempt in fits if attempt.running] or fits
        choose = min if by_retry else max
        return choose(fits, key=lambda attempt: (attempt.run, attempt.retries), default=None)


Recall = Callable[[str], Known | None]


class Memory:
    """Jobs by id: those with open attempts, and the latest of the others. What is unknown is asked of the store."""

    def __init__(self, recall: Recall) -> None:
        self._live: dict[str, Known] = {}
        self._ended: OrderedDict[str, Known] = OrderedDict()
        self._held: dict[str, dict[Attempt, str]] = {}
        self._recall = recall

    def find(self, job_id: str, *, is_new: bool = False) -> Known:
        """What is known of the job. `is_new`: its first event may have come; then the store is not asked."""
        known = self._live.get(job_id) or self._ended.get(job_id)
        if known is None:
            known = (None if is_new else self._recall(job_id)) or Known()
            for attempt in known.open:
                self._hold(job_id, attempt)
            self._keep(job_id, known)
        return known

    def open(self, job_id: str, known: Known, attempt: Attempt) -> None:
        """Another attempt of the job."""
        known.open.append(attempt)
        known.run, known.retries = max((known.run, known.retries), (attempt.run, attempt.retries))
        self._hold(job_id, attempt)
        self._keep(job_id, known)

    def move(self, job_id: str, attempt: Attempt, worker: str, at: float) -> None:
        """The attempt is at this worker now."""
        self._held.get(attempt.worker, {}).pop(attempt, None)
        attempt.worker, attempt.at = worker, at
        self._hold(job_id, attempt)

    def close(self, job_id: str, known: Known, attempt: Attempt | None, at: float) -> None:
        """The attempt ended; none: one that was not seen to begin."""
        if attempt is not None:
            known.open.remove(attempt)
            self._held.get(attempt.worker, {}).pop(attempt, None)
        known.ended_at, known.recalled = max(known.ended_at, at), False
        self._keep(job_id, known)

    def held_by(self, worker: str) -> list[tuple[str, Attempt]]:
        """Jobs that this worker has received, and that have not ended there."""
        return [(job_id, attempt) for attempt, job_id in self._held.get(worker, {}).items()]

    def __len__(self) -> int:
        return len(self._live)

    def _keep(self, job_id: str, known: Known) -> None:
        """The oldest are forgotten when there are too many."""
        if known.open:
            self._ended.pop(job_id, None)
            self._live[job_id] = known
            if len(self._live) > MAX_LIVE:
                for attempt in self._live.pop(next(iter(self._live))).open:
                    self._held.get(attempt.worker, {}).pop(attempt, None)
            return
        self._live.pop(job_id, None)
        self._ended[job_id] = known
        if len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)

    def _hold(self, job_id: str, attempt: Attempt) -> None:
        self._held.setdefault(attempt.worker, {})[attempt] = job_id
