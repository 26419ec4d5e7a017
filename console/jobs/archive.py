"""Where flushed jobs are until it is certain that nobody wants them back: rows move there and back as they are.

One statement for each table and direction, however many jobs it is. The caller commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Table, delete, func, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from console.db import Instant
from console.jobs.models import JobAttempt, JobLog, JobStatus, flushed_attempt, flushed_job, flushed_log
from console.jobs.retention import among
from console.jobs.tally import BULK, Tally

_JOBS = JobStatus.metadata.tables[JobStatus.__tablename__]
_ATTEMPTS = JobAttempt.metadata.tables[JobAttempt.__tablename__]
_LOGS = JobLog.metadata.tables[JobLog.__tablename__]
_BELONGING = ((_ATTEMPTS, flushed_attempt, "job_id"), (_LOGS, flushed_log, "job_id"))
_MOVED = ((_JOBS, flushed_job, "id"), *_BELONGING)


@dataclass(frozen=True, slots=True)
class Keep:
    """That flushed jobs are to be kept: under which name, and until when."""

    flush_id: str
    until: datetime


def keep(session: Session, job_ids: Sequence[str], how: Keep) -> None:
    """Copies jobs that are about to be deleted, with their attempts and what they logged."""
    added = (literal(how.flush_id), literal(how.until, Instant()))
    for table, flushed, key in _MOVED:
        rows = select(*added, *table.c).where(among(session, table.c[key], job_ids))
        session.execute(insert(flushed).from_select(["flush_id", "kept_until", *table.c.keys()], rows))


def restore(session: Session, flush_id: str, limit: int) -> tuple[list[str], int]:
    """Brings up to `limit` jobs back, with their counts; their ids, and how many of the kept ones were taken.

    A job that is heard of again meanwhile has a row, which stays as it is; then the kept one is dropped.
    """
    kept = select(flushed_job.c.id).where(flushed_job.c.flush_id == flush_id).order_by(flushed_job.c.id).limit(limit)
    taken = list(session.scalars(kept))
    if not taken:
        return [], 0
    tally, back = Tally(BULK), []
    for row in _put_back(session, _JOBS, flushed_job, flush_id, "id", taken):
        tally.moved(None, (row.type, row.queue, row.state))
        back.append(row.id)
    for table, flushed, key in _BELONGING if back else ():
        _put_back(session, table, flushed, flush_id, key, back)
    for _, flushed, key in _MOVED:
        session.execute(
            delete(flushed).where(flushed.c.flush_id == flush_id, among(session, flushed.c[key], taken))
        )
    tally.write(session)
    return back, len(taken)


def delete_old(session: Session, now: datetime, limit: int) -> int:
    """Deletes up to `limit` jobs, or as many attempts or rows of their logs, whose time is over; 0: none is left."""
    for flushed in (flushed_log, flushed_attempt, flushed_job):
        old = select(flushed.c.kept_until).where(flushed.c.kept_until < now).order_by(flushed.c.kept_until)
        last = session.scalar(old.offset(limit - 1).limit(1))
        where = flushed.c.kept_until < now if last is None else flushed.c.kept_until <= last
        gone: CursorResult[Any] = session.execute(delete(flushed).where(where))  # type: ignore[assignment]
        if gone.rowcount:
            return gone.rowcount
    return 0


def count(session: Session, flush_id: str) -> int:
    """How many jobs are kept under that name."""
    return session.scalar(select(func.count()).select_from(flushed_job).where(flushed_job.c.flush_id == flush_id)) or 0


def _put_back(
    session: Session, table: Table, flushed: Table, flush_id: str, key: str, ids: Sequence[str]
) -> Sequence[Any]:
    """The rows that were put back; none that is there already."""
    columns = table.c.keys()
    rows = select(*(flushed.c[name] for name in columns)).where(
        flushed.c.flush_id == flush_id, among(session, flushed.c[key], ids)
    )
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    into = pg_insert(table) if is_postgresql else sqlite_insert(table)
    shown = [table.c[name] for name in (("id", "type", "queue", "state") if table is _JOBS else ("job_id",))]
    put = into.from_select(columns, rows).on_conflict_do_nothing().returning(*shown)
    return session.execute(put).all()
