"""What a job's state is, decided from its events. Pure: the recorder and the services bring the rows.

Storing events must give the same row whatever their order, however often they come and wherever a batch ends.
So each group of columns follows the event with the highest version, and the version orders events by what
they mean, not by when they arrive: delivery, attempt, rank of the kind, then time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from console.tracking.events import Event, Kind


class State(StrEnum):
    """The states a person sees."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    RETRYING = "RETRYING"
    RETRYABLE = "RETRYABLE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


ENDED = frozenset({State.COMPLETED, State.RETRYABLE, State.FAILED, State.CANCELLED})
FAILURES = frozenset({State.FAILED, State.RETRYABLE})
WAITING = frozenset({State.SCHEDULED, State.PENDING, State.RETRYING})

REASONS = {
    "exception": "The job raised an error.",
    "soft_timeout": "It ran longer than its time limit and was told to stop.",
    "timeout": "It ran longer than its time limit and was ended.",
    "memory": "It used more memory than it may.",
    "worker_lost": "The process that ran it ended without a word: killed, crashed or out of memory.",
    "unknown_type": "No worker knows this job type.",
    "undecodable": "The message could not be read.",
    "invalid_payload": "The payload does not fit the job type.",
    "expired": "It was not started before it expired.",
    "cancelled": "Somebody cancelled it.",
    "stopped": "It was stopped while it ran.",
    "ignored": "The job decided to leave no result.",
    "rejected": "The job rejected its message.",
}
"""Why a job failed or was cancelled, in words for people."""

_RANKS = {
    Kind.SCHEDULED: 0,
    Kind.PUBLISHED: 1,
    Kind.RECEIVED: 2,
    Kind.STARTED: 3,
    Kind.RETRY: 4,
    Kind.LOST: 4,
    Kind.SUCCEEDED: 5,
    Kind.FAILED: 5,
    Kind.CANCELLED: 5,
}
_STATES = {
    Kind.SCHEDULED: State.SCHEDULED,
    Kind.PUBLISHED: State.PENDING,
    Kind.RECEIVED: State.PENDING,
    Kind.STARTED: State.PROCESSING,
    Kind.RETRY: State.RETRYING,
    Kind.LOST: State.PENDING,
    Kind.SUCCEEDED: State.COMPLETED,
    Kind.FAILED: State.FAILED,
    Kind.CANCELLED: State.CANCELLED,
}
_ENDS = frozenset({Kind.SUCCEEDED, Kind.FAILED, Kind.CANCELLED})
_ATTEMPT_ENDS = _ENDS | {Kind.RETRY, Kind.LOST}

MAX_MOMENTS = 500
MAX_RUN, MAX_RETRIES = 127, 1023
MAX_NAME = 255


def version(run: int, retries: int, kind: Kind, at_ms: int) -> int:
    """Orders what is known of a job: 7 bits delivery, 10 retries, 4 rank of the kind, 42 milliseconds."""
    attempt = min(run, MAX_RUN) << 10 | min(retries, MAX_RETRIES)
    return (attempt << 4 | _RANKS[kind]) << 42 | (at_ms & (1 << 42) - 1)


def retries_of(ver: int) -> int:
    """How many retries a version speaks of: 0 in the first attempt."""
    return ver >> 46 & MAX_RETRIES


Moment: TypeAlias = tuple[int, str, int, int, str]
"""One entry of a timeline: at_ms, kind in lower case, run, retries, note."""


@dataclass(slots=True)
class Attempt:
    """An attempt that did not end well, as `JobAttempt` keeps it; times in ms since 1970."""

    run: int
    attempt: int
    state: str
    reason: str | None
    started_at: int | None
    finished_at: int | None
    worker: str | None
    error_type: str | None
    error_message: str | None
    traceback: str | None


@dataclass(slots=True)
class Row:
    """The columns of `job_status` that events decide, times in ms since 1970. `attempts_made` are new `JobAttempt`s."""

    id: str
    type: str = ""
    queue: str = ""
    state: str = ""
    attempts: int = 0
    max_attempts: int | None = None
    priority: int | None = None
    progress: int | None = None
    progress_note: str | None = None
    worker: str | None = None
    enqueued_at: int = 0
    due_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    runtime_ms: int | None = None
    reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    retry_of: str | None = None
    retried_as: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    unique_key: str | None = None
    unique_lock: str | None = None
    internal: bool = False
    run: int = 0
    ver: int = 0
    sver: int = 0
    fver: int = 0
    pver: int = 0
    tags: str | None = None
    timeline: str = "[]"
    payload: str | None = None
    message: str | None = None
    result: str | None = None
    traceback: str | None = None
    moments: list[Moment] = field(default_factory=list)
    attempts_made: list[Attempt] = field(default_factory=list)
    retries_seen: int = 0
    """How many RETRY events were new; for the rollups."""


def apply(row: Row, event: Event) -> None:
    """Takes one event into the row. Applying any events in any order, any number of times, gives the same row."""
    data = event.data
    _describe(row, event, data)
    if event.kind is Kind.PROGRESS:
        _progress(row, event, data)
        return
    is_new = _remember(row, event, data)
    ver = version(event.run, event.retries, event.kind, event.at_ms)
    if ver > row.ver:
        row.ver, row.run = ver, max(row.run, event.run)
        row.state = _STATES[event.kind]
        row.due_at = data.get("due_ms") if event.kind in (Kind.RETRY, Kind.SCHEDULED) else None
    if event.kind is Kind.STARTED:
        row.attempts = max(row.attempts, event.retries + 1)
        if ver > row.sver:
            row.sver, row.started_at, row.worker = ver, event.at_ms, data.get("worker")
    if event.kind in _ATTEMPT_ENDS:
        if ver > row.fver:
            _finish(row, event, data, ver)
        if is_new and event.kind is not Kind.SUCCEEDED:
            _keep_attempt(row, event, data)
        row.retries_seen += is_new and event.kind is Kind.RETRY


def settle(row: Row) -> None:
    """After the last event: what follows from the whole row rather than from one event."""
    row.moments.sort(key=_place)
    row.timeline = json.dumps(_bounded(row.moments), separators=(",", ":"))
    if row.state in FAILURES:
        row.state = State.RETRYABLE if row.payload is not None and row.retried_as is None else State.FAILED
    if row.progress is not None and row.state == State.COMPLETED:
        row.progress = 100
    elif row.progress is not None and row.sver >> 46 > row.pver >> 46:
        row.progress = row.progress_note = None  # the report of an earlier attempt
    if row.state in ENDED:
        row.unique_lock, row.due_at = None, None
    if row.started_at is not None and row.finished_at is not None and row.sver > row.fver:
        row.finished_at = row.runtime_ms = None  # a later attempt is running


def moments_of(timeline: str) -> list[Moment]:
    """A stored timeline, as entries."""
    return [(at, kind, run, retries, note) for at, kind, run, retries, note in json.loads(timeline)]


def _describe(row: Row, event: Event, data: dict[str, Any]) -> None:
    """What the job is does not change: the first that is known stays. It was enqueued when it was first heard of."""
    row.enqueued_at = min(row.enqueued_at, event.at_ms) if row.enqueued_at else event.at_ms
    for name in ("type", "queue"):
        if not getattr(row, name) and data.get(name):
            setattr(row, name, str(data[name])[:MAX_NAME])
    for name in ("payload", "message", "parent_id", "root_id", "retry_of", "priority", "max_attempts", "tags"):
        if getattr(row, name) is None and data.get(name) is not None:
            setattr(row, name, data[name])
    row.internal = row.internal or bool(data.get("internal"))


def _remember(row: Row, event: Event, data: dict[str, Any]) -> bool:
    """Adds the event to the timeline; false when it is there already."""
    note = str(data.get("note") or data.get("worker") or data.get("error_type") or "")
    moment: Moment = (event.at_ms, event.kind.name.lower(), event.run, event.retries, note)
    if any(known[:4] == moment[:4] for known in row.moments):
        return False
    row.moments.append(moment)
    return True


def _progress(row: Row, event: Event, data: dict[str, Any]) -> None:
    ver = version(event.run, event.retries, Kind.STARTED, event.at_ms)
    if ver > row.pver:
        row.pver, row.progress, row.progress_note = ver, data.get("progress"), data.get("progress_note")


def _finish(row: Row, event: Event, data: dict[str, Any], ver: int) -> None:
    row.fver, row.finished_at = ver, event.at_ms
    row.runtime_ms = data.get("runtime_ms")
    row.result, row.reason = data.get("result"), data.get("reason")
    row.error_type, row.error_message = data.get("error_type"), data.get("error_message")
    row.traceback = data.get("traceback")


def _keep_attempt(row: Row, event: Event, data: dict[str, Any]) -> None:
    state = "LOST" if event.kind is Kind.LOST else str(_STATES[event.kind])
    runtime = data.get("runtime_ms")
    row.attempts_made.append(
        Attempt(
            run=event.run,
            attempt=event.retries + 1,
            state=state,
            reason=data.get("reason"),
            started_at=None if runtime is None else event.at_ms - runtime,
            finished_at=event.at_ms,
            worker=data.get("worker"),
            error_type=data.get("error_type"),
            error_message=data.get("error_message"),
            traceback=data.get("traceback"),
        )
    )


def _place(moment: Moment) -> tuple[int, int, int, int]:
    """Within one millisecond, in the order in which things can happen."""
    at_ms, kind, run, retries, _ = moment
    return at_ms, run, retries, _RANKS[Kind[kind.upper()]]


def _bounded(moments: list[Moment]) -> list[Moment]:
    """A job that retries for ever keeps its beginning and its recent past."""
    if len(moments) <= MAX_MOMENTS:
        return moments
    return moments[:50] + moments[-(MAX_MOMENTS - 50) :]
