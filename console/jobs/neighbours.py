"""The next and the previous job of the list that a job's page was opened from: short walks along an index."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from console.jobs import queries
from console.jobs.filters import Cursor, JobFilter
from console.jobs.models import JobStatus
from console.jobs.queries import JobLine
from console.jobs.search import reach


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Ids of the jobs that stand above (newer) and below (older) in the list."""

    newer: str | None
    older: str | None


def neighbours_of(session: Session, wanted: JobFilter, line: JobLine) -> Neighbours:
    """Where the job itself no longer fits the list, its place there still has neighbours."""
    settled = queries.settle(session, wanted)
    place = Cursor(line.enqueued_at, line.id)
    below = queries.list_jobs(session, settled, place, 1).jobs
    return Neighbours(_above(session, settled, place), below[0].id if below else None)


def _above(session: Session, wanted: JobFilter, place: Cursor) -> str | None:
    """The oldest of those that are newer, found in each state by its own index."""
    kinds = [column.type for column in (JobStatus.enqueued_at, JobStatus.id)]
    found = []
    for branch in reach.branches(wanted):
        for state in queries.walked(branch):
            where = [*queries.conditions(branch), JobStatus.enqueued_at >= place.enqueued_at]
            where += [JobStatus.state == state] if state else []
            where.append(tuple_(JobStatus.enqueued_at, JobStatus.id) > tuple_(place.enqueued_at, place.id, types=kinds))
            walk = select(JobStatus.enqueued_at, JobStatus.id).where(*where)
            if row := session.execute(walk.order_by(JobStatus.enqueued_at, JobStatus.id).limit(1)).first():
                found.append((row.enqueued_at, row.id))
    return min(found)[1] if found else None
