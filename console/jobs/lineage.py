"""The jobs around one: what started it, what it started, what it retries and what retries it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from console.jobs.models import JobStatus
from console.jobs.queries import LINE_COLUMNS, JobDetail, JobLine, line_of

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Relatives:
    """`started`: those it started, oldest first, and whether there are more than these.

    `known`: its parent, the first job of its family, the one it retries and the one that retries it, by their ids;
    those that are not stored are missing.
    """

    started: list[JobLine]
    has_more: bool
    known: dict[str, JobLine]


def relatives_of(session: Session, job: JobDetail) -> Relatives:
    """The jobs around this one."""
    shown = [getattr(JobStatus, name) for name in LINE_COLUMNS]
    children = select(*shown).where(JobStatus.parent_id == job.line.id).order_by(JobStatus.enqueued_at, JobStatus.id)
    started = [line_of(row) for row in session.execute(children.limit(SHOWN + 1))]
    above = {job.parent_id, job.root_id, job.line.retry_of, job.line.retried_as} - {None, job.line.id}
    known = [line_of(row) for row in session.execute(select(*shown).where(JobStatus.id.in_(above)))] if above else []
    return Relatives(started[:SHOWN], len(started) > SHOWN, {line.id: line for line in known})
