"""The Celery application that runs our job types, tracked like any other."""

from __future__ import annotations

from console.broker.celery_app import make_app
from console.config import settings
from console.tracking import track
from tasks.consumer import CancelledJobs, Holds

app = make_app("tasks")
app.conf.update(
    beat_scheduler="tasks.beat:DueScheduler",
    worker_consumer="tasks.consumer:JobConsumer",
    worker_pool_restarts=True,
)
app.set_default()
app.steps["consumer"].update({CancelledJobs, Holds})
track(app, spool=settings().spool_dir.absolute(), streams=settings().streams)
