"""One job, then an end: for debugging and for schedulers that start a process per job."""

from __future__ import annotations

from typing import Any

from celery import Celery, signals
from celery.utils.nodenames import default_nodename, host_format
from celery.worker import state

WAIT_S = 5.0
NONE_WAITED = 7
LOOK_EVERY_S = 0.05


def run_one(app: Celery, queues: str, name: str, log_level: str) -> int:
    """Runs a worker until one job has ended, or none has come for `WAIT_S` seconds; returns the exit code.

    The job runs in a child, as in any worker: its limits hold, and the hold on it is renewed while it runs. As soon
    as it has come the worker stops listening, so that what else waits stays with its queue.
    """
    consumers: list[Any] = []

    @signals.task_received.connect(weak=False)
    def _take_no_more(sender: Any = None, **_: Any) -> None:
        sender.task_consumer.cancel()
        consumers.append(sender)

    def stop_when_done() -> None:
        if consumers and not state.reserved_requests:
            state.should_stop = 0

    def stop_when_idle() -> None:
        if not consumers:
            state.should_stop = NONE_WAITED

    @signals.worker_ready.connect(weak=False)
    def _look(sender: Any = None, **_: Any) -> None:
        sender.timer.call_repeatedly(LOOK_EVERY_S, stop_when_done)
        sender.timer.call_after(WAIT_S, stop_when_idle)

    worker = app.Worker(
        concurrency=1,
        prefetch_multiplier=1,
        queues=queues.split(","),
        hostname=host_format(default_nodename(name)),
        loglevel=log_level,
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
