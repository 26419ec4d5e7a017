"""Processes that end when the one that started them does, however that one ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def ends_with_parent(wanted: signal.Signals = signal.SIGKILL) -> Callable[[], None] | None:
    """A `preexec_fn`: the kernel sends the new process `wanted` when its parent dies. Linux only; elsewhere None.

    What must be loaded is loaded here, since little is safe between fork and exec. The kernel goes by the thread
    that forks, so start such processes from the main thread.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(PR_SET_PDEATHSIG, int(wanted), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os.kill(os.getpid(), wanted)

    return before_exec


def end_with_parent(wanted: signal.Signals = signal.SIGKILL) -> None:
    """The same for a process that already runs, for example a child of a worker. Elsewhere than on Linux: nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(wanted), 0, 0, 0)
