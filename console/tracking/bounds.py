"""The bounds of what waits to be recorded, and what is given up when they are reached.

The stream: from two thirds of its limit, what jobs log is left out, from four fifths progress reports too; at the
limit nothing is shipped, and events wait in the spool on the worker's disk until the recorder has caught up. The
spool: from three quarters of its limit, what jobs log is dropped, from nine tenths progress reports too; at the limit,
or when the disk is nearly full, beginnings of jobs as well. The ends of jobs are kept until the disk refuses them. All
that is given up is counted, by kind.
"""

from __future__ import annotations

import os
import shutil
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

from console import clock
from console.tracking.events import STREAM_PREFIX, Kind

MIB = 1024 * 1024
STREAM_LIMIT_MB = 512
SPOOL_LIMIT_MB = 1024
SHED_LOGS_FROM, SHED_FROM = 2 / 3, 0.8
DROP_LOGS_FROM, DROP_FROM = 0.75, 0.9
FREE_SHARE, FREE_BYTES = 0.05, 256 * MIB
"""Of the disk, the smaller of the two stays free of everything but ends of jobs."""
LOOK_EVERY_S = 1.0
SAMPLES = 500
"""Nodes of a stream that the server weighs to tell its size; some microseconds."""
_ENDS = frozenset((Kind.RETRY, Kind.SUCCEEDED, Kind.FAILED, Kind.CANCELLED, Kind.LOST))
_DROPPED = "dropped-"
_LOGS, _LOGS_AND_PROGRESS, _ALL_BUT_ENDS = 1, 2, 3
"""What a spool refuses, in this order."""


class Drops:
    """Counts by kind, kept in a file too, so that the owner of the spool can tell of its children's."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / f"{_DROPPED}{os.getpid()}"
        self._counts = array("Q", bytes(8 * (max(Kind) + 1)))
        self._fd = -1

    @property
    def total(self) -> int:
        """Of all kinds."""
        return sum(self._counts)

    def count(self, kind: Kind | None) -> int:
        """Adds one, and returns the total."""
        self._counts[kind or 0] += 1
        try:
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            os.pwrite(self._fd, self._counts.tobytes(), 0)
        except OSError:
            pass  # the disk is full: it is written with the next one that finds room
        return self.total

    def by_kind(self) -> Counter[str]:
        """What was counted, by the kind's name in lower case."""
        return _named(self._counts)


def drops_in(directory: Path, but: int | None = None) -> Counter[str]:
    """What processes of a spool directory dropped, by kind; `but`: the process id whose file is left out."""
    found: Counter[str] = Counter()
    for path in directory.glob(f"{_DROPPED}*"):
        if path.name != f"{_DROPPED}{but}":
            counts = array("Q")
            try:
                counts.frombytes(path.read_bytes())
            except (OSError, ValueError):  # just being made
                continue
            found += _named(counts)
    return found


class SpoolLimit:
    """What a spool directory may still take."""

    def __init__(self, directory: Path, limit_mb: float = SPOOL_LIMIT_MB) -> None:
        self._directory, self._limit = directory, int(limit_mb * MIB)
        self.look_every = max(4096, self._limit // 16)
        """Bytes that one process may write until it looks again."""
        self._level = 0
        self._look_at = 0.0

    def refuses(self, kind: Kind | None) -> bool:
        """Whether an event of this kind is to be dropped. `None`: something that can be written again later."""
        if not self._level:
            return False
        if clock.monotonic() >= self._look_at:
            self.look()
        if self._level == _ALL_BUT_ENDS:
            return kind not in _ENDS
        return kind == Kind.LOGGED or (self._level == _LOGS_AND_PROGRESS and kind == Kind.PROGRESS)

    def look(self) -> None:
        """Weighs the directory and asks the disk."""
        self._look_at = clock.monotonic() + LOOK_EVERY_S
        try:
            held = sum(_size(entry) for entry in os.scandir(self._directory))
            disk = shutil.disk_usage(self._directory)
        except OSError:
            return  # whatever is wrong with the directory, the next write tells
        if held >= self._limit or disk.free < min(FREE_SHARE * disk.total, FREE_BYTES):
            self._level = _ALL_BUT_ENDS
        elif held >= DROP_FROM * self._limit:
            self._level = _LOGS_AND_PROGRESS
        else:
            self._level = _LOGS if held >= DROP_LOGS_FROM * self._limit else 0


class StreamLimit:
    """How full the fullest stream is; the server is asked at most once a second, in one question."""

    def __init__(self, client: redis.Redis, streams: int, limit_mb: float = STREAM_LIMIT_MB) -> None:
        self._client, self._limit = client, int(limit_mb * MIB)
        self._streams = [f"{STREAM_PREFIX}{number}" for number in range(streams)]
        self._held = 0
        self._per_entry = 0
        self._look_at = 0.0

    def room(self) -> int:
        """How many bytes the fullest stream may still take. Raises `redis.RedisError`."""
        if clock.monotonic() >= self._look_at:
            self._held = self._ask()
            self._look_at = clock.monotonic() + LOOK_EVERY_S
        return max(0, self._limit - self._held)

    @property
    def sheds(self) -> tuple[Kind, ...]:
        """What is left out."""
        if self._held >= SHED_FROM * self._limit:
            return (Kind.LOGGED, Kind.PROGRESS)
        return (Kind.LOGGED,) if self._held >= SHED_LOGS_FROM * self._limit else ()

    def added(self, blocks: Sequence[int]) -> None:
        """Blocks of these lengths were shipped since."""
        self._held += sum(blocks)
        self._per_entry = max(self._per_entry, sum(blocks) // max(1, len(blocks)))

    def _ask(self) -> int:
        with self._client.pipeline(transaction=False) as pipe:
            for stream in self._streams:
                pipe.memory_usage(stream, samples=SAMPLES)
                pipe.xlen(stream)
            answers = pipe.execute(raise_on_error=False)
        return max(self._weight(*pair) for pair in zip(answers[::2], answers[1::2], strict=True))

    def _weight(self, usage: Any, length: Any) -> int:
        """As the server says; where it may not or cannot, as many entries as there are, of the size ours have."""
        if isinstance(usage, int):
            return usage
        return int(length) * self._per_entry if isinstance(length, int) and usage is not None else 0


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # shipped just now
        return 0


def _named(counts: Sequence[int]) -> Counter[str]:
    names = {int(kind): kind.name.lower() for kind in Kind}
    return Counter({names.get(number, "block"): count for number, count in enumerate(counts) if count})
