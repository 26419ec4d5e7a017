"""How the recording of events stands: one look, for Overview, the API, `celeriac monitor` and `celeriac doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis
from sqlalchemy import select
from sqlalchemy.orm import Session

from console import presence
from console import redis as valkey
from console.config import settings
from console.jobs.models import StreamCheckpoint
from console.jobs.refused import STREAM as REFUSED_STREAM
from console.tracking.bounds import MIB
from console.tracking.events import STREAM_PREFIX

NEARLY_FULL = 0.8


@dataclass(frozen=True, slots=True)
class Stream:
    """One event stream. `entries`: blocks of events in it; `lag_ms`: how long the oldest unstored one has waited."""

    name: str
    entries: int
    bytes: int
    lag_ms: int
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """`lag_ms`: for how long the oldest event that is not stored has waited; 0: none waits.

    `waiting` counts blocks of events (up to 50 in one) in all streams, `fullest` is the share of its limit that the
    longest stream has. `refused`: blocks that no row could be made of, put aside. `alive`: recorders, as host:pid.
    """

    lag_ms: int
    waiting: int
    fullest: float
    refused: int
    alive: tuple[str, ...]
    streams: tuple[Stream, ...] = ()

    @property
    def is_nearly_full(self) -> bool:
        """Whether the broker's memory is about to be filled with what nobody records."""
        return self.fullest > NEARLY_FULL


def look(session: Session) -> Recording:
    """Reads it, in one question to the broker. Raises `redis.RedisError` when that does not answer."""
    streams = [f"{STREAM_PREFIX}{number}" for number in range(settings().streams)]
    checkpoints = select(StreamCheckpoint.stream, StreamCheckpoint.last_id).where(StreamCheckpoint.stream.in_(streams))
    stored = dict(session.execute(checkpoints).all())
    with valkey.quick_client().pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.xlen(REFUSED_STREAM)
        presence.ask_alive(pipe, "recorder")
        for stream in streams:
            pipe.xlen(stream)
            pipe.memory_usage(stream)
            pipe.xrange(stream, min=f"({stored.get(stream, '0-0')}", count=1)
        (seconds, micros), refused, alive, *rest = pipe.execute()
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    found = tuple(
        Stream(name, length, size or 0, max(0, now_ms - _written_ms(head)) if head else 0, bool(head))
        for name, length, size, head in zip(streams, rest[::3], rest[1::3], rest[2::3], strict=True)
    )
    return Recording(
        lag_ms=max(stream.lag_ms for stream in found),
        waiting=sum(stream.entries for stream in found if stream.is_waiting),
        fullest=max(stream.bytes for stream in found) / (settings().stream_limit * MIB),
        refused=int(refused),
        alive=presence.names(alive),
        streams=found,
    )


def look_if_it_answers(session: Session) -> Recording | None:
    """As `look`; None while the broker is away."""
    try:
        return look(session)
    except redis.RedisError:
        return None


def _written_ms(entries: list[tuple[bytes, Any]]) -> int:
    """When the first entry was written; ids in a stream begin with the milliseconds."""
    return int(entries[0][0].partition(b"-")[0])
