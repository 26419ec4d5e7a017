"""What was received is written to files as it came, before anyone looks into it.

So the connection is drained at the speed of a disk cache, however long the reading of what came takes; and what had
been received outlives a kill. The bytes are those of Redis' protocol: one push message per Celery event message.

    <folder>/lock                 held while an observer uses the folder
    <folder>/state.json           up to where the files were read, and what is remembered over a restart
    <folder>/<connection>-<n>     bytes of one connection, n from 1; named by the time it was made, in ms
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path
from typing import Any

FILE_BYTES = 8 * 1024 * 1024
READ_BYTES = 256 * 1024
MESSAGE_BEGINS = (b"*4\r\n$8\r\npmessage\r\n", b"*3\r\n$7\r\nmessage\r\n")
STATE = "state.json"
MAX_SLOTS = 16


class Taken(Exception):
    """Every folder of the source is used by another observer."""


def claim(root: Path, source: str) -> tuple[Path, int]:
    """A folder of the source that no other observer of this machine uses, and the descriptor that holds it."""
    for slot in range(1, MAX_SLOTS + 1):
        folder = root / (source if slot == 1 else f"{source}.{slot}")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        return folder, lock
    raise Taken(source)


class JournalWriter:
    """Appends what one connection receives. Raises `OSError` when the disk is full."""

    def __init__(self, folder: Path, connection_ms: int) -> None:
        self._folder, self._connection = folder, connection_ms
        self._number = 0
        self._fd = -1
        self._size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Appends bytes, whole."""
        if self._fd < 0 or self._size >= FILE_BYTES:
            self._next()
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            self._size += written
            view = view[written:]

    def close(self) -> None:
        """Ends the writing; the files stay for the reader."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _next(self) -> None:
        path = self._folder / f"{self._connection}-{self._number + 1}"
        opened = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.close()
        self._fd, self._size = opened, 0
        self._number += 1


class JournalReader:
    """Reads messages in the order in which they came, from where the last observer had got to."""

    def __init__(self, folder: Path, at: list[int] | None) -> None:
        self._folder = folder
        self._at: tuple[int, int] | None = None
        self._offset = 0
        self._left = b""
        self._skipping = False
        self.damaged = 0
        if at is not None and (folder / f"{at[0]}-{at[1]}").exists():
            self._at, self._offset = (at[0], at[1]), at[2]

    def read(self) -> list[list[bytes]]:
        """The next messages, each as its parts; empty when there is nothing new."""
        if self._at is None and not self._go_on():
            return []
        data = self._bytes()
        while not data:
            if not self._go_on():
                return []
            data = self._bytes()
        self._offset += len(data)
        return self._messages(data)

    def position(self) -> list[int] | None:
        """Connection, file and offset of the first message not given yet; None while it began in an earlier file."""
        offset = self._offset - len(self._left)
        return None if self._at is None or offset < 0 else [*self._at, offset]

    def forget(self) -> None:
        """Removes the files before the position. To be called when the position is kept."""
        if self._at is not None and self._offset >= len(self._left):
            for key in self._files():
                if key < self._at:
                    self._path(key).unlink(missing_ok=True)

    def waiting_bytes(self) -> int:
        """What was received and not read yet."""
        total = 0
        for key in self._files():
            if self._at is None or key >= self._at:
                try:
                    total += self._path(key).stat().st_size
                except FileNotFoundError:
                    continue
        return max(0, total - (self._offset if self._at else 0))

    def _bytes(self) -> bytes:
        assert self._at is not None  # noqa: S101 - says to the type checker what `read` has made sure
        try:
            with self._path(self._at).open("rb") as file:
                file.seek(self._offset)
                return file.read(READ_BYTES)
        except FileNotFoundError:
            return b""

    def _go_on(self) -> bool:
        """To the next file; a file is left only when a later one exists, so it does not grow any more."""
        later = [key for key in self._files() if self._at is None or key > self._at]
        if not later:
            return False
        if self._at is not None and self._bytes():  # it grew until the later one was made
            return True
        before, self._at, self._offset = self._at, later[0], 0
        if before is None or before[0] != self._at[0]:
            self._left = b""
            self._skipping = self._at[1] != 1
        return True

    def _messages(self, data: bytes) -> list[list[bytes]]:
        data = self._left + data
        if self._skipping:  # its beginning was read by the last observer, or cannot be read
            start = min((at for begin in MESSAGE_BEGINS if (at := data.find(begin)) >= 0), default=-1)
            if start < 0:
                self._left = data[-len(MESSAGE_BEGINS[0]) :]
                return []
            data, self._skipping = data[start:], False
        found, read = split(data)
        if read < 0:
            self.damaged += 1
            self._skipping, read = True, len(data)
        self._left = data[read:]
        return found

    def _files(self) -> list[tuple[int, int]]:
        parts = (path.name.partition("-") for path in self._folder.iterdir())
        return sorted((int(a), int(b)) for a, dash, b in parts if dash and a.isdecimal() and b.isdecimal())

    def _path(self, key: tuple[int, int]) -> Path:
        return self._folder / f"{key[0]}-{key[1]}"


class State:
    """What an observer remembers over a restart: JSON in a file that is replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATE
        self._mutex = threading.Lock()

    def load(self) -> dict[str, Any]:
        """What was kept; empty at the first start, or when it cannot be read."""
        try:
            return dict(json.loads(self._path.read_text()))
        except (FileNotFoundError, ValueError):
            return {}

    def save(self, state: dict[str, Any]) -> None:
        """Raises `OSError` when the disk is full; what was kept before is kept then."""
        with self._mutex:
            beside = self._path.with_suffix(".new")
            beside.write_text(json.dumps(state))
            beside.replace(self._path)


def split(data: bytes) -> tuple[list[list[bytes]], int]:
    """The whole messages in `data`, and how many bytes they take; -1 bytes when it is not Redis' protocol."""
    found: list[list[bytes]] = []
    at = 0
    try:
        while at < len(data):
            line = data.index(b"\r\n", at)
            if data[at : at + 1] != b"*":
                return found, -1
            parts, after = _parts(data, line + 2, int(data[at + 1 : line]))
            found.append(parts)
            at = after
    except _Unfinished:
        return found, at
    except ValueError:  # no end of line yet, or no number where one belongs
        return found, at if data.find(b"\r\n", at) < 0 else -1
    return found, at


def frame(channel: bytes, body: bytes) -> bytes:
    """A message in the form in which Redis pushes it, for brokers that are not Redis."""
    parts = (b"message", channel, body)
    return b"*3\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


class _Unfinished(Exception):
    """The rest of a message has not been read yet."""


def _parts(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    parts = []
    for _ in range(count):
        line = data.find(b"\r\n", at)
        if line < 0:
            raise _Unfinished
        value, at = data[at + 1 : line], line + 2
        if data[line - len(value) - 1 : line - len(value)] == b"$":
            end = at + int(value)
            if end + 2 > len(data):
                raise _Unfinished
            value, at = data[at:end], end + 2
        parts.append(value)
    return parts, at
