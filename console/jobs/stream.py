"""Reading an event stream ahead of its storing: while one batch is stored, the next is read and decoded."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import redis

from console.tracking.events import BadBlock, Event, unpack

BATCH_EVENTS = 5_000
READ_BYTES = 2 * 1024 * 1024
READ_ENTRIES = 200

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """Decoded entries of a stream: those after `first_id`, up to `last_id`."""

    first_id: str
    last_id: str
    events: list[Event] = field(default_factory=list)


class Reader:
    """Reads one stream from a place on, always one batch ahead."""

    def __init__(self, client: redis.Redis, stream: str, block_ms: int) -> None:
        self._client, self._stream, self._block_ms = client, stream, block_ms
        self._thread = ThreadPoolExecutor(1, f"reader-{stream}")
        self._ahead: Future[Batch] | None = None
        self._undecoded: deque[tuple[bytes, dict[bytes, bytes]]] = deque()
        self._count = 100

    def next_after(self, last_id: str) -> Batch:
        """The batch that follows an entry; it has no events when none came in time. Raises `redis.RedisError`.

        What was read ahead is used when it is just that, filled up with what came since, and dropped when it is not.
        """
        ahead, self._ahead = self._ahead, None
        batch = ahead.result() if ahead else Batch("", "")
        if batch.first_id != last_id:
            self._undecoded.clear()
            batch = self._read(Batch(last_id, last_id), self._block_ms)
        elif len(batch.events) < BATCH_EVENTS:
            batch = self._read(batch, None)
        self._ahead = self._thread.submit(self._read, Batch(batch.last_id, batch.last_id), self._block_ms)
        return batch

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read(self, batch: Batch, block_ms: int | None) -> Batch:
        """Adds what follows the batch, up to about `BATCH_EVENTS` events; waits so long for the first of them."""
        if not self._undecoded:
            self._fetch(batch.last_id, block_ms)
        while self._undecoded and len(batch.events) < BATCH_EVENTS:
            entry_id, values = self._undecoded.popleft()
            batch.last_id = entry_id.decode()
            try:
                batch.events.extend(unpack(values.get(b"b", b"")))
            except BadBlock as error:
                log.error("entry %s of %s is damaged: %s; what precedes it is kept", batch.last_id, self._stream, error)
                batch.events.extend(error.events)
        return batch

    def _fetch(self, last_id: str, block_ms: int | None) -> None:
        """Takes as many entries as make up about `READ_BYTES`, judged by the size of those before."""
        answer = self._client.xread({self._stream: last_id}, count=self._count, block=block_ms)
        found = _entries(cast(Any, answer))
        if found:
            size = sum(len(values.get(b"b", b"")) for _, values in found) // len(found) + 1
            self._count = min(max(READ_BYTES // size, 1), READ_ENTRIES)
        self._undecoded.extend(found)


def after(entry_id: str) -> str:
    """The least stream id above `entry_id`."""
    ms, _, number = entry_id.partition("-")
    return f"{ms}-{int(number) + 1}"


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of the one stream asked for; the reply is a list under RESP2 and a map under RESP3."""
    if not answer:
        return []
    if isinstance(answer, dict):
        [found] = answer.values()
        return list(found[0]) if found and isinstance(found[0], list) else list(found)
    return list(answer[0][1])
