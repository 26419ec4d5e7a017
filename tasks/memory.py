"""The memory limit of an attempt, held by the kernel."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MB = 1024 * 1024
_STATUS = Path("/proc/self/status")


@contextmanager
def memory_limit(megabytes: int) -> Iterator[None]:
    """Lets the block allocate at most `megabytes` more than the process has; beyond that Python raises `MemoryError`.

    By RLIMIT_DATA, which counts private writable memory (Linux ≥ 4.7, setrlimit(2)). Elsewhere nothing is limited.
    A library that does not survive a refused allocation ends the process, which then counts as a lost worker.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _data_bytes() + megabytes * MB
    ceiling = before[1] if before[1] != resource.RLIM_INFINITY else wanted
    resource.setrlimit(resource.RLIMIT_DATA, (min(wanted, ceiling), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _data_bytes() -> int:
    """The process's data segment now, in bytes (VmData of proc(5), in kB)."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
