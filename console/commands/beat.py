"""`celeriac beat`: publishes what is due."""

from __future__ import annotations

import click

from console.config import settings
from console.embedded import readiness


@click.command()
def beat() -> None:
    """Publish jobs when they are due. Any number may run; each job leaves once."""
    from celery import signals

    import tasks

    signals.beat_init.connect(lambda **_: readiness.announce("beat"), weak=False)
    tasks.app.start(["beat", "--loglevel", settings().log_level, "--pidfile", ""])
