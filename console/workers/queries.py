"""Reads of workers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from console import clock
from console.workers.models import Worker

SILENT_AFTER = timedelta(seconds=30)
"""Workers report every 5 s; one that has been silent for this long is gone."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker's main process, alive or gone.

    `dropped`: events that its application could not keep since it started; `spooled_bytes`: those not shipped yet.
    `source`: the observed application that it belongs to.
    """

    name: str
    pid: int
    concurrency: int
    queues: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    alive: bool
    dropped: int = 0
    spooled_bytes: int = 0
    source: str | None = None


def list_workers(session: Session) -> list[WorkerView]:
    """Workers seen within the last day, living ones first."""
    now = clock.now()
    rows = session.scalars(select(Worker).where(Worker.seen_at > now - timedelta(days=1)).limit(1_000))
    views = [
        WorkerView(
            name=row.name,
            pid=row.pid,
            concurrency=row.concurrency,
            queues=tuple(json.loads(row.queues)),
            started_at=row.started_at,
            seen_at=row.seen_at,
            stopped_at=row.stopped_at,
            alive=row.stopped_at is None and row.seen_at > now - SILENT_AFTER,
            dropped=row.dropped,
            spooled_bytes=row.spooled_bytes,
            source=row.source,
        )
        for row in rows
    ]
    return sorted(views, key=lambda worker: (not worker.alive, worker.name))
