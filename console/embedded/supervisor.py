"""Starts services in order, keeps them running, stops them in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from console import clock
from console.embedded import logs
from console.embedded.child import Child, Service
from console.embedded.signals import Signals
from console.errors import CeleriacError

READY_TIMEOUT_S = 90.0
READY_POLL_S = 0.03
STARTS_BEFORE_GIVING_UP = 3
TIDY_EVERY_S = 60.0


class StartFailed(CeleriacError):
    """A service does not come up. The message has the end of its log."""

    title = "It could not be started"


class Stopped(CeleriacError):
    """Somebody asked to stop while it was starting."""

    title = "Stopped"


class Supervisor:
    """The processes of `celeriac up`. `say` tells people what happened to one."""

    def __init__(self, log_directory: Path, signals: Signals, say: Callable[[str], None]) -> None:
        self._logs = log_directory
        self._signals = signals
        self._say = say
        self._children: list[Child] = []

    def start(self, services: Sequence[Service]) -> None:
        """Starts them, all at once, beside those that run already."""
        for service in services:
            child = Child(service, self._logs / f"{service.name}.log")
            self._children.append(child)
            child.start()

    def wait_ready(self) -> None:
        """Returns when every service is ready. Raises `StartFailed`, or `Stopped` when asked to stop meanwhile."""
        limit = clock.monotonic() + READY_TIMEOUT_S
        while not all(child.check_ready() for child in self._children):
            self._signals.wait(READY_POLL_S)
            if self._signals.stops:
                raise Stopped("Stopped before it was ready.")
            for child in self._children:
                self._keep(child)
                if child.failures >= STARTS_BEFORE_GIVING_UP or (not child.ready and clock.monotonic() > limit):
                    raise StartFailed(_failed(child))

    def watch(self) -> None:
        """Starts again what ends by itself, until somebody asks to stop."""
        while not self._signals.stops:
            wait = TIDY_EVERY_S
            for child in self._children:
                self._keep(child)
                child.check_ready()
                logs.limit(child.log)
                if not child.running():
                    wait = min(wait, child.retry_at - clock.monotonic())
            self._signals.wait(wait)

    def stop(self) -> None:
        """Stops everything, stage by stage; all at once when somebody asks again. Nothing is left running."""
        ordered = sorted(self._children, key=lambda child: child.service.stop_stage)
        for _, stage in groupby(ordered, key=lambda child: child.service.stop_stage):
            self._stop_stage(list(stage))
        self._children.clear()

    def _keep(self, child: Child) -> None:
        if child.running():
            return
        if child.process is not None:
            self._say(f"{child.service.name} {child.note_end()}; starting it again. Its log: {child.log}")
        if clock.monotonic() >= child.retry_at and not self._signals.stops:
            child.start()

    def _stop_stage(self, stage: list[Child]) -> None:
        for child in stage:
            child.ask_to_stop()
        limit = clock.monotonic() + max(child.service.stop_timeout_s for child in stage)
        while any(child.running() for child in stage) and clock.monotonic() < limit:
            if self._signals.stops > 1:
                break
            self._signals.wait(0.2)
        for child in stage:
            if child.running():
                self._say(f"{child.service.name} did not stop in time and was ended.")
            child.end()


def _failed(child: Child) -> str:
    said = logs.last_lines(child.log)
    return f"{child.service.name} does not start. Its log, {child.log}, ends with:\n{said or '    (nothing)'}"
