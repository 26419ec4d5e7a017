"""What the heartbeats of an observed worker say about the events that should have come. Pure: time is brought in.

A heartbeat tells how many jobs its worker has begun so far (`processed`) and how many run (`active`). Both are
compared with the starts and ends that were seen, by the worker's own clock: an event belongs to a heartbeat when its
timestamp is not after it. Events are sent in small groups and heartbeats at once, so a heartbeat is compared when
the next one has come. What is missing must be missing twice in a row; then it will not come any more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

REASONS = {
    "connection": "the connection to its broker was lost",
    "observer_down": "nobody observed it",
    "counted": "its workers did more than they told of",
    "no_events": "a worker sends no events of jobs; start it with `-E`",
    "unreadable": "events came in a form that cannot be read",
    "disk": "the observer's disk was full",
}
"""Why events of a source were missed, in words for people."""

LEAST_SILENCE_S, MOST_SILENCE_S = 10.0, 60.0
MERGE_WITHIN_MS = 10_000
"""Gaps of one source that are no farther apart than this are one."""


def silent_after_s(freq_s: float) -> float:
    """How long a worker that promises a heartbeat every `freq_s` may be silent before it counts as dead."""
    return min(max(3 * freq_s, LEAST_SILENCE_S), MOST_SILENCE_S)


@dataclass(slots=True)
class Gap:
    """Times in ms since 1970; see `models.ObservedGap`."""

    source: str
    from_ms: int
    to_ms: int
    reason: str
    worker: str = ""
    missed: int | None = None
    id: str = ""

    def takes(self, other: Gap) -> bool:
        """Whether the other one is part of this one: the same source at about the same time, and a worker in common."""
        near = other.from_ms <= self.to_ms + MERGE_WITHIN_MS and other.to_ms >= self.from_ms - MERGE_WITHIN_MS
        same = not self.worker or other.worker == self.worker
        told = "no_events" not in (self.reason, other.reason) or self.reason == other.reason
        return near and same and told and self.source == other.source

    def take(self, other: Gap) -> None:
        """Makes the other one part of this one."""
        self.from_ms, self.to_ms = min(self.from_ms, other.from_ms), max(self.to_ms, other.to_ms)
        if other.missed is not None:
            self.missed = (self.missed or 0) + other.missed


@dataclass(slots=True)
class Pulse:
    """One life of a worker: what its latest heartbeat said, what was seen of it. `at` is by its own clock, in s."""

    pid: int
    base_at: float
    base_begun: int
    base_done: int
    at: float
    begun: int
    done: int
    active: int
    freq: float
    heard_ms: int
    since_ms: int
    starts: int = 0
    ends: int = 0
    later_starts: int = 0
    later_ends: int = 0
    missing_before: int = 0
    reported: int = 0
    settled_at: float = 0.0
    stopped: bool = False

    @classmethod
    def first(cls, beat: dict[str, Any], now_ms: int) -> Pulse:
        """From the first heartbeat of a worker's life; what it did before is not asked for."""
        at, begun, active = float(beat["timestamp"]), int(beat.get("processed") or 0), int(beat.get("active") or 0)
        freq, pid = float(beat.get("freq") or 2.0), int(beat.get("pid") or 0)
        done = begun - active
        return cls(pid, at, begun, done, at, begun, done, active, freq, now_ms, now_ms, settled_at=at)

    def started(self, at: float) -> None:
        """A start was seen."""
        if at > self.at:
            self.later_starts += 1
        elif at > self.base_at:
            self.starts += 1

    def ended(self, at: float) -> None:
        """An end was seen, of a job that had not ended before."""
        if at > self.at:
            self.later_ends += 1
        elif at > self.base_at:
            self.ends += 1

    def beat(self, beat: dict[str, Any], now_ms: int) -> tuple[float, float, int] | None:
        """Takes the next heartbeat. Returns (from, to, jobs) when those before it now prove that jobs were missed."""
        missing = max(self.begun - self.base_begun - self.starts, self.done - self.base_done - self.ends)
        sure = min(missing, self.missing_before) - self.reported
        found = None
        if sure > 0:
            self.reported += sure
            found = (self.settled_at, self.at, sure)
        elif missing <= self.reported:
            self.settled_at = self.at
        self.missing_before = missing
        self.at, self.heard_ms = float(beat["timestamp"]), now_ms
        self.begun, self.active = int(beat.get("processed") or 0), int(beat.get("active") or 0)
        self.done, self.freq = self.begun - self.active, float(beat.get("freq") or 2.0)
        self.starts += self.later_starts
        self.ends += self.later_ends
        self.later_starts = self.later_ends = 0
        if found:
            self.settled_at = found[1]
        return found

    def tells_of_jobs(self) -> bool:
        """Whether any event of a job was ever seen of it."""
        return bool(self.starts or self.ends or self.later_starts or self.later_ends)

    def is_silent(self, now_ms: int) -> bool:
        """Whether a heartbeat is overdue by more than a worker that lives lets happen."""
        return now_ms - self.heard_ms > silent_after_s(self.freq) * 1000

    def as_dict(self) -> dict[str, Any]:
        """To be kept over a restart of the observer."""
        return asdict(self)
