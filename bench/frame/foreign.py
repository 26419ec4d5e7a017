"""A Celery application of somebody else's; the environment says how it is watched.

Servers of its own, so that nothing but the watching differs: FOREIGN_BROKER, and FOREIGN_BACKEND where results are
kept. FOREIGN_TRACK is the event server and FOREIGN_SPOOL the directory with which `track(app)` is called.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from celery import Celery

_from = os.environ.get  # noqa: TID251 - another application's settings, not ours
backend = _from("FOREIGN_BACKEND")

app = Celery("foreign", broker=_from("FOREIGN_BROKER"), backend=backend)
app.conf.update(
    task_ignore_result=backend is None,
    task_track_started=backend is not None,
    database_create_tables_at_setup=True,
    broker_connection_retry_on_startup=True,
)

if events := _from("FOREIGN_TRACK"):
    from console.tracking import track

    track(app, url=events, spool=Path(_from("FOREIGN_SPOOL", "")))


@app.task(name="foreign.noop")  # type: ignore[untyped-decorator]  # Celery has no types
def noop(*_args: object, **_kwargs: object) -> None:
    """Does nothing."""


@app.task(name="foreign.sleep")  # type: ignore[untyped-decorator]
def sleep(seconds: float) -> None:
    """Waits, as a job does that asks another server."""
    time.sleep(seconds)
