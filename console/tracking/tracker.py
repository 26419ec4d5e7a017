"""One process's way to the event stream, and `track`, which connects a Celery application to it."""

from __future__ import annotations

import atexit
import logging
import os
import tempfile
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import redis
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from redis.backoff import NoBackoff
from redis.retry import Retry

from console import clock
from console.tracking import bounds
from console.tracking import spool as spools
from console.tracking.events import STREAM_PREFIX, Event, Kind
from console.tracking.shipper import FIELD, Shipper

if TYPE_CHECKING:
    from console.tracking.usage import Sampler

HEARTBEAT_S = 5.0
DELIVERIES_KEEP_S = 7 * 86_400
STOP_WITHIN_S = 5.0
QUICK_S = 0.3
"""How long a job may wait for an answer of the event server, once in `REST_S`."""
REST_S = 30.0
"""For so long nothing is tried again that has just failed and that a job would wait for."""

log = logging.getLogger(__name__)


class Tracker:
    """Writes events of this process to its spool and ships them. `emit` never raises into the host's code."""

    def __init__(
        self,
        url: str,
        root: Path,
        streams: int = 1,
        *,
        app: Celery | None = None,
        stream_limit_mb: float = bounds.STREAM_LIMIT_MB,
        spool_limit_mb: float = bounds.SPOOL_LIMIT_MB,
    ) -> None:
        self.url, self._root, self._streams, self._app = url, root, streams, app
        self._stream_limit_mb, self._spool_limit_mb = stream_limit_mb, spool_limit_mb
        self._mutex = threading.Lock()
        self._owner_pid = 0
        self.is_pool_child = False
        """Whether this process runs one job at a time, for a worker whose main process ships."""
        self._directory: spools.Directory | None = None
        self._writer: spools.Writer | None = None
        self._shipper: Shipper | None = None
        self._clients: dict[bool, redis.Redis] = {}
        self._worker: dict[str, object] | None = None
        self._beat_at = self._begin_at = self._ask_at = 0.0
        self._queues: dict[tuple[str, str], str] = {}
        self._sampler: Sampler | None = None
        os.register_at_fork(after_in_child=self._forked)

    def emit(self, event: Event) -> None:
        """Keeps the event on this machine, whatever happens to this process; it reaches the stream within 100 ms."""
        try:
            writer = self._writer if self._ready() else self.begin()
            if writer is not None:
                writer.write(event.pack(), event.kind)
        except SoftTimeLimitExceeded:
            raise  # Celery's word to the job, which may arrive at any line, not trouble of ours
        except Exception as error:  # noqa: BLE001  whatever is wrong with us, the host's job goes on
            log.error("a job event was not kept: %s", error)

    def deliver(self, event: Event) -> None:
        """Puts the event on the stream and returns when the server has it. Raises `redis.RedisError`."""
        stream = spools.stream_of(event.job_id, self._streams)
        self.client().xadd(f"{STREAM_PREFIX}{stream}", {FIELD: event.pack()})

    def deliveries(self, job_id: str, run: int, retries: int) -> int:
        """Counts a repeated delivery of an attempt and returns how many there were; 1 when the server is away.

        A server that is away is asked once in `REST_S`, and waited for no longer than `QUICK_S`.
        """
        return self._count(job_id, run, retries, adds=True)

    def deliveries_so_far(self, job_id: str, run: int, retries: int) -> int:
        """How many repeated deliveries of an attempt were counted; 1 when the server is away, as above."""
        return self._count(job_id, run, retries, adds=False)

    def client(self, *, quick: bool = False) -> redis.Redis:
        """A client of this process; a quick one gives up soon."""
        if quick not in self._clients:
            answer_s, connect_s = (QUICK_S, QUICK_S) if quick else (5, 3)
            self._clients[quick] = redis.Redis.from_url(
                self.url, socket_timeout=answer_s, socket_connect_timeout=connect_s, retry=Retry(NoBackoff(), 0)
            )
        return self._clients[quick]

    @cached_property
    def is_elsewhere(self) -> bool:
        """Whether the application's messages go another way than its events, so that the console can send it none."""
        if self._app is None:
            return False
        conf = self._app.conf
        prefixed = (conf.broker_transport_options or {}).get("global_keyprefix")
        return bool(prefixed) or not _is_same_server(conf.broker_url, self.url)

    def queue_of(self, exchange: str | None, routing_key: str | None) -> str | None:
        """The queue that a message goes to: what it is addressed to is a queue's name only in the plainest case."""
        if not exchange or not routing_key or self._app is None:
            return routing_key
        if not self._queues:
            known = self._app.amqp.queues.values()
            self._queues = {(queue.exchange.name, queue.routing_key): queue.name for queue in known}
        return self._queues.get((exchange, routing_key), routing_key)

    def begin_worker(self, name: str, concurrency: int, queues: list[str]) -> None:
        """This is a worker's main process: it ships for its children and reports that it lives."""
        self._worker = {
            "pid": os.getpid(),
            "concurrency": concurrency,
            "queues": queues,
            "started_ms": clock.now_ms(),
            "name": name,
        }
        from console.tracking.usage import Sampler

        self._sampler = Sampler()
        self.begin()

    def begin_pool_child(self) -> None:
        """This is a child of a worker: it writes beside its parent, which ships."""
        self.is_pool_child = True

    def begin(self) -> spools.Writer | None:
        """Makes this process's spool directory and starts to ship it, unless that has happened.

        None when it could not be made; that is tried again after `REST_S`. The events meanwhile are lost.
        """
        with self._mutex:
            if self._ready():
                return self._writer
            if clock.monotonic() < self._begin_at:
                return None
            self._begin_at = clock.monotonic() + REST_S
            try:
                self._make()
            except (OSError, ValueError, RuntimeError) as error:
                log.error("job events cannot be kept in %s, so they are lost: %s", self._root, error)
                return None
            return self._writer

    def stop(self) -> None:
        """Ships what is left, says that a worker stops and gives the directory back."""
        if self._owner_pid != os.getpid() or self._shipper is None or self._directory is None:
            return
        self._shipper.stop(STOP_WITHIN_S)
        shipper, directory = self._shipper, self._directory
        self._shipper = self._directory = self._writer = None
        self._owner_pid = 0
        directory.close(is_shipped=shipper.has_shipped_all())

    def _make(self) -> None:
        if self._directory is not None:
            self._directory.leave()
            self._directory = None
        directory = spools.Directory(self._root)
        writer = spools.Writer(directory.path, bounds.SpoolLimit(directory.path, self._spool_limit_mb))
        self._shipper = Shipper(
            self.url, self._root, directory.path, self._streams, self._on_tick, self._on_end,
            stream_limit_mb=self._stream_limit_mb,
        )  # fmt: skip
        self._shipper.start()
        self._directory, self._writer, self._owner_pid, self._begin_at = directory, writer, os.getpid(), 0.0
        atexit.register(self.stop)

    def _ready(self) -> bool:
        return self._writer is not None and (self.is_pool_child or self._owner_pid == os.getpid())

    def _forked(self) -> None:
        """In the child: a thread of the parent may have held the lock, and the connections are the parent's."""
        self._mutex, self._clients, self._begin_at = threading.Lock(), {}, 0.0

    def _count(self, job_id: str, run: int, retries: int, *, adds: bool) -> int:
        if clock.monotonic() < self._ask_at:
            return 1
        key = f"celeriac:deliveries:{job_id}:{run}:{retries}"
        try:
            with self.client(quick=True).pipeline() as pipe:
                if adds:
                    pipe.incr(key)
                    pipe.expire(key, DELIVERIES_KEEP_S)
                else:
                    pipe.get(key)
                return int(pipe.execute()[0] or 1)
        except redis.RedisError as error:
            self._ask_at = clock.monotonic() + REST_S
            log.warning("the deliveries of jobs are not counted for %.0f s (job %s): %s", REST_S, job_id, error)
            return 1

    def _on_tick(self) -> None:
        if self._sampler is not None:
            self._sampler.tick(self.client(quick=True))
        if self._worker and clock.monotonic() >= self._beat_at:
            self._report(stopped=False)
            self._beat_at = clock.monotonic() + HEARTBEAT_S

    def _on_end(self) -> None:
        self._report(stopped=True)

    def _report(self, *, stopped: bool) -> None:
        """Past the spool: that the worker lives is told even while its events have to wait."""
        if self._worker and self._directory and self._shipper:
            dropped = self._shipper.given_up + bounds.drops_in(self._directory.path)
            data = self._worker | {
                "boot_id": self._directory.boot_id,
                "stopped": stopped,
                "dropped": dropped.total(),
                "dropped_kinds": dict(dropped) or None,
                "spooled_bytes": self._shipper.waiting_bytes(),
            }
            self._shipper.send(Event(Kind.HEARTBEAT, str(self._worker["name"]), clock.now_ms(), data=data))


_tracker: Tracker | None = None


def tracker() -> Tracker:
    """The tracker of this process. Raises `RuntimeError` before `track` was called."""
    if _tracker is None:
        raise RuntimeError("call console.tracking.track(app) first")
    return _tracker


def track(
    app: Celery,
    *,
    url: str | None = None,
    spool: Path | None = None,
    streams: int = 1,
    stream_limit_mb: float = bounds.STREAM_LIMIT_MB,
    spool_limit_mb: float = bounds.SPOOL_LIMIT_MB,
    logs: bool | str = True,
) -> Tracker:
    """Tracks every job of the application from now on, in this process and in the workers that it starts.

    `url`: the Valkey or Redis server that carries the events; the application's broker if not given. `spool`: a
    directory on a local disk; one per user under the system's temporary directory if not given. `streams`,
    `stream_limit_mb` and `spool_limit_mb`: as CELERIAC_STREAMS, CELERIAC_STREAM_LIMIT and CELERIAC_SPOOL_LIMIT of
    the console. `logs`: whether what jobs log is kept, from INFO on or from the level that is named. Raises
    `ValueError` when neither `url` nor a Redis broker is known, and for a level that there is not.
    """
    global _tracker  # noqa: PLW0603  Celery's signals are global to a process, so is what they report to
    from console.tracking import hooks
    from console.tracking.logs import level_of

    log_level = level_of(logs if isinstance(logs, str) else "INFO" if logs else "OFF")
    where = url or app.conf.broker_url or ""
    if not where.startswith(("redis://", "rediss://")):
        raise ValueError("track(app) needs url='redis://…' because the application's broker is not Valkey or Redis")
    if _tracker is None or _tracker.url != where:
        root = spool or _temporary() / f"celeriac-{os.getuid()}" / "spool"
        limits = {"stream_limit_mb": stream_limit_mb, "spool_limit_mb": spool_limit_mb}
        _tracker = Tracker(where, root, streams, app=app, **limits)
    hooks.connect(_tracker, log_level)
    return _tracker


def _temporary() -> Path:
    """The system's directory for what is temporary; where there is none, writing fails later and is told then."""
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return Path("/tmp")  # noqa: S108  only a name that is tried again


def _is_same_server(broker: Any, url: str) -> bool:
    """Whether both name one database of one server; of several brokers, the first counts."""
    named = broker[0] if isinstance(broker, list | tuple) and broker else broker
    return named == url or _place(str(named or "")) == _place(url)


def _place(url: str) -> tuple[str, str, int, str]:
    parts = urlsplit(url.partition(";")[0])
    scheme = "redis" if parts.scheme in ("redis", "rediss") else parts.scheme
    return scheme, parts.hostname or "localhost", parts.port or 6379, parts.path.strip("/") or "0"
