"""One process's way to the event stream, and `track`, which connects a Celery application to it."""

from __future__ import annotations

import atexit
import logging
import os
import tempfile
import threading
from pathlib import Path

import redis
from celery import Celery

from console import clock
from console.tracking.events import STREAM_PREFIX, Event, Kind
from console.tracking.shipper import FIELD, Shipper
from console.tracking.spool import Directory, Writer, stream_of

HEARTBEAT_S = 5.0
DELIVERIES_KEEP_S = 7 * 86_400
STOP_WITHIN_S = 5.0

log = logging.getLogger(__name__)


class Tracker:
    """Writes events of this process to its spool and ships them. Never raises into the host's code by `emit`."""

    def __init__(self, url: str, root: Path, streams: int = 1) -> None:
        self.url, self._root, self._streams = url, root, streams
        self._mutex = threading.Lock()
        self._owner_pid = 0
        self._is_pool_child = False
        self._directory: Directory | None = None
        self._writer: Writer | None = None
        self._shipper: Shipper | None = None
        self._client: redis.Redis | None = None
        self._client_pid = 0
        self._worker: dict[str, object] | None = None
        self._beat_at = 0.0

    def emit(self, event: Event) -> None:
        """Keeps the event on this machine, whatever happens to this process; it reaches the stream within 100 ms."""
        try:
            writer = self._writer if self._ready() else self.begin()
            if writer is not None:
                writer.write(event.pack())
        except (OSError, ValueError, TypeError, OverflowError) as error:
            log.error("a job event was not kept: %s", error)

    def deliver(self, event: Event) -> None:
        """Puts the event on the stream and returns when the server has it. Raises `redis.RedisError`."""
        stream = stream_of(event.job_id, self._streams)
        self.client().xadd(f"{STREAM_PREFIX}{stream}", {FIELD: event.pack()})

    def deliveries(self, job_id: str, run: int, retries: int) -> int:
        """Counts a repeated delivery of an attempt and returns how many there were; 1 when the server is away."""
        try:
            key = f"celeriac:deliveries:{job_id}:{run}:{retries}"
            with self.client().pipeline() as pipe:
                pipe.incr(key)
                pipe.expire(key, DELIVERIES_KEEP_S)
                return int(pipe.execute()[0])
        except redis.RedisError as error:
            log.warning("could not count the deliveries of job %s: %s", job_id, error)
            return 1

    def deliveries_so_far(self, job_id: str, run: int, retries: int) -> int:
        """How many repeated deliveries of an attempt were counted; 1 when the server is away."""
        try:
            return int(self.client().get(f"celeriac:deliveries:{job_id}:{run}:{retries}") or 1)
        except redis.RedisError:
            return 1

    def client(self) -> redis.Redis:
        """A client of this process (not the one a parent had before a fork)."""
        if self._client is None or self._client_pid != os.getpid():
            self._client = redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=3)
            self._client_pid = os.getpid()
        return self._client

    def begin_worker(self, name: str, concurrency: int, queues: list[str]) -> None:
        """This is a worker's main process: it ships for its children and reports that it lives."""
        self._worker = {
            "pid": os.getpid(),
            "concurrency": concurrency,
            "queues": queues,
            "started_ms": _now_ms(),
            "name": name,
        }
        self.begin()

    def begin_pool_child(self) -> None:
        """This is a child of a worker: it writes beside its parent, which ships."""
        self._is_pool_child = True

    def stop(self) -> None:
        """Says that a worker stops, ships what is left and gives the directory back."""
        if self._owner_pid != os.getpid() or self._shipper is None or self._directory is None:
            return
        if self._worker:
            self._report(stopped=True)
        self._shipper.stop(STOP_WITHIN_S)
        self._directory.close()
        self._shipper = self._directory = self._writer = None
        self._owner_pid = 0

    def _ready(self) -> bool:
        return self._writer is not None and (self._is_pool_child or self._owner_pid == os.getpid())

    def begin(self) -> Writer | None:
        """Makes this process's spool directory and starts to ship it, unless that has happened."""
        with self._mutex:
            if self._ready():
                return self._writer
            self._directory = Directory(self._root)
            self._writer = Writer(self._directory.path)
            self._shipper = Shipper(self.url, self._root, self._directory.path, self._streams, self._on_tick)
            self._owner_pid = os.getpid()
            self._shipper.start()
            atexit.register(self.stop)
            return self._writer

    def _on_tick(self) -> None:
        if self._worker and clock.monotonic() >= self._beat_at:
            self._report(stopped=False)
            self._beat_at = clock.monotonic() + HEARTBEAT_S

    def _report(self, *, stopped: bool) -> None:
        if self._worker and self._directory:
            data = self._worker | {"boot_id": self._directory.boot_id, "stopped": stopped}
            self.emit(Event(Kind.HEARTBEAT, str(self._worker["name"]), _now_ms(), data=data))


_tracker: Tracker | None = None


def tracker() -> Tracker:
    """The tracker of this process. Raises `RuntimeError` before `track` was called."""
    if _tracker is None:
        raise RuntimeError("call console.tracking.track(app) first")
    return _tracker


def track(app: Celery, *, url: str | None = None, spool: Path | None = None, streams: int = 1) -> Tracker:
    """Tracks every job of the application from now on, in this process and in the workers that it starts.

    `url`: the Valkey or Redis server that carries the events; the application's broker if not given. `spool`: a
    directory on a local disk; one per user under the system's temporary directory if not given. `streams`: as
    CELERIAC_STREAMS of the console. Raises `ValueError` when neither `url` nor a Redis broker is known.
    """
    global _tracker  # noqa: PLW0603  Celery's signals are global to a process, so is what they report to
    from console.tracking import hooks

    where = url or app.conf.broker_url or ""
    if not where.startswith(("redis://", "rediss://")):
        raise ValueError("track(app) needs url='redis://…' because the application's broker is not Valkey or Redis")
    root = spool or Path(tempfile.gettempdir()) / f"celeriac-{os.getuid()}" / "spool"
    if _tracker is None or _tracker.url != where:
        _tracker = Tracker(where, root, streams)
    hooks.connect(_tracker)
    return _tracker


def _now_ms() -> int:
    return clock.now_ms()
