"""The Celery application that runs our job types, tracked like any other."""

from __future__ import annotations

from typing import Any

from console.broker.celery_app import make_app
from console.config import settings
from console.jobs.registry import job_types
from console.tracking import track
from tasks import log_format
from tasks.consumer import CancelledJobs, Holds, Standstill


def route(name: str, *_: Any, **__: Any) -> dict[str, str] | None:
    """The queue of one of our job types, for those who call Celery's `apply_async` or `delay`."""
    known = {kind.name: kind.queue for kind in job_types()}
    return {"queue": known[name]} if name in known else None


app = make_app("tasks")
app.conf.update(
    beat_scheduler="tasks.beat:DueScheduler",
    worker_consumer="tasks.consumer:JobConsumer",
    task_routes=(route,),
)
app.set_default()
log_format.use(app)
app.steps["consumer"].update({CancelledJobs, Holds, Standstill})
track(
    app,
    spool=settings().spool_dir.absolute(),
    streams=settings().streams,
    stream_limit_mb=settings().stream_limit,
    spool_limit_mb=settings().spool_limit,
    logs=settings().job_log_level,
)
