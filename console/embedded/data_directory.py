"""The data directory of `celeriac up`: made, locked for one `up` at a time, and told to the other commands."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from console.config import RUNTIME_FILE
from console.errors import Conflict, NotConfigured

LOCK_FILE = "up.lock"


@contextmanager
def claimed(data: Path) -> Iterator[None]:
    """Holds the directory, made if need be, for the length of the block.

    The lock is the kernel's: it goes with the process, however that ends. Raises `Conflict` with the address of
    the `up` that holds it, and `NotConfigured` when nothing can be written there.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(data / LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NotConfigured(
            f"Nothing can be written to {data}: {error.strerror}. "
            "Choose another place with --data DIRECTORY, or in CELERIAC_DATA."
        ) from error
    try:
        _lock(lock, data)
        # One left by an `up` that was killed speaks of servers that are gone.
        (data / RUNTIME_FILE).unlink(missing_ok=True)
        yield
        (data / RUNTIME_FILE).unlink(missing_ok=True)
    finally:
        os.close(lock)


def publish(data: Path, **facts: str | int) -> None:
    """Tells the other commands what runs here; see `Settings.broker`."""
    write_private(data / RUNTIME_FILE, json.dumps({"pid": os.getpid()} | facts))


def write_private(path: Path, text: str) -> None:
    """Replaces the file as a whole; readable for its owner only."""
    made = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(made, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    made.replace(path)


def _lock(lock: int, data: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Conflict(
            f"Celeriac already runs on this data ({data}){_where(data)}. "
            "Use that one, stop it, or start another with its own --data and --port."
        ) from error


def _where(data: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        runtime = json.loads((data / RUNTIME_FILE).read_text())
        return f": {runtime['web_url']}, process {runtime['pid']}"
    return ""
