"""What a job's state is, decided from its events. Pure: the recorder and the services bring the rows.

Storing events must give the same row whatever their order, however often they come and wherever a batch ends.
So each group of columns follows the event with the highest version, and the version orders events by what
they mean, not by when they arrive: delivery, attempt, rank of the kind, then time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias

from console.jobs.fingerprint import Fingerprint, fingerprint_of
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
    "end_unseen": "Its end was not observed; it may have done well.",
    "ignored": "The job decided to leave no result.",
    "rejected": "The job rejected its message.",
}
"""Why a job failed or was cancelled, in words for people."""

_MEANING: dict[int, tuple[int, State]] = {
    Kind.SCHEDULED: (0, State.SCHEDULED),
    Kind.PUBLISHED: (1, State.PENDING),
    Kind.RECEIVED: (2, State.PENDING),
    Kind.STARTED: (3, State.PROCESSING),
    Kind.RETRY: (4, State.RETRYING),
    Kind.LOST: (4, State.PENDING),
    Kind.SUCCEEDED: (5, State.COMPLETED),
    Kind.FAILED: (5, State.FAILED),
    Kind.CANCELLED: (5, State.CANCELLED),
}
"""What a kind of event says: its rank within an attempt, and the state that follows from it."""
_RANKS = [_MEANING.get(number, (0, State.PENDING))[0] for number in range(max(Kind) + 1)]
_STATES = [_MEANING.get(number, (0, State.PENDING))[1].value for number in range(max(Kind) + 1)]
# What is looked at for each of fifty thousand events a second is plain: hashing or finding a member of an enumeration
# takes longer than all the rest of such a line.
_ENDED, _FAILURES = (frozenset(state.value for state in states) for states in (ENDED, FAILURES))
_COMPLETED, _RETRYABLE, _FAILED = State.COMPLETED.value, State.RETRYABLE.value, State.FAILED.value
_PROGRESS, _STARTED, _SUCCEEDED, _RETRY, _FAILED_EVENT = (
    kind.value for kind in (Kind.PROGRESS, Kind.STARTED, Kind.SUCCEEDED, Kind.RETRY, Kind.FAILED)
)
_NAMES = {kind.value: kind.name.lower() for kind in Kind}
_END_WORDS = tuple(f'"{_NAMES[kind]}"' for kind, (rank, _) in _MEANING.items() if rank == 5)
_ENDS_ATTEMPT = 4
"""From this rank on, an event ends an attempt."""

MAX_MOMENTS = 500
MAX_RUN, MAX_RETRIES = 127, 1023
MAX_NAME = 255
MAX_NOTE = 200
_SHORT_TIMELINE = 10_000
"""Characters up to which a timeline has fewer than `MAX_MOMENTS` entries, so that it may be added to unread."""
_OF_THE_JOB_AS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("message", "parent_id", "root_id", "group_id", "chord_id", "retry_of", "tags", "source", "arguments"),
        lambda text: text
    ),
    **dict.fromkeys(("priority", "max_attempts"), int),
    "internal": bool,
}
"""What an event may say of the job itself, besides type, queue and payload. The first that is known stays."""
_OF_THE_JOB = frozenset(_OF_THE_JOB_AS)
_PLANS = (Kind.RETRY.value, Kind.SCHEDULED.value)


def version(run: int, retries: int, kind: int, at_ms: int) -> int:
    """Orders what is known of a job: 7 bits delivery, 10 retries, 4 rank of the kind, 42 milliseconds."""
    attempt = min(run, MAX_RUN) << 10 | min(retries, MAX_RETRIES)
    return (attempt << 4 | _RANKS[kind]) << 42 | (at_ms & 0x3FF_FFFF_FFFF)


def retries_of(ver: int) -> int:
    """How many retries a version speaks of: 0 in the first attempt."""
    return ver >> 46 & MAX_RETRIES


def published_ms(ver: int) -> int:
    """The time of the event that a version speaks of, in ms since 1970; of a waiting job, when it was published."""
    return ver & 0x3FF_FFFF_FFFF


def run_of(ver: int) -> int:
    """How often the job had been delivered again, of what a version speaks of."""
    return ver >> 56


def at_ms_of(ver: int) -> int:
    """When what a version speaks of happened; in ms since 1970."""
    return ver & 0x3FF_FFFF_FFFF


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
    """The columns of `job_status` that events decide, times in ms since 1970.

    Of a stored row, the large texts and what describes its end are not read: `payload` and what else is None here
    stays as it is stored, and the end is written only when `fver` is above the stored one.
    """

    id: str
    state: str = ""
    attempts: int = 0
    progress: int | None = None
    progress_note: str | None = None
    worker: str | None = None
    started_at: int | None = None
    finished_at: int | None = None
    runtime_ms: int | None = None
    run: int = 0
    ver: int = 0
    sver: int = 0
    fver: int = 0
    pver: int = 0
    timeline: str = "[]"
    type: str = ""
    queue: str = ""
    enqueued_at: int = 0
    due_at: int | None = None
    retried_as: str | None = None
    unique_lock: str | None = None
    internal: bool = False
    has_payload: bool = False
    max_attempts: int | None = None
    priority: int | None = None
    tags: str | None = None
    source: str | None = None
    arguments: str | None = None
    retry_of: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    group_id: str | None = None
    chord_id: str | None = None
    payload: str | None = None
    message: str | None = None
    reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    result: str | None = None
    traceback: str | None = None
    fingerprint: str | None = None
    failure: Fingerprint | None = None
    """What the latest end has in common with other failures; None: it is no failure, or ended before."""
    fresh: list[Moment] = field(default_factory=list)
    """Moments that the timeline does not have yet."""
    attempts_made: list[Attempt] = field(default_factory=list)
    retries_seen: int = 0
    """How many RETRY events were new; for the rollups."""
    has_failed_anew: bool = False
    """Whether the latest end is a failure that was not known before."""
    redescribed: bool = False
    """Whether more changed than what changes with every step of a job: what it is, when it is due."""


def apply(row: Row, event: Event) -> None:
    """Takes one event into the row. Applying any events in any order, any number of times, gives the same row.

    Raises `ValueError` or `TypeError` for data that no row can hold.
    """
    kind, at_ms, data = event.kind, event.at_ms, event.data
    _describe(row, at_ms, data)
    ver = version(event.run, event.retries, kind, at_ms)
    if kind == _PROGRESS:
        _progress(row, event, data)
        return
    is_new = _remember(row, event, ver)
    if ver > row.ver:
        _advance(row, event, data, ver)
    if kind == _STARTED:
        row.attempts = max(row.attempts, event.retries + 1)
        if ver > row.sver:
            row.sver, row.started_at, row.worker = ver, at_ms, _short(data.get("worker"))
    elif _RANKS[kind] >= _ENDS_ATTEMPT:
        if ver > row.fver:
            _finish(row, at_ms, data, ver)
            row.has_failed_anew = kind == _FAILED_EVENT
        if is_new and kind != _SUCCEEDED:
            _keep_attempt(row, event, data)
            row.retries_seen += kind == _RETRY


def settle(row: Row) -> None:
    """After the last event: what follows from the whole row rather than from one event."""
    if row.fresh:
        row.timeline = _with_fresh(row)
    if row.state in _FAILURES:
        row.state = _RETRYABLE if row.has_payload and row.retried_as is None else _FAILED
    _compare(row)
    if row.progress is not None:
        if row.state == _COMPLETED:
            row.progress = 100
        elif row.sver >> 46 > row.pver >> 46:
            row.progress = row.progress_note = None  # the report of an earlier attempt
    if row.state in _ENDED and (row.unique_lock is not None or row.due_at is not None):
        row.unique_lock = row.due_at = None
        row.redescribed = True
    if row.started_at is not None and row.finished_at is not None and row.sver > row.fver:
        row.finished_at = row.runtime_ms = None  # a later attempt is running


def _compare(row: Row) -> None:
    """Finds out which failures it is like. Without a type, that is done later (`groups.fill`)."""
    if row.has_failed_anew and row.type:
        told = row.error_type or row.reason
        row.failure = fingerprint_of(row.type, told, row.error_message, row.traceback)
        row.fingerprint = row.failure.key


def moments_of(timeline: str) -> list[Moment]:
    """A stored timeline, as entries."""
    return [(at, kind, run, retries, note) for at, kind, run, retries, note in json.loads(timeline)]


def _advance(row: Row, event: Event, data: dict[str, Any], ver: int) -> None:
    row.ver, row.state = ver, _STATES[event.kind]
    row.run = max(row.run, event.run)
    due_ms = _number(data.get("due_ms")) if event.kind in _PLANS else None
    if due_ms != row.due_at:
        row.due_at, row.redescribed = due_ms, True


def is_ended(state: str) -> bool:
    """Whether nothing more is expected of a job in this state."""
    return state in _ENDED


def has_ended(row: Row) -> bool:
    """Whether a job has ended before, even if its message came again and it runs once more: its end counts once."""
    return row.state in _ENDED or (row.fver > 0 and any(word in row.timeline for word in _END_WORDS))


def _describe(row: Row, at_ms: int, data: dict[str, Any]) -> None:
    """What the job is does not change: the first that is known stays. It was enqueued when it was first heard of."""
    if at_ms < row.enqueued_at or not row.enqueued_at:
        row.enqueued_at, row.redescribed = at_ms, True
    if not row.type and (name := data.get("type")):
        row.type, row.redescribed = str(name)[:MAX_NAME], True
    if not row.queue and (name := data.get("queue")):
        row.queue, row.redescribed = str(name)[:MAX_NAME], True
    if not row.has_payload and (payload := data.get("payload")) is not None:
        row.payload, row.has_payload, row.redescribed = payload, True, True
    if not _OF_THE_JOB.isdisjoint(data):
        _describe_more(row, data)


def _describe_more(row: Row, data: dict[str, Any]) -> None:
    for name in _OF_THE_JOB & data.keys():
        if data[name] is not None and getattr(row, name) in (None, False):
            setattr(row, name, _OF_THE_JOB_AS[name](data[name]))
            row.redescribed = True


def _remember(row: Row, event: Event, ver: int) -> bool:
    """Adds the event to the timeline; false when it is there already. Only what is not above `ver` can be."""
    data = event.data
    note = data.get("note") or data.get("worker") or data.get("error_type") or ""
    moment: Moment = (event.at_ms, _NAMES[event.kind], event.run, event.retries, str(note)[:MAX_NOTE])
    if ver <= row.ver and any(known[:4] == moment[:4] for known in [*row.fresh, *moments_of(row.timeline)]):
        return False
    row.fresh.append(moment)
    return True


def _with_fresh(row: Row) -> str:
    """The timeline with what is new, in order. Mostly that comes after all that is there, which then is not read."""
    fresh = row.fresh
    if len(fresh) > 1:
        fresh.sort(key=_place)
    if len(row.timeline) < _SHORT_TIMELINE and fresh[0][0] > _last_at(row.timeline):
        added = ",".join([f'[{at},"{kind}",{run},{retries},{_quoted(note)}]' for at, kind, run, retries, note in fresh])
        return f"[{added}]" if row.timeline == "[]" else f"{row.timeline[:-1]},{added}]"
    moments = sorted([*moments_of(row.timeline), *fresh], key=_place)
    if len(moments) > MAX_MOMENTS:  # a job that retries for ever keeps its beginning and its recent past
        moments = moments[:50] + moments[-(MAX_MOMENTS - 50) :]
    return json.dumps(moments, separators=(",", ":"))


def _last_at(timeline: str) -> int:
    """The time of the last entry; one so late that nothing is later where only reading all of it would tell."""
    if timeline == "[]":
        return 0
    try:
        return int(timeline[timeline.rfind("[") + 1 :].partition(",")[0])
    except ValueError:  # a note with a bracket
        return 1 << 63


@lru_cache(maxsize=1_000)
def _quoted(note: str) -> str:
    return json.dumps(note)


def _progress(row: Row, event: Event, data: dict[str, Any]) -> None:
    ver = version(event.run, event.retries, Kind.STARTED, event.at_ms)
    if ver > row.pver:
        row.pver, row.progress, row.progress_note = (
            ver,
            _number(data.get("progress")),
            _short(data.get("progress_note"), MAX_NOTE),
        )


def _finish(row: Row, at_ms: int, data: dict[str, Any], ver: int) -> None:
    row.fver, row.finished_at = ver, at_ms
    row.runtime_ms = _number(data.get("runtime_ms"))
    row.result, row.reason = data.get("result"), _short(data.get("reason"), 32)
    row.error_type, row.error_message = _short(data.get("error_type")), data.get("error_message")
    row.traceback = data.get("traceback")


def _keep_attempt(row: Row, event: Event, data: dict[str, Any]) -> None:
    runtime = _number(data.get("runtime_ms"))
    row.attempts_made.append(
        Attempt(
            run=event.run,
            attempt=event.retries + 1,
            state="LOST" if event.kind == Kind.LOST else str(_STATES[event.kind]),
            reason=_short(data.get("reason"), 32),
            started_at=None if runtime is None else event.at_ms - runtime,
            finished_at=event.at_ms,
            worker=_short(data.get("worker")),
            error_type=_short(data.get("error_type")),
            error_message=data.get("error_message"),
            traceback=data.get("traceback"),
        )
    )


def _place(moment: Moment) -> tuple[int, int, int, int]:
    """Within one millisecond, in the order in which things can happen."""
    at_ms, kind, run, retries, _ = moment
    return at_ms, run, retries, _RANKS[Kind[kind.upper()]]


def _short(text: Any, most: int = MAX_NAME) -> str | None:
    return None if text is None else str(text)[:most]


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
