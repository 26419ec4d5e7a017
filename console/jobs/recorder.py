"""The recorder: reads a stream from its checkpoint and stores it. Any number may run; one at a time writes a stream.

Two guards: a lease in Valkey, so that recorders do not do the same work twice, and the compare-and-set of the
checkpoint in the transaction that stores the events, so that nothing is stored twice even if both hold the lease.
"""

from __future__ import annotations

import logging
import threading
import uuid
from typing import cast

import redis
from sqlalchemy.exc import SQLAlchemyError

from console import db, presence, signals
from console import redis as valkey
from console.config import settings
from console.jobs import groups, log_store, outbox, refused, store
from console.jobs.observed import Watch
from console.jobs.rules import FAILURES, Row, State
from console.jobs.stream import Batch, Reader, after
from console.tracking.events import STREAM_PREFIX, Event, Kind

BLOCK_MS = 250
LEASE_MS = 10_000
PAUSE_MAX_S = 5.0
STAND_BY_S = 1.0
KIND = "recorder"
_LOGGED = Kind.LOGGED.value

_RENEW = """
local holder = redis.call('GET', KEYS[1])
if not holder then return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) and 1 or 0 end
if holder == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) return 1 end
return 0
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

log = logging.getLogger(__name__)


class Recorder:
    """Stores streams until told to stop. Several of them share the streams evenly."""

    def __init__(self) -> None:
        self._shards = {f"{STREAM_PREFIX}{number}": number for number in range(settings().streams)}
        self._name = f"{uuid.uuid4().hex}@{presence.this_process()}"
        self._client = valkey.client()
        self._renew = self._client.register_script(_RENEW)
        self._release = self._client.register_script(_RELEASE)
        self._presence = presence.Presence(KIND)
        self._watch = Watch()
        self._readers: dict[str, Reader] = {}
        self._places: dict[str, str] = {}
        self.stopping = threading.Event()

    def run(self) -> None:
        """Records until `stopping` is set; outlives an absent broker or database, and says so once."""
        pause = 0.0
        while not self.stopping.wait(pause):
            try:
                self._presence.say()
                mine = self._take_fair_share()
                for stream in mine:
                    self.record_once(stream)
                self._watch.keep()
                pause = 0.0 if mine else STAND_BY_S
            except store.CheckpointMoved as error:
                log.warning("another recorder writes %s; standing by", error)
                pause = STAND_BY_S
            except (redis.RedisError, SQLAlchemyError) as error:
                if pause < STAND_BY_S:
                    log.warning("nothing can be stored now, trying again: %s", str(error).splitlines()[0])
                pause = min(max(pause * 2, 0.25), PAUSE_MAX_S)
        self._give_back()

    def record_once(self, stream: str) -> int:
        """Stores the next batch of a stream and returns how many events it had; 0 when there is none, or no lease."""
        if not self._holds(stream):
            return 0
        batch = self._next(stream)
        if not batch.events and batch.last_id == batch.first_id:
            return 0
        try:
            rows = self._store(stream, batch)
        except BaseException:
            self._places.pop(stream, None)
            raise
        self._places[stream] = batch.last_id
        self._client.xtrim(stream, minid=after(batch.last_id), approximate=False)
        self._tell(rows)
        if logged := [event for event in batch.events if event.kind == _LOGGED]:
            outbox.announce(log_store.ids_of(logged), lists=False)
        return len(batch.events)

    def _take_fair_share(self) -> list[str]:
        """The streams whose lease this recorder has, at most its share of them among the recorders that live."""
        most = -(-len(self._shards) // max(1, len(presence.alive(KIND)))) if len(self._shards) > 1 else 1
        mine: list[str] = []
        for stream in sorted(self._shards, key=lambda stream: stream not in self._readers):
            if len(mine) < most and self._holds(stream):
                mine.append(stream)
            elif stream in self._readers:
                self._leave(stream)
        return mine

    def _holds(self, stream: str) -> bool:
        """Takes or renews the lease of a stream; false when another recorder has it that may still live."""
        lease = _lease(stream)
        if self._renew(keys=[lease], args=[self._name, LEASE_MS]):
            return True
        holder = cast("bytes | None", self._client.get(lease)) or b""
        if not presence.is_gone(holder.decode().partition("@")[2]):
            return False
        self._release(keys=[lease], args=[holder])
        return bool(self._renew(keys=[lease], args=[self._name, LEASE_MS]))

    def _next(self, stream: str) -> Batch:
        reader = self._readers.get(stream)
        if reader is None:
            reader = self._readers[stream] = Reader(self._client, stream, BLOCK_MS // len(self._shards) + 1)
        if stream not in self._places:
            with db.engine().connect().execution_options(write=True) as connection, connection.begin():
                self._places[stream] = store.read_checkpoint(connection, stream)
        return reader.next_after(self._places[stream])

    def _store(self, stream: str, batch: Batch) -> list[Row]:
        """Stores a batch and the checkpoint behind it. Raises `CheckpointMoved` when the batch was stored already."""
        shard = self._shards[stream]
        try:
            with db.engine().connect().execution_options(write=True) as connection, connection.begin():
                rows = store.store_events(connection, batch.events, shard)
                store.move_checkpoint(connection, stream, batch.first_id, batch.last_id)
        except store.UNSTORABLE:
            with db.engine().connect().execution_options(write=True) as connection, connection.begin():
                rows, unstorable = store.store_what_can_be(connection, batch.events, shard)
                self._put_aside(unstorable)
                store.move_checkpoint(connection, stream, batch.first_id, batch.last_id)
        return rows

    def _put_aside(self, events: list[tuple[Event, str]]) -> None:
        """Keeps what no row could be made of, with the reason; `celeriac doctor` says that there is some."""
        for event, why in events:
            refused.put_aside(self._client, event, why)

    def _tell(self, rows: list[Row]) -> None:
        """Tells open pages and Python subscribers what was stored."""
        if not rows:
            return
        outbox.announce([row.id for row in rows], [groups.TOPIC] if any(row.failure for row in rows) else [])
        if not (signals.job_processed.receivers or signals.job_failed.receivers or signals.job_retrying.receivers):
            return
        for row in rows:
            if row.state == State.COMPLETED:
                signals.job_processed.send(row.type, job=row)
            elif row.state in FAILURES:
                signals.job_failed.send(row.type, job=row)
            elif row.state == State.RETRYING:
                signals.job_retrying.send(row.type, job=row)

    def _leave(self, stream: str) -> None:
        """Lets another recorder have the stream."""
        self._readers.pop(stream).close()
        self._places.pop(stream, None)
        self._release(keys=[_lease(stream)], args=[self._name])

    def _give_back(self) -> None:
        try:
            self._presence.leave()
            for stream in list(self._readers):
                self._leave(stream)
        except redis.RedisError:
            log.info("the leases could not be given back; they end by themselves in %d s", LEASE_MS // 1000)


def _lease(stream: str) -> str:
    return f"celeriac:lease:{stream}"
