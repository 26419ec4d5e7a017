"""What can be done with jobs: dispatch, and retry and cancel one; `bulk` does it to all that match. Each change is a
compare-and-set with its timeline entry, its counts and its audit entry in one transaction; messages leave after that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from console import clock
from console.audit.service import SYSTEM, Actor, record
from console.errors import Conflict, InvalidInput, NotFound
from console.jobs import matching, new_jobs, outbox
from console.jobs.models import JobStatus
from console.jobs.registry import JobType
from console.jobs.rules import ENDED, FAILURES, REASONS, WAITING, State
from console.jobs.sendable import why_not, why_not_ours
from console.jobs.tally import Tally

MAX_DELAY = timedelta(days=3_650)


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """How to dispatch, where it differs from the job type. `at` and `delay_s` exclude each other.

    With a `unique_key`, a job of that key that has not ended yet is returned instead of making another.
    """

    queue: str | None = None
    priority: int | None = None
    delay_s: float | None = None
    at: datetime | None = None
    unique_key: str | None = None
    tags: tuple[str, ...] = ()


def dispatch(
    session: Session,
    actor: Actor,
    job_type: JobType,
    payload: dict[str, Any],
    options: DispatchOptions = DispatchOptions(),
    count: int = 1,
) -> list[str]:
    """Dispatches `count` equal jobs and returns their ids; they are published when the session commits.

    Raises `InvalidInput` when the payload does not fit the job type or an option makes no sense.
    """
    return dispatch_or_find(session, actor, job_type, payload, options, count)[0]


def dispatch_or_find(
    session: Session, actor: Actor, job_type: JobType, payload: dict[str, Any], options: DispatchOptions, count: int
) -> tuple[list[str], bool]:
    """As `dispatch`, and whether they are new: false when the unique key belongs to a job that has not ended."""
    kwargs = job_type.validate(payload)
    due_at = _due_at(options)
    _check(options, count)
    if options.unique_key is not None and (found := _holder(session, options.unique_key)):
        return [found], False
    begun = new_jobs.beginning(clock.now(), due_at)
    made = [
        new_jobs.new_row(job_type.name, options.queue or job_type.queue, _encode_payload(kwargs), begun)
        | {
            "priority": job_type.priority if options.priority is None else options.priority,
            "max_attempts": job_type.limits.max_attempts,
            "unique_key": options.unique_key,
            "unique_lock": options.unique_key,
            "internal": job_type.name.startswith("celeriac."),
            "tags": json.dumps(options.tags) if options.tags else None,
        }
        for _ in range(count)
    ]
    try:
        with session.begin_nested():
            session.execute(insert(JobStatus), made)
    except IntegrityError:  # another process took the unique key between the look and the insert
        if found := _holder(session, options.unique_key or ""):
            return [found], False
        raise
    tally = Tally()
    new_jobs.count(tally, [(row["type"], row["queue"]) for row in made], begun)
    tally.write(session)
    new_jobs.send_after_commit(session, made, begun)
    if not (actor is SYSTEM and job_type.name.startswith("celeriac.")):  # nobody did that
        record(session, actor, "jobs.dispatch", "job_type", job_type.name, count=count, first=made[0]["id"])
    return [row["id"] for row in made], True


def retry_job(session: Session, actor: Actor, job_id: str) -> str:
    """Runs a failed job again as a new job and returns the new id; both point at each other.

    Raises `NotFound`, or `Conflict` when it has not failed, was retried already, its payload was not kept, or another
    broker carries it.
    """
    row = locked_ours(session, job_id)
    if row.state != State.RETRYABLE or why_not(row.message):
        raise Conflict(why_not_retryable(row))
    [new_id] = matching.retry_rows(session, [row])
    session.expire(row)
    record(session, actor, "jobs.retry", "job", job_id, retried_as=new_id)
    return new_id


def cancel_job(session: Session, actor: Actor, job_id: str) -> State:
    """Cancels a waiting job at once, or asks the worker to stop a running one; returns the state it was in.

    A running job becomes CANCELLED when its worker has stopped it. Raises `NotFound`, or `Conflict` when it has ended
    or another broker carries it.
    """
    row = locked_ours(session, job_id)
    before = State(row.state)
    if before in ENDED:
        raise Conflict(f"The job has ended already: it is {before}.")
    if before in WAITING:
        matching.cancel_rows(session, [row], actor)
        session.expire(row)
    outbox.cancel_after_commit(session, [job_id])
    record(session, actor, "jobs.cancel", "job", job_id, state=before)
    return before


def _check(options: DispatchOptions, count: int) -> None:
    problems = []
    if not 1 <= count <= 100_000:
        problems.append({"field": "count", "message": "Must be from 1 to 100,000."})
    if options.priority is not None and not 0 <= options.priority <= 9:
        problems.append({"field": "priority", "message": "Must be from 0 (first) to 9 (last)."})
    if options.unique_key is not None and not 1 <= len(options.unique_key) <= 255:
        problems.append({"field": "unique_key", "message": "Must have 1 to 255 characters."})
    if options.unique_key is not None and count > 1:
        problems.append({"field": "unique_key", "message": "Only one job can hold a unique key; leave out count."})
    if options.queue is not None and not (1 <= len(options.queue) <= 255 and options.queue.isprintable()):
        problems.append({"field": "queue", "message": "Must have 1 to 255 printable characters."})
    if problems:
        raise InvalidInput(" ".join(f"{p['field']}: {p['message']}" for p in problems), problems)


def _due_at(options: DispatchOptions) -> datetime | None:
    """When to publish; None for at once. A time in the past means at once."""
    if options.at is not None and options.delay_s is not None:
        raise InvalidInput(
            "Give either a delay or a time, not both.", [{"field": "at", "message": "Leave out at or delay."}]
        )
    now = clock.now()
    at = options.at
    if options.delay_s is not None:
        if not 0 <= options.delay_s <= MAX_DELAY.total_seconds():
            raise InvalidInput(
                "delay must be from 0 s to ten years.",
                [{"field": "delay", "message": "Must be from 0 to 315,360,000 s."}],
            )
        at = now + timedelta(seconds=options.delay_s)
    if at is not None and at > now + MAX_DELAY:
        raise InvalidInput(
            "at lies more than ten years ahead.", [{"field": "at", "message": "Must be within ten years."}]
        )
    return at if at is not None and at > now else None


def _holder(session: Session, unique_key: str) -> str | None:
    return session.scalar(select(JobStatus.id).where(JobStatus.unique_lock == unique_key))


def _encode_payload(kwargs: dict[str, Any]) -> str:
    return json.dumps({"args": [], "kwargs": kwargs}, separators=(",", ":"))


def _locked(session: Session, job_id: str) -> JobStatus:
    row = session.get(JobStatus, job_id, options=_WHOLE, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no job {job_id!r}. It may have been flushed, or its first event is still on its way.")
    return row


def locked_ours(session: Session, job_id: str) -> JobStatus:
    """The job, locked, when its workers can be reached. Raises `NotFound` or `Conflict`."""
    row = _locked(session, job_id)
    if why := why_not_ours(row.source, row.message):
        raise Conflict(why)
    return row


_WHOLE = [undefer(JobStatus.payload), undefer(JobStatus.message), undefer(JobStatus.timeline)]


def why_not_retryable(row: JobStatus) -> str:
    """Why a job that is not RETRYABLE cannot be retried, for people."""
    if row.retried_as is not None:
        return f"It was retried already, as job {row.retried_as}."
    if row.state in FAILURES and (why := why_not(row.message)):
        return why
    if row.state == State.FAILED:
        return f"Its payload was not kept, so it cannot be run again. {REASONS.get(row.reason or '', '')}".strip()
    return f"Only a failed job can be retried; this one is {row.state}."
