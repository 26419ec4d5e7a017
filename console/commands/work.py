"""`celeriac work`: a worker."""

from __future__ import annotations

import click

from console.config import settings
from console.embedded import readiness

ALL_QUEUES = "notifications,emails,default,heavy,celeriac"


@click.command()
@click.option(
    "--queue", "queues", default=ALL_QUEUES, show_default=True, metavar="A,B", help="Queues to take jobs from."
)
@click.option("--workers", "concurrency", type=click.IntRange(1, 256), help="Processes that run jobs.")
@click.option("--name", default="work@%h", show_default=True, metavar="NAME", help="Celery's node name.")
@click.option("--once", is_flag=True, help="Run one job, if one waits within 5 s, and stop.")
@click.option("--verbose", is_flag=True, help="Log each job's steps.")
def work(queues: str, concurrency: int | None, name: str, once: bool, verbose: bool) -> None:
    """Run jobs.

    With --once the exit code is 0 when a job ran, and 7 when none waited. What else waits is left to other workers.
    """
    from celery import signals

    import tasks

    log_level = "INFO" if verbose else settings().log_level
    signals.worker_ready.connect(lambda **_: readiness.announce("work"), weak=False)
    if once:
        from tasks.once import run_one

        raise SystemExit(run_one(tasks.app, queues, name, log_level))
    tasks.app.worker_main(
        [
            "worker",
            "--queues",
            queues,
            "--hostname",
            name,
            "--loglevel",
            log_level,
            "--concurrency",
            str(concurrency or settings().concurrency),
            "--without-gossip",
            "--without-mingle",
        ]
    )
