"""The logs of the processes that `celeriac up` starts: one file each, never without bound."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

LARGEST_BYTES = 10_000_000
KEPT = 3
TAIL_BYTES = 16_000


def opened(path: Path) -> BinaryIO:
    """The log, to append to; a large one is put aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if _is_large(path):
        _make_room(path)
        path.replace(_old(path, 1))
    return path.open("ab")


def limit(path: Path) -> None:
    """Puts a large log aside while its process goes on writing to it; what it writes meanwhile may be lost."""
    if _is_large(path):
        _make_room(path)
        shutil.copyfile(path, _old(path, 1))
        with path.open("r+b") as log:
            log.truncate(0)


def last_lines(path: Path, count: int = 12) -> str:
    """The end of the log, indented; empty when there is none."""
    with suppress(OSError), path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-count:])
    return ""


def _is_large(path: Path) -> bool:
    return path.exists() and path.stat().st_size > LARGEST_BYTES


def _make_room(path: Path) -> None:
    """Moves the older ones on by one; the oldest goes."""
    for number in range(KEPT - 1, 0, -1):
        if _old(path, number).exists():
            _old(path, number).replace(_old(path, number + 1))


def _old(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
