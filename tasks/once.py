"""One job, then an end: for debugging and for schedulers that start a process per job."""

from __future__ import annotations

import threading
from typing import Any

from celery import Celery, signals
from celery.utils.nodenames import default_nodename, host_format

WAIT_S = 5.0
NONE_WAITED = 7


def run_one(app: Celery, arguments: list[str]) -> int:
    """Runs a worker until one job has ended, or none has come for `WAIT_S` seconds; returns the exit code."""
    begun, done = threading.Event(), threading.Event()

    @signals.task_prerun.connect(weak=False)
    def _begun(**_: Any) -> None:
        begun.set()

    @signals.task_postrun.connect(weak=False)
    def _done(**_: Any) -> None:
        done.set()

    worker = app.Worker(
        pool="solo",
        concurrency=1,
        prefetch_multiplier=1,
        queues=arguments[2].split(","),
        hostname=host_format(default_nodename(arguments[4])),
        loglevel=arguments[6],
        without_gossip=True,
        without_mingle=True,
    )

    def watch() -> None:
        if not begun.wait(WAIT_S):
            worker.stop(exitcode=NONE_WAITED)
            return
        done.wait()
        worker.stop(exitcode=0)

    signals.worker_ready.connect(lambda **_: threading.Thread(target=watch, daemon=True).start(), weak=False)
    worker.start()
    return int(worker.exitcode or 0)
