"""The jobs around one: what started it, what it started, what it retries and what retries it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from console.jobs.models import JobStatus
from console.jobs.queries import LINE_COLUMNS, JobDetail, JobLine, line_of

SHOWN = 50
COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Relatives:
    """`started`: those it started, oldest first, and whether there are more than these.

    `known`: its parent, the first job of its family, the job its group leads to, the one it retries and the one that
    retries it, by their ids; those that are not stored are missing. `beside`: how many of its group are stored, itself
    included, and `awaited`: how many lead to it as the body of their chord; both are counted up to `COUNTED`.
    """

    started: list[JobLine]
    has_more: bool
    known: dict[str, JobLine]
    beside: int = 0
    awaited: int = 0

    @property
    def are_any(self) -> bool:
        """Whether there is anything to show that does not follow from the job alone."""
        return bool(self.started or self.beside > 1 or self.awaited)


def relatives_of(session: Session, job: JobDetail) -> Relatives:
    """The jobs around this one."""
    shown = [getattr(JobStatus, name) for name in LINE_COLUMNS]
    children = select(*shown).where(JobStatus.parent_id == job.line.id).order_by(JobStatus.enqueued_at, JobStatus.id)
    started = [line_of(row) for row in session.execute(children.limit(SHOWN + 1))]
    above = {job.parent_id, job.root_id, job.chord_id, job.line.retry_of, job.line.retried_as} - {None, job.line.id}
    known = [line_of(row) for row in session.execute(select(*shown).where(JobStatus.id.in_(above)))] if above else []
    return Relatives(
        started[:SHOWN],
        len(started) > SHOWN,
        {line.id: line for line in known},
        beside=_count(session, JobStatus.group_id == job.group_id) if job.group_id else 0,
        awaited=_count(session, JobStatus.chord_id == job.line.id),
    )


def _count(session: Session, which: ColumnElement[bool]) -> int:
    some = select(JobStatus.id).where(which).limit(COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0
