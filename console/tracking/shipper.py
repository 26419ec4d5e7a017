"""Moves records from spool files to the stream. Runs as a thread of the process that owns the directory."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import redis

from console import clock
from console.tracking import spool
from console.tracking.events import STREAM_PREFIX

INTERVAL_S = 0.1
ADOPT_EVERY_S = 5.0
READ_BYTES = 4 * 1024 * 1024
FIELD = "b"

log = logging.getLogger(__name__)


class Shipper:
    """Ships one directory, and adopts those whose owner died. `on_tick` is called about every 100 ms."""

    def __init__(
        self, url: str, root: Path, own: Path | None, streams: int, on_tick: Callable[[], None] = lambda: None
    ) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=3)
        self._root, self._own, self._streams, self._on_tick = root, own, streams, on_tick
        self._offsets: dict[Path, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="celeriac-shipper", daemon=True)
        self._adopt_at = 0.0

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, within_s: float) -> None:
        """Ships what is there, for at most `within_s` seconds, and ends the thread."""
        self._stop.set()
        self._thread.join(within_s)
        deadline = clock.monotonic() + within_s
        while clock.monotonic() < deadline:
            try:
                if not self.ship():
                    return
            except redis.RedisError:
                time.sleep(INTERVAL_S)

    def ship(self) -> int:
        """Ships what is new in the own directory and returns how many bytes that were. Raises `redis.RedisError`."""
        return self._ship_directory(self._own) if self._own else 0

    def adopt(self) -> None:
        """Ships and removes the directories of dead owners. Raises `redis.RedisError`."""
        for path, lock in spool.adoptable(self._root, self._own):
            try:
                while self._ship_directory(path):
                    pass
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)

    def _run(self) -> None:
        pause = INTERVAL_S
        while not self._stop.wait(pause):
            try:
                self._on_tick()
                self.ship()
                if clock.monotonic() >= self._adopt_at:
                    self.adopt()
                    self._adopt_at = clock.monotonic() + ADOPT_EVERY_S
                pause = INTERVAL_S
            except redis.RedisError as error:
                if pause == INTERVAL_S:
                    log.warning("the event stream does not answer; events wait in %s: %s", self._root, error)
                pause = min(pause * 2, 2.0)
            except OSError as error:
                log.error("could not read the spool in %s: %s", self._root, error)
                pause = 1.0

    def _ship_directory(self, directory: Path) -> int:
        """One round: new whole records of every file, together, then forget files that are done."""
        found = spool.files(directory)
        taken: dict[Path, int] = {}
        parts = []
        for path in found:
            data = _read(path, self._offsets.get(path, 0))
            length = spool.whole_records(data) if data else 0
            if length:
                parts.append(data[:length])
                taken[path] = self._offsets.get(path, 0) + length
        shipped = b"".join(parts)
        if shipped:
            with self._client.pipeline(transaction=False) as pipe:
                for stream, block in spool.blocks(shipped, self._streams):
                    pipe.xadd(f"{STREAM_PREFIX}{stream}", {FIELD: block})
                pipe.execute()
            self._offsets.update(taken)
        self._forget(found)
        return len(shipped)

    def _forget(self, found: list[Path]) -> None:
        """Removes files that are shipped and will not grow: rotated away, or of a process that is gone."""
        newest = {path.name.partition("-")[0]: path for path in found}
        for path in found:
            pid = path.name.partition("-")[0]
            may_grow = newest[pid] is path and _is_running(pid)
            if not may_grow and self._offsets.get(path, 0) >= _size(path):
                path.unlink(missing_ok=True)
                self._offsets.pop(path, None)


def _read(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(READ_BYTES)
    except FileNotFoundError:
        return b""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
