"""The worker's own log: every line can be written, those of the pool of processes too."""

from __future__ import annotations

import logging

import redis
from celery.utils.log import get_multiprocessing_logger


def test_what_the_pool_logs_is_written_with_the_same_format(broker: redis.Redis) -> None:
    from tasks import log_format

    written: list[str] = []
    pool = get_multiprocessing_logger()
    handler = logging.Handler()
    handler.setFormatter(logging.Formatter(log_format.FORMAT))
    handler.emit = lambda record: written.append(handler.format(record))  # type: ignore[method-assign]
    pool.addHandler(handler)
    try:
        log_format._set_up(logging.getLogger("nobody's"))
        pool.error("Process %r pid:%r exited with %r", "ForkPoolWorker-1", 7, "signal 9 (SIGKILL)")
    finally:
        pool.removeHandler(handler)
    assert written[0].endswith("] Process 'ForkPoolWorker-1' pid:7 exited with 'signal 9 (SIGKILL)'")
