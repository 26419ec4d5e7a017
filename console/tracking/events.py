"""The wire format of job events, shared by whoever writes them and the recorder.

An event is one msgpack array `[kind, job_id, at_ms, run, retries, data]`; a block is events one after another.
`data` is a map whose keys are the names below. Texts that may be long (payload, traceback) are cut by the writer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgpack

STREAM_PREFIX = "celeriac:events:"
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
        """The event as it is written to a spool."""
        return bytes(msgpack.packb([int(self.kind), self.job_id, self.at_ms, self.run, self.retries, self.data]))


class BadBlock(ValueError):
    """A block holds something that is no event; `events` are those before it."""

    def __init__(self, events: list[Event], reason: str) -> None:
        super().__init__(reason)
        self.events = events


def unpack(block: bytes) -> Iterator[Event]:
    """The events of a block, in order. Raises `BadBlock` at the first thing that is no event.

    Kinds this version does not know are left out: a newer writer may be ahead of an older recorder.
    """
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=0, unicode_errors="replace")
    unpacker.feed(block)
    seen: list[Event] = []
    try:
        for kind, job_id, at_ms, run, retries, data in unpacker:
            if kind in _KINDS:
                event = Event(_KINDS[kind], str(job_id), int(at_ms), int(run), int(retries), dict(data))
                seen.append(event)
                yield event
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise BadBlock(seen, str(error)) from error


_KINDS = {int(kind): kind for kind in Kind}
