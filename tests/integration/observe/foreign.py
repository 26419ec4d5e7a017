"""An application that knows nothing of Celeriac. Its jobs count in Valkey what they did: that is what rows must equal."""

from __future__ import annotations

import os
import time

import redis
from celery import Celery

app = Celery("foreign", broker=os.environ["FOREIGN_BROKER"])
app.conf.update(
    task_ignore_result=True, worker_hijack_root_logger=False, broker_connection_retry_on_startup=True,
    task_send_sent_event=os.environ.get("FOREIGN_SENT") == "1", worker_prefetch_multiplier=int(os.environ.get("FOREIGN_PREFETCH", "4")),
    broker_transport_options={"visibility_timeout": 3600} if os.environ["FOREIGN_BROKER"].startswith("redis") else {},
)
_counts = redis.Redis.from_url(os.environ["FOREIGN_COUNTS"])


def did(what: str) -> None:
    _counts.hincrby("foreign:did", what, 1)


@app.task(name="shop.noop")
def noop(*_args: object, **_kwargs: object) -> str:
    did("noop")
    return "done"


@app.task(name="shop.add")
def add(a: int, b: int = 0) -> int:
    did("add")
    return a + b


@app.task(name="shop.fail")
def fail(message: str) -> None:
    did("fail")
    raise ValueError(message)


@app.task(name="shop.flaky", bind=True, max_retries=5, default_retry_delay=0)
def flaky(self, times: int) -> int:  # type: ignore[no-untyped-def]
    did("flaky")
    if self.request.retries < times:
        raise self.retry(exc=ConnectionError("not yet"), countdown=0)
    return self.request.retries


@app.task(name="shop.sleep")
def sleep(seconds: float) -> None:
    did("sleep")
    time.sleep(seconds)
