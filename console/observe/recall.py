"""What the store knows of a job whose beginning an observer has not seen, for example before it was started again."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from console import clock, db
from console.jobs.models import JobStatus
from console.jobs.rules import State, retries_of, run_of
from console.observe.memory import Attempt, Known

log = logging.getLogger(__name__)


def recall(job_id: str) -> Known | None:
    """The job's attempt and delivery as stored; None: nothing is known of it, or the database is away."""
    columns = (JobStatus.ver, JobStatus.state, JobStatus.worker, JobStatus.started_at, JobStatus.finished_at)
    try:
        with db.reading() as session:
            row = session.execute(select(*columns).where(JobStatus.id == job_id)).one_or_none()
    except SQLAlchemyError as error:
        log.warning("could not look job %s up: %s", job_id, error)
        return None
    return None if row is None else _known(*row)


def _known(
    ver: int, state: str, worker: str | None, started_at: datetime | None, finished_at: datetime | None
) -> Known:
    known = Known(retries=retries_of(ver), run=run_of(ver), recalled=True)
    if finished_at is not None:
        known.ended_at = clock.to_ms(finished_at) / 1000
    if state in (State.PROCESSING, State.PENDING):
        is_running = state == State.PROCESSING
        at = clock.to_ms(started_at) / 1000 if started_at and is_running else 0.0
        known.open.append(Attempt(known.retries, known.run, (worker or "") if is_running else "", at, is_running))
    return known
