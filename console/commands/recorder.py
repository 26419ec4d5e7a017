"""`celeriac recorder`: stores job events."""

from __future__ import annotations

import logging
import signal
from types import FrameType

import click

from console.config import settings
from console.embedded import readiness


@click.command()
def recorder() -> None:
    """Store what happens to jobs. Any number may run; one at a time writes each stream."""
    from console.jobs.recorder import Recorder

    logging.basicConfig(level=settings().log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    running = Recorder()

    def stop(_number: int, _frame: FrameType | None) -> None:
        running.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    readiness.announce("recorder")
    running.run()
