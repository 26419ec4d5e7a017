"""One process under supervision."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from console import clock
from console.embedded import logs
from console.embedded.orphans import ends_with_parent

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 30.0
STEADY_AFTER_S = 30.0
"""A process that ran for this long and then ended is started again without a longer delay."""


@dataclass(frozen=True, slots=True)
class Service:
    """A process to keep running. `is_ready` is given its process id."""

    name: str
    command: list[str]
    is_ready: Callable[[int], bool]
    stop_stage: int
    """Stages stop one after the other, the lowest first."""
    stop_timeout_s: float


@dataclass(slots=True)
class Child:
    """A service and its process of the moment, in a process group of its own so that Ctrl-C reaches only us."""

    service: Service
    log: Path
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    failures: int = 0
    """Ends in a row that nobody asked for."""
    retry_at: float = 0.0
    _started: float = field(default=0.0, repr=False)

    def start(self) -> None:
        """Starts the process."""
        self.ready = False
        self._started = clock.monotonic()
        with logs.opened(self.log) as log:
            self.process = subprocess.Popen(
                self.service.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                process_group=0, preexec_fn=ends_with_parent(),
            )

    def running(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def check_ready(self) -> bool:
        """Whether it is ready; asked of the process until it once said so."""
        if not self.ready and self.process and self.running():
            self.ready = self.service.is_ready(self.process.pid)
        return self.ready

    def note_end(self) -> str:
        """Plans the next start, later with each failure in a row; how the process ended, in words."""
        if self.process is None:
            return "does not run"
        code, pid = self.process.wait(), self.process.pid
        self.process = None
        _end_group(pid)
        if clock.monotonic() - self._started > STEADY_AFTER_S:
            self.failures = 0
        delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**self.failures)
        self.failures += 1
        self.retry_at = clock.monotonic() + delay
        return _in_words(code)

    def ask_to_stop(self) -> None:
        """Sends SIGTERM to the process, not to its group: it stops its own children in its own way."""
        if self.process:
            self.process.terminate()

    def end(self) -> None:
        """Ends what is left of it, at once."""
        if self.process:
            _end_group(self.process.pid)
            self.process.wait()
            self.process = None


def _end_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _in_words(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
