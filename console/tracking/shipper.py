"""Moves records from spool files to the stream. Runs as a thread of the process that owns the directory."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from console import clock
from console.tracking import bounds, spool
from console.tracking.events import STREAM_PREFIX, Event

INTERVAL_S = 0.1
ADOPT_EVERY_S = 5.0
TOUCH_EVERY_S = 3600.0
READ_BYTES = 4 * 1024 * 1024
ROUND_BYTES = 8 * 1024 * 1024
ANSWER_S = 10.0
"""How long the server may take for a round. It is this thread that waits, never the host."""
HUNG_S = 1.0
"""When the process ends, a server that has been silent for so long is not waited for."""
FIELD = "b"

log = logging.getLogger(__name__)


class Shipper:
    """Ships one directory, and adopts those whose owner died.

    `on_tick` is called about every 100 ms, `on_end` when all is shipped and the thread ends.
    """

    def __init__(
        self,
        url: str,
        root: Path,
        own: Path | None,
        streams: int,
        on_tick: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
        *,
        stream_limit_mb: float = bounds.STREAM_LIMIT_MB,
    ) -> None:
        once = Retry(NoBackoff(), 0)
        self._client = redis.Redis.from_url(url, socket_timeout=ANSWER_S, socket_connect_timeout=3, retry=once)
        self._root, self._own, self._streams = root, own, streams
        self._on_tick, self._on_end = on_tick, on_end
        self._limit = bounds.StreamLimit(self._client, streams, stream_limit_mb)
        self._offsets: dict[Path, int] = {}
        self._adopted: dict[Path, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="celeriac-shipper", daemon=True)
        self._look_at = self._touch_at = 0.0
        self._begun_at = clock.monotonic()
        self._rounds = 0
        self.given_up: Counter[str] = Counter()
        """By kind: what was left out since the stream was nearly full, and what adopted directories had dropped."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, within_s: float) -> None:
        """Ships what is there, for at most `within_s` seconds; a server that does not answer is not waited for.

        `has_shipped_all` tells then how that ended.
        """
        self._stop.set()
        deadline = clock.monotonic() + within_s
        while self._thread.is_alive() and clock.monotonic() < min(deadline, self._begun_at + HUNG_S):
            self._thread.join(0.02)

    def ship(self) -> int:
        """Ships what is new in the own directory and returns how many bytes that were. Raises `redis.RedisError`."""
        return self._ship_directory(self._own) if self._own else 0

    def has_shipped_all(self) -> bool:
        """Whether the thread has ended and nothing is left in the own directory."""
        return self._own is not None and not self._thread.is_alive() and self._is_shipped(self._own)

    def waiting_bytes(self) -> int:
        """What lies in the own spool and in adopted ones and is not shipped yet."""
        found = [path for directory in (self._own, *self._adopted) if directory for path in spool.files(directory)]
        return sum(max(0, _size(path) - self._offsets.get(path, 0)) for path in found)

    def send(self, event: Event) -> None:
        """Puts one event on its stream at once, whatever waits in the spool. Raises `redis.RedisError`."""
        stream = spool.stream_of(event.job_id, self._streams)
        self._client.xadd(f"{STREAM_PREFIX}{stream}", {FIELD: event.pack()})

    def adopt(self) -> None:
        """Ships the next round of each directory whose owner died, and removes those that are done.

        Raises `redis.RedisError`.
        """
        if clock.monotonic() >= self._look_at:
            self._look_at = clock.monotonic() + ADOPT_EVERY_S
            self._adopted |= spool.adoptable(self._root, {self._own, *self._adopted})
        for path in list(self._adopted):
            if not self._ship_directory(path) and self._is_shipped(path):
                self.given_up += bounds.drops_in(path)
                shutil.rmtree(path, ignore_errors=True)
                os.close(self._adopted.pop(path))

    def _run(self) -> None:
        pause, is_ending = INTERVAL_S, False
        while not is_ending:
            is_ending = self._stop.wait(pause)
            self._begun_at = clock.monotonic()
            try:
                self._on_tick()
                while self.ship() and is_ending:
                    self._begun_at = clock.monotonic()
                if is_ending:
                    self._on_end()
                    return
                self.adopt()
                self._stay_young()
                pause = INTERVAL_S
            except redis.RedisError as error:
                if pause == INTERVAL_S:
                    log.warning("the event stream does not answer; events wait in %s: %s", self._root, error)
                pause = min(pause * 2, 2.0)
            except OSError as error:
                log.error("could not read the spool in %s: %s", self._root, error)
                pause = 1.0
            except Exception:  # the thread's main loop: it must not end while the process lives
                log.exception("could not ship the spool in %s", self._root)
                pause = 1.0

    def _ship_directory(self, directory: Path) -> int:
        """One round: new whole records of every file, together, then forget files that are done."""
        found = spool.files(directory)
        data, taken = self._take(found, min(ROUND_BYTES, self._limit.room()))
        if data:
            sheds = self._limit.sheds
            kept, left_out = spool.without(data, sheds) if sheds else (data, Counter())
            sizes = []
            with self._client.pipeline(transaction=False) as pipe:
                for stream, block in spool.blocks(kept, self._streams):
                    pipe.xadd(f"{STREAM_PREFIX}{stream}", {FIELD: block})
                    sizes.append(len(block))
                pipe.execute()
            self._limit.added(sizes)
            self._offsets.update(taken)
            self.given_up += left_out
        self._forget(found)
        return len(data)

    def _take(self, found: list[Path], room: int) -> tuple[bytes, dict[Path, int]]:
        """Whole records of up to `room` bytes, and how far each file is read then.

        Rounds take turns in whose records come first; those of one process stay in order.
        """
        self._rounds += 1
        heads = [at for at, path in enumerate(found) if not at or _pid(path) != _pid(found[at - 1])]
        first = heads[self._rounds % len(heads)] if heads else 0
        parts: list[bytes] = []
        taken: dict[Path, int] = {}
        for path in (*found[first:], *found[:first]):
            if room <= 0:
                break
            begin = self._offsets.get(path, 0)
            data = _read(path, begin)
            length = spool.whole_records(data, room)
            if not length and len(data) == READ_BYTES:  # one record is longer than what is read at once
                data = _read(path, begin, -1)
                length = spool.whole_records(data, room)
            if length:
                parts.append(data[:length])
                taken[path] = begin + length
                room -= length
        return b"".join(parts), taken

    def _is_shipped(self, directory: Path) -> bool:
        """Whether no file holds a whole record that is not shipped. What a kill cut off is no record."""
        rest = (_read(path, self._offsets.get(path, 0)) for path in spool.files(directory))
        return not any(spool.whole_records(data) for data in rest)

    def _forget(self, found: list[Path]) -> None:
        """Removes files that are shipped and will not grow: rotated away, or of a process that is gone."""
        newest = {_pid(path): path for path in found}
        for path in found:
            may_grow = newest[_pid(path)] is path and _is_running(_pid(path))
            if not may_grow and self._offsets.get(path, 0) >= _size(path):
                path.unlink(missing_ok=True)
                self._offsets.pop(path, None)

    def _stay_young(self) -> None:
        """So that nothing that clears temporary directories of what is old removes an idle process's spool."""
        if self._own and clock.monotonic() >= self._touch_at:
            self._touch_at = clock.monotonic() + TOUCH_EVERY_S
            for path in (self._own, *self._own.iterdir()):
                os.utime(path)


def _read(path: Path, offset: int, most: int = READ_BYTES) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(most)
    except FileNotFoundError:
        return b""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _pid(path: Path) -> str:
    return path.name.partition("-")[0]


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
