"""`celeriac beat`: publishes what is due."""

from __future__ import annotations

import click

from console.config import settings
from console.embedded import readiness


@click.command()
def beat() -> None:
    """Publish jobs when they are due. Any number may run; each job leaves once."""
    from celery import signals  # noqa: PLC0415  slow to import; --help is not

    import tasks  # noqa: PLC0415

    signals.beat_init.connect(lambda **_: readiness.announce("beat"), weak=False)
    tasks.app.start(["beat", "--loglevel", settings().log_level, "--pidfile", ""])
