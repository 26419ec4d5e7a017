"""`celeriac recorder`: stores job events."""

from __future__ import annotations

import gc
import logging
import signal
from types import FrameType

import click

from console.config import settings
from console.embedded import readiness

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""A batch makes tens of thousands of objects, none in circles; looking for them takes a sixth of the time."""


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
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    readiness.announce("recorder")
    running.run()
