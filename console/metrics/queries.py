"""What only `/metrics` asks. Nothing here reads more rows than there are queues."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console.jobs.models import JobCount, JobStatus
from console.jobs.registry import INTERNAL_QUEUE
from console.jobs.rules import State


def counts(session: Session) -> dict[tuple[str, str], int]:
    """How many jobs there are, by (state, queue); Celeriac's own upkeep is left out."""
    rows = session.execute(
        select(JobCount.state, JobCount.queue, func.sum(JobCount.n))
        .where(JobCount.queue != INTERNAL_QUEUE)
        .group_by(JobCount.state, JobCount.queue)
        .order_by(JobCount.state, JobCount.queue)
    )
    return {(state, queue): int(n) for state, queue, n in rows}


def oldest_pending(session: Session, queues: Iterable[str]) -> dict[str, datetime]:
    """When the oldest pending job of each queue was enqueued; queues without one are left out."""
    found = {}
    for queue in queues:
        at = session.scalar(
            select(JobStatus.enqueued_at)
            .where(JobStatus.queue == queue, JobStatus.state == State.PENDING)
            .order_by(JobStatus.enqueued_at)
            .limit(1)
        )
        if at is not None:
            found[queue] = at
    return found


def first_due(session: Session) -> datetime | None:
    """The earliest time at which beat has something to publish."""
    return session.scalar(select(func.min(JobStatus.due_at)).where(JobStatus.due_at.is_not(None)))
