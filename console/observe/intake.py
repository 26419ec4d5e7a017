"""The thread that drains a broker into the journal, and comes back when the connection is lost."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from console import clock
from console.broker.observed import EventSource, Lost
from console.observe.journal import JournalWriter

PAUSE_S, PAUSE_MAX_S = 0.1, 3.0
LEAST_GAP_MS = 500
"""An observer that joins one that still hears needs a moment to connect; that is no gap."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing was received from the one instant to the other; in ms since 1970."""

    from_ms: int
    to_ms: int
    reason: str


class Intake:
    """Of one source. `outages` are those that are over; `heard_ms`: when something was last received."""

    def __init__(
        self, name: str, source: EventSource, folder: Path, stopping: threading.Event, since_ms: int | None
    ) -> None:
        self._name, self._source, self._folder, self._stopping = name, source, folder, stopping
        self._thread = threading.Thread(target=self._run, name=f"celeriac-intake-{name}", daemon=True)
        self._writer: JournalWriter | None = None
        self._down_since = since_ms
        self._why = "observer_down"
        self._disk = False
        self.outages: SimpleQueue[Outage] = SimpleQueue()
        self.heard_ms = since_ms or 0
        self.up_since_ms: int | None = None
        self.error = ""

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def join(self) -> None:
        """Waits for its end, once `stopping` is set."""
        self._thread.join(10)

    def _run(self) -> None:
        pause, connection_ms = PAUSE_S, 0
        while not self._stopping.is_set():
            connection_ms = max(clock.now_ms(), connection_ms + 1)
            self._writer = JournalWriter(self._folder, connection_ms)
            try:
                self._source.drain(self._write, self._up, self._stopping)
            except Lost as error:
                self._lost(error)
            finally:
                self._writer.close()
            pause = PAUSE_S if self.up_since_ms else min(pause * 2, PAUSE_MAX_S)
            self.up_since_ms = None
            self._stopping.wait(pause)

    def _lost(self, error: Lost) -> None:
        if str(error) != self.error:
            log.warning("%s: the events cannot be read, trying again: %s", self._name, error)
        self.error = str(error)
        if self.up_since_ms:
            self._down_since, self._why = self.heard_ms, "disk" if self._disk else "connection"

    def _up(self, kept: bool) -> None:
        now = clock.now_ms()
        if self._down_since and not kept and now - self._down_since >= LEAST_GAP_MS:
            self.outages.put(Outage(self._down_since, now, self._why))
        self._down_since, self._disk, self.error = None, False, ""
        self.up_since_ms = self.heard_ms = now
        log.info("%s: events are read", self._name)

    def _write(self, data: bytes) -> None:
        assert self._writer is not None  # noqa: S101 - says to the type checker that `drain` runs inside `_run`
        try:
            self._writer.write(data)
        except OSError as error:
            self._disk = True
            raise Lost(f"could not write to {self._folder}: {error}") from error
        self.heard_ms = clock.now_ms()
