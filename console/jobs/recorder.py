"""The recorder: reads a stream from its checkpoint and stores it. Any number may run; one at a time writes a stream.

Two guards: a lease in Valkey, so that recorders do not do the same work twice, and the compare-and-set of the
checkpoint in the transaction that stores the events, so that nothing is stored twice even if both hold the lease.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import redis
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from console import db, signals
from console import redis as valkey
from console.config import settings
from console.jobs import outbox, store
from console.jobs.rules import FAILURES, Row, State
from console.presence import Presence
from console.tracking.events import STREAM_PREFIX, BadBlock, Event, unpack

BATCH_EVENTS = 5_000
BLOCK_MS = 250
LEASE_MS = 10_000
READ_ENTRIES = 200
REFUSED_STREAM = "celeriac:refused"
REFUSED_KEPT = 10_000
PAUSE_MAX_S = 5.0

_RENEW = """
local holder = redis.call('GET', KEYS[1])
if not holder then return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) and 1 or 0 end
if holder == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) return 1 end
return 0
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """Entries of a stream, decoded. `last_id` is the id of the last entry."""

    last_id: str
    events: list[Event] = field(default_factory=list)


class Recorder:
    """Stores streams until told to stop."""

    def __init__(self) -> None:
        self._streams = [f"{STREAM_PREFIX}{number}" for number in range(settings().streams)]
        self._name = uuid.uuid4().hex
        self._client = valkey.client()
        self._renew = self._client.register_script(_RENEW)
        self._release = self._client.register_script(_RELEASE)
        self._presence = Presence("recorder")
        self.stopping = threading.Event()

    def run(self) -> None:
        """Records until `stopping` is set; outlives an absent broker or database, and says so once."""
        pause = 0.0
        while not self.stopping.wait(pause):
            try:
                self._presence.say()
                stored = sum(self.record_once(stream) for stream in self._streams)
                pause = 0.0 if stored else 0.05 * (len(self._streams) > 1)
            except store.CheckpointMoved as error:
                log.warning("another recorder writes %s; standing by", error)
                pause = 1.0
            except (redis.RedisError, SQLAlchemyError) as error:
                if pause < 1.0:
                    log.warning("nothing can be stored now, trying again: %s", str(error).splitlines()[0])
                pause = min(max(pause * 2, 0.25), PAUSE_MAX_S)
        self._give_back()

    def record_once(self, stream: str) -> int:
        """Stores the next batch of a stream and returns how many events it had; 0 when there is none, or no lease."""
        if not self._renew(keys=[_lease(stream)], args=[self._name, LEASE_MS]):
            self.stopping.wait(1.0)
            return 0
        with db.engine().connect() as connection:
            checkpoint = store.read_checkpoint(connection.execution_options(write=True), stream)
            connection.commit()
        batch = self._read(stream, checkpoint)
        if batch is None:
            return 0
        try:
            with self._storing(stream, checkpoint, batch) as connection:
                rows = store.store_events(connection, batch.events)
        except store.UNSTORABLE:
            with self._storing(stream, checkpoint, batch) as connection:
                rows, refused = store.store_what_can_be(connection, batch.events)
                self._put_aside(refused)
        self._client.xtrim(stream, minid=_after(batch.last_id), approximate=False)
        self._tell(rows)
        return len(batch.events)

    @contextmanager
    def _storing(self, stream: str, checkpoint: str, batch: Batch) -> Iterator[Connection]:
        """A transaction that moves the checkpoint behind the batch in its end."""
        with db.engine().connect().execution_options(write=True) as connection, connection.begin():
            yield connection
            store.move_checkpoint(connection, stream, checkpoint, batch.last_id)

    def _put_aside(self, events: list[Event]) -> None:
        """Keeps what no row could be made of, for whoever looks into it; `celeriac doctor` says that there is some."""
        for event in events:
            self._client.xadd(REFUSED_STREAM, {"b": event.pack()}, maxlen=REFUSED_KEPT, approximate=True)

    def _read(self, stream: str, checkpoint: str) -> Batch | None:
        """Up to about `BATCH_EVENTS` events after the checkpoint, waiting `BLOCK_MS` for the first."""
        block = BLOCK_MS // len(self._streams)
        answer = cast(Any, self._client.xread({stream: checkpoint}, count=READ_ENTRIES, block=max(block, 1)))
        entries = _entries(answer)
        if not entries:
            return None
        batch = Batch(last_id=checkpoint)
        for entry_id, values in entries:
            if len(batch.events) >= BATCH_EVENTS:
                break
            batch.last_id = entry_id.decode()
            try:
                batch.events.extend(unpack(values.get(b"b", b"")))
            except BadBlock as error:
                log.error(
                    "entry %s of %s is damaged (%s); kept the %d events before it",
                    batch.last_id,
                    stream,
                    error,
                    len(error.events),
                )
        return batch

    def _tell(self, rows: list[Row]) -> None:
        """Tells open pages and Python subscribers what was stored."""
        if not rows:
            return
        outbox.announce([row.id for row in rows])
        for row in rows:
            if row.state == State.COMPLETED:
                signals.job_processed.send(row.type, job=row)
            elif row.state in FAILURES:
                signals.job_failed.send(row.type, job=row)
            elif row.state == State.RETRYING:
                signals.job_retrying.send(row.type, job=row)

    def _give_back(self) -> None:
        try:
            self._presence.leave()
            for stream in self._streams:
                self._release(keys=[_lease(stream)], args=[self._name])
        except redis.RedisError:
            log.info("the leases could not be given back; they end by themselves in %d s", LEASE_MS // 1000)


def _lease(stream: str) -> str:
    return f"celeriac:lease:{stream}"


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of the one stream asked for; the reply is a list under RESP2 and a map under RESP3."""
    if not answer:
        return []
    if isinstance(answer, dict):
        [found] = answer.values()
        return list(found[0]) if found and isinstance(found[0], list) else list(found)
    return list(answer[0][1])


def _after(entry_id: str) -> str:
    """The least stream id above `entry_id`."""
    ms, _, number = entry_id.partition("-")
    return f"{ms}-{int(number) + 1}"
