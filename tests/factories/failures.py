"""Failures as the recorder stores them: through its own code, so that group, counts and rows agree."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from typing import Any

from console import clock, db
from console.jobs import store
from console.jobs.models import JobStatus
from console.tracking.events import Event, Kind

_numbers = itertools.count(1)
TRACEBACK = """Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/srv/shop/orders.py", line 12, in {function}
    charge(order)
{error}: {message}
"""


def failure_events(
    job_id: str, at_ms: int, *, job_type: str = "shop.charge", error: str = "ValueError", message: str = "no",
    function: str = "charge", payload: dict[str, Any] | None = None, worker: str = "celery@a", queue: str = "default",
) -> list[Event]:
    """The life of a job that failed at its first attempt."""
    kwargs = json.dumps({"args": [], "kwargs": payload or {}})
    traceback = TRACEBACK.format(function=function, error=error, message=message)
    ended = {"runtime_ms": 20, "error_type": error, "error_message": message, "reason": "exception", "traceback": traceback}
    return [
        Event(Kind.PUBLISHED, job_id, at_ms - 40, data={"type": job_type, "queue": queue, "payload": kwargs}),
        Event(Kind.STARTED, job_id, at_ms - 20, data={"worker": worker, "type": job_type}),
        Event(Kind.FAILED, job_id, at_ms, data=ended),
    ]


def store_events(events: list[Event]) -> None:
    """As the recorder does."""
    with db.engine().connect().execution_options(write=True) as connection, connection.begin():
        store.store_events(connection, events)


def record_failures(count: int = 1, at: datetime | None = None, **more: Any) -> str:
    """Stores so many failures; a message may name `{n}`. The fingerprint of the last one."""
    at_ms = clock.to_ms(at or clock.now())
    message, payload = more.pop("message", "order {n} was refused"), more.pop("payload", {"order_id": 7})
    job_id, events = "", []
    for _ in range(count):
        n = next(_numbers)
        job_id = f"failure-{n}"
        events += failure_events(job_id, at_ms, message=message.format(n=n), payload=payload, **more)
    store_events(events)
    with db.reading() as session:
        found = session.get_one(JobStatus, job_id).fingerprint
    assert found is not None
    return found
