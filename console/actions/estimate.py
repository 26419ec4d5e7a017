"""What an action would come to: how many jobs, and how long it would take as things go now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console import clock
from console.actions.models import BulkAction
from console.actions.rules import ActionState, Kind
from console.jobs import bulk, queries
from console.jobs.filters import JobFilter
from console.jobs.models import JobCount, JobRollup
from console.jobs.rules import State

HOW = {Kind.RETRY: bulk.RETRY, Kind.CANCEL: bulk.CANCEL, Kind.FLUSH: bulk.FLUSH}
"""Which jobs each is possible for."""
LATELY = timedelta(minutes=15)
LEAST_DONE = 100
"""An action that did fewer says nothing about how quick the next one will be."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many jobs are meant, and in how many seconds all will be over. None: not known, and `basis` says why.

    `wanted`: the filter, settled; None: of the states that it asks for, none is possible.
    """

    wanted: JobFilter | None
    total: int
    is_exact: bool
    seconds: float | None
    basis: str


def estimate(session: Session, kind: Kind, wanted: JobFilter, rate: float | None = None) -> Estimate:
    """Changes nothing."""
    meant = bulk.meant(session, HOW[kind], wanted)
    if meant is None:
        return Estimate(None, 0, True, None, "No job in the chosen states can be treated so.")
    # Without a time that nobody asked for, the exact counts can answer.
    total, is_exact = queries.count_jobs(session, replace(meant, before=wanted.before))
    seconds, basis = _time(session, kind, wanted, total, rate)
    return Estimate(meant, total, is_exact, seconds, basis)


def _time(
    session: Session, kind: Kind, wanted: JobFilter, total: int, rate: float | None
) -> tuple[float | None, str]:
    sending = total / rate if rate else None
    if kind is not Kind.RETRY:
        if sending is not None:
            return sending, f"at {rate:g} a second"
        return _as_before(session, kind, total)
    names = _queues_of(session, wanted)
    done, minutes = _measured(session, names)
    if not done:
        if sending is not None:
            return sending, f"to send them at {rate:g} a second; how long they then take is not known"
        return None, "not known: in the last 15 minutes no job of these queues has ended"
    each_s = done / (minutes * 60)
    before = _waiting(session, names)
    running = (before + total) / each_s
    if sending is not None and sending > running:
        return sending, f"at {rate:g} a second"
    others = f", after {before:,} that wait before them" if before else ""
    return running, f"at the current rate of {each_s:.3g} a second{others}"


def _as_before(session: Session, kind: Kind, total: int) -> tuple[float | None, str]:
    """As quick as the last one of its kind was."""
    last = session.execute(
        select(BulkAction.done, BulkAction.started_at, BulkAction.ended_at)
        .where(
            BulkAction.kind == kind,
            BulkAction.rate.is_(None),
            BulkAction.state == ActionState.DONE,
            BulkAction.done >= LEAST_DONE,
        )
        .order_by(BulkAction.created_at.desc())
        .limit(1)
    ).first()
    if last is None or last.started_at is None or last.ended_at is None:
        return None, "not known: nothing like it was done before"
    taken = max((last.ended_at - last.started_at).total_seconds(), 0.01)
    return total * taken / last.done, "as quick as the last time"


def _queues_of(session: Session, wanted: JobFilter) -> list[str]:
    """In which the jobs will wait."""
    if wanted.queue:
        return [wanted.queue]
    query = select(JobCount.queue).where(JobCount.state == State.RETRYABLE)
    if wanted.type:
        query = query.where(JobCount.type == wanted.type)
    return list(session.scalars(query.group_by(JobCount.queue).having(func.sum(JobCount.n) > 0).limit(1_000)))


def _measured(session: Session, names: list[str]) -> tuple[int, int]:
    """How many jobs of these queues ended lately, and in how many minutes that was: idle ones say nothing."""
    ended = func.sum(JobRollup.completed + JobRollup.failed)
    minutes = session.execute(
        select(ended)
        .where(
            JobRollup.grain == "minute",
            JobRollup.dimension == "queue",
            JobRollup.name.in_(names),
            JobRollup.at >= clock.now() - LATELY,
        )
        .group_by(JobRollup.at)
        .having(ended > 0)
    ).all()
    return sum(int(n) for (n,) in minutes), len(minutes)


def _waiting(session: Session, names: list[str]) -> int:
    query = select(func.sum(JobCount.n)).where(JobCount.state == State.PENDING, JobCount.queue.in_(names))
    return max(0, int(session.scalar(query) or 0))
