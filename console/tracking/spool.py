"""The spool: what a process saw goes to a file at once, and from there to the stream in blocks.

Each process appends to a file of its own with one `write` per event, so an event outlives a kill of the process.
A thread of the owning process ships whole blocks to the stream and forgets them only when the server has them.
A directory whose owner died (its lock is free) is adopted by whoever looks next; what was shipped twice then is
stored once. Nothing here raises into the host's code: what cannot be written, or must not since the spool has
reached its limit (`bounds`), is counted.

    <root>/<boot id>/lock           held (flock) as long as the owner or one of its children lives
    <root>/<boot id>/<pid>-<n>      records of one process; only the highest n is still written to
    <root>/<boot id>/dropped-<pid>  what that process dropped; there is none unless it did
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import msgpack

from console.tracking.bounds import Drops, SpoolLimit
from console.tracking.events import Kind

ROTATE_BYTES = 512 * 1024
BLOCK_BYTES = 256 * 1024
LOCK_NAME = "lock"

log = logging.getLogger(__name__)


class Directory:
    """A spool directory that this process owns."""

    def __init__(self, root: Path) -> None:
        """Makes the directory under another name, locks it and only then moves it in place: none adopts it before."""
        root.mkdir(parents=True, exist_ok=True)
        self.boot_id = uuid.uuid4().hex
        making = root / f".{self.boot_id}"
        making.mkdir(mode=0o700)
        self._lock = os.open(making / LOCK_NAME, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = root / self.boot_id
        making.rename(self.path)

    def leave(self) -> None:
        """In the child of a fork that has a directory of its own: lets go of the parent's lock without freeing it."""
        os.close(self._lock)

    def close(self, *, is_shipped: bool) -> None:
        """Removes the directory when all is shipped, else leaves it to be adopted."""
        if is_shipped:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


class Writer:
    """Appends records of this process; safe with threads and across forks."""

    def __init__(self, directory: Path, limit: SpoolLimit | None = None) -> None:
        self._directory = directory
        self._limit = limit or SpoolLimit(directory)
        self._mutex = threading.Lock()
        self._pid = 0
        self._fd = -1
        self._number = 0
        self._size = 0
        self.drops = Drops(directory)

    @property
    def dropped(self) -> int:
        """How many writes were dropped by this process."""
        return self.drops.total

    def write(self, record: bytes, kind: Kind | None = None) -> None:
        """Appends one record, whole or not at all. What the limit or the disk refuses is counted under its kind."""
        if self._pid != os.getpid():  # first use, or the child of a fork: the parent's file stays the parent's
            self._mutex = threading.Lock()
            self._pid, self._fd, self._number = os.getpid(), -1, 0
            self.drops = Drops(self._directory)
        with self._mutex:
            if self._limit.refuses(kind):
                self._drop(kind, "the spool has reached its limit")
                return
            try:
                self._append(record)
            except OSError as error:
                self._drop(kind, error)

    def _drop(self, kind: Kind | None, error: OSError | str) -> None:
        dropped = self.drops.count(kind)
        if dropped in (1, 10, 100) or dropped % 10_000 == 0:
            log.error("%d job events were dropped so far, in %s: %s", dropped, self._directory, error)

    def _append(self, record: bytes) -> None:
        if self._fd < 0 or self._size >= min(ROTATE_BYTES, self._limit.look_every):
            self._open_next()
        written = os.write(self._fd, record)
        if written < len(record):
            os.ftruncate(self._fd, self._size)
            raise OSError("the disk is full")
        self._size += written

    def _open_next(self) -> None:
        path = self._directory / f"{self._pid}-{self._number + 1}"
        opened = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size = opened, os.fstat(opened).st_size
        self._number += 1
        self._limit.look()


def files(directory: Path) -> list[Path]:
    """The record files of a spool directory, oldest first within each process."""
    try:
        found = [(place, path) for path in directory.iterdir() if (place := _pid_and_number(path))]
    except FileNotFoundError:
        return []
    return [path for _, path in sorted(found)]


def size(directory: Path) -> int:
    """Bytes of the records in a spool directory."""
    found = 0
    for path in files(directory):
        with suppress(FileNotFoundError):
            found += path.stat().st_size
    return found


def adoptable(root: Path, but: Container[Path | None]) -> dict[Path, int]:
    """Directories whose owner is gone, each with the descriptor of its lock, now held; the caller closes it."""
    found: dict[Path, int] = {}
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path in but or path.name.startswith("."):
            continue
        try:
            lock = os.open(path / LOCK_NAME, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        found[path] = lock
    return found


def whole_records(data: bytes, most: int | None = None) -> int:
    """Length of the longest beginning of `data` that holds only whole records.

    With `most`, no longer than that, unless the first record is.
    """
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(data)
    end = 0
    try:
        while True:
            unpacker.skip()
            if most is not None and end and unpacker.tell() > most:
                break
            end = unpacker.tell()
    except (msgpack.OutOfData, ValueError):
        pass
    return end


def without(data: bytes, kinds: Container[int]) -> tuple[bytes, Counter[str]]:
    """Whole records except those of some kinds, and how many those were, by the kind's name in lower case."""
    kept: list[bytes] = []
    left_out: Counter[str] = Counter()
    for record in _each(data):
        if record[1] in kinds:
            left_out[Kind(record[1]).name.lower()] += 1
        else:
            kept.append(record)
    return (b"".join(kept), left_out) if left_out else (data, left_out)


def blocks(data: bytes, streams: int) -> Iterator[tuple[int, bytes]]:
    """Cuts whole records into blocks of at most about `BLOCK_BYTES`, each with the number of its stream."""
    waiting: dict[int, bytearray] = {}
    for stream, record in _records(data, streams):
        block = waiting.setdefault(stream, bytearray())
        block += record
        if len(block) >= BLOCK_BYTES:
            yield stream, bytes(block)
            block.clear()
    yield from ((stream, bytes(block)) for stream, block in waiting.items() if block)


def stream_of(job_id: str, streams: int) -> int:
    """The stream that carries a job's events: always the same one, so that one recorder sees all of them."""
    return crc32(job_id.encode("utf-8", "replace")) % streams


def _each(data: bytes) -> Iterator[bytes]:
    """The records one by one. Each begins with two bytes: an array of six, and its kind."""
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(data)
    begin = 0
    while begin < len(data):
        unpacker.skip()
        end = unpacker.tell()
        yield data[begin:end]
        begin = end


def _records(data: bytes, streams: int) -> Iterator[tuple[int, bytes]]:
    if streams == 1 and len(data) <= BLOCK_BYTES:
        yield 0, data
        return
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=0, unicode_errors="replace")
    unpacker.feed(data)
    begin = 0
    for record in unpacker:
        end = unpacker.tell()
        yield (stream_of(str(record[1]), streams) if streams > 1 else 0), data[begin:end]
        begin = end


def _pid_and_number(path: Path) -> tuple[int, int] | None:
    """Of a file of records; None for any other."""
    pid, _, number = path.name.partition("-")
    return (int(pid), int(number)) if pid.isdecimal() and number.isdecimal() else None
