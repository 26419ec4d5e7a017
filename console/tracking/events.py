"""The wire format of job events, shared by whoever writes them and the recorder.

An event is one msgpack array `[kind, job_id, at_ms, run, retries, data]`; a block is events one after another.
`data` is a map whose keys are the names below. Texts that may be long (payload, traceback) are cut by the writer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgpack

STREAM_PREFIX = "celeriac:events:"
USAGE_KEY = "celeriac:usage:{}"
"""Of a job that runs: what it uses (`usage`)."""
MAX_TEXT = 5_000_000
"""Characters kept of a payload, result or traceback; longer ones are cut and cannot be used for a retry."""


class Kind(IntEnum):
    """What happened. The numbers are on the wire: never reuse one."""

    PUBLISHED = 1
    RECEIVED = 2
    STARTED = 3
    RETRY = 4
    SUCCEEDED = 5
    FAILED = 6
    CANCELLED = 7
    LOST = 8
    PROGRESS = 9
    SCHEDULED = 10
    LOGGED = 11
    HEARTBEAT = 20


@dataclass(slots=True)
class Event:
    """One event of one job (or, for HEARTBEAT, of one worker, whose name is then `job_id`).

    `at_ms`: milliseconds since 1970 UTC by the clock of the writer. `run`: how often the message was delivered
    again or replaced. `retries`: 0 in the first attempt.
    """

    kind: Kind
    job_id: str
    at_ms: int
    run: int = 0
    retries: int = 0
    data: dict[str, Any] = field(default_factory=dict)

    def pack(self) -> bytes:
        """The event as it is written to a spool. What is None is left out."""
        data = {name: value for name, value in self.data.items() if value is not None}
        event = [int(self.kind), self.job_id, self.at_ms, self.run, self.retries, data]
        return bytes(msgpack.packb(event, unicode_errors="replace"))


class BadBlock(ValueError):
    """A block holds something that is no event; `events` are those before it."""

    def __init__(self, events: list[Event], reason: str) -> None:
        super().__init__(reason)
        self.events = events


def unpack(block: bytes) -> list[Event]:
    """The events of a block, in order. Raises `BadBlock` when it holds something that is no event.

    Kinds this version does not know are left out: a newer writer may be ahead of an older recorder.
    """
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=0, unicode_errors="replace")
    unpacker.feed(block)
    events: list[Event] = []
    try:
        for kind, job_id, at_ms, run, retries, data in unpacker:
            if kind in _KINDS:
                name = job_id if type(job_id) is str else str(job_id)
                events.append(Event(_KINDS[kind], name, at_ms, run, retries, data))
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise BadBlock(events, str(error)) from error
    return events


_KINDS = {int(kind): kind for kind in Kind}
