"""What a worker writes to its own log: each line that is logged within a job begins with the job's id and type."""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery, signals
from celery._state import get_current_task
from celery.utils.log import get_multiprocessing_logger

FORMAT = "[%(asctime)s: %(levelname)s/%(processName)s] %(job)s%(message)s"


class WithJob(logging.Filter):
    """Adds `job` to a record: words that say within which attempt it was made; empty outside of jobs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record pass."""
        task = get_current_task()
        request = None if task is None else task.request
        if task is None or request is None or request.id is None:
            record.job = ""
        else:
            record.job = f"job={request.id} type={task.name} attempt={int(request.retries or 0) + 1} "
        return True


def use(app: Celery) -> None:
    """Has the application's workers write so."""
    app.conf.worker_log_format = app.conf.worker_task_log_format = FORMAT


@signals.after_setup_logger.connect(weak=False)
@signals.after_setup_task_logger.connect(weak=False)
def _set_up(logger: logging.Logger | None = None, **_: Any) -> None:
    """On the handlers: filters of a logger are not asked about what its children log.

    Those of the pool of processes too: Celery gives it the same format, but does not tell of it.
    """
    for handler in [*(logger.handlers if logger is not None else ()), *get_multiprocessing_logger().handlers]:
        handler.addFilter(WithJob())
