"""What can be done with jobs: dispatch, retry, cancel, flush. Each change is a compare-and-set with its timeline
entry, its counts and its audit entry in one transaction; messages leave after the commit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from console import clock, ids
from console.audit.service import Actor, record
from console.broker.port import Message
from console.errors import Conflict, InvalidInput, NotFound
from console.jobs import outbox, queries
from console.jobs.filters import JobFilter
from console.jobs.models import JobAttempt, JobStatus
from console.jobs.registry import JobType
from console.jobs.rules import ENDED, FAILURES, REASONS, WAITING, State, moments_of, retries_of, version
from console.jobs.tally import Tally
from console.tracking.events import Kind

MAX_DELAY = timedelta(days=3_650)
BULK_BATCH = 500
FLUSH_BATCH = 1_000


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
    kwargs = job_type.validate(payload)
    due_at = _due_at(options)
    _check(options, count)
    if options.unique_key is not None and (found := _holder(session, options.unique_key)):
        return [found]
    made = [
        _new_row(job_type.name, options.queue or job_type.queue, _encode_payload(kwargs), due_at)
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
            return [found]
        raise
    _tally_new(session, made)
    _send_after_commit(session, made)
    record(session, actor, "jobs.dispatch", "job_type", job_type.name, count=count, first=made[0]["id"])
    return [row["id"] for row in made]


def retry_job(session: Session, actor: Actor, job_id: str) -> str:
    """Runs a failed job again as a new job and returns the new id; both point at each other.

    Raises `NotFound`, or `Conflict` when it has not failed, was retried already, or its payload was not kept.
    """
    row = _locked(session, job_id)
    if row.state != State.RETRYABLE:
        raise Conflict(_why_not_retryable(row))
    [new_id] = _retry_rows(session, [row])
    record(session, actor, "jobs.retry", "job", job_id, retried_as=new_id)
    return new_id


def retry_matching(session: Session, actor: Actor, wanted: JobFilter, limit: int = BULK_BATCH) -> int:
    """Retries up to `limit` retryable jobs that match, oldest ones last, and returns how many; 0: none is left.

    Call it in a transaction of its own, again and again, to retry everything that matches.
    """
    states = tuple(state for state in (wanted.states or FAILURES) if state == State.RETRYABLE)
    rows = _batch(session, wanted, states, limit)
    if rows:
        new_ids = _retry_rows(session, rows)
        record(session, actor, "jobs.retry", "job_batch", rows[0].id, count=len(rows), first_retried_as=new_ids[0])
    return len(rows)


def cancel_job(session: Session, actor: Actor, job_id: str) -> State:
    """Cancels a waiting job at once, or asks the worker to stop a running one; returns the state it was in.

    A running job becomes CANCELLED when its worker has stopped it. Raises `NotFound`, or `Conflict` when it has ended.
    """
    row = _locked(session, job_id)
    before = State(row.state)
    if before in ENDED:
        raise Conflict(f"The job has ended already: it is {before}.")
    if before in WAITING:
        _cancel_rows(session, [row], actor)
    outbox.cancel_after_commit(session, [job_id])
    record(session, actor, "jobs.cancel", "job", job_id, state=before)
    return before


def cancel_matching(session: Session, actor: Actor, wanted: JobFilter, limit: int = BULK_BATCH) -> int:
    """Cancels up to `limit` waiting jobs that match and returns how many; 0: none is left. Running ones are let be."""
    states = tuple(state for state in (wanted.states or WAITING) if state in WAITING)
    rows = _batch(session, wanted, states, limit)
    if rows:
        _cancel_rows(session, rows, actor)
        outbox.cancel_after_commit(session, [row.id for row in rows])
        record(session, actor, "jobs.cancel", "job_batch", rows[0].id, count=len(rows))
    return len(rows)


def flush_failed(session: Session, actor: Actor, wanted: JobFilter, limit: int = FLUSH_BATCH) -> int:
    """Deletes up to `limit` failed jobs that match, with their attempts, and returns how many; 0: none is left."""
    states = tuple(state for state in (wanted.states or FAILURES) if state in FAILURES)
    rows = _batch(session, wanted, states, limit)
    if not rows:
        return 0
    gone = [row.id for row in rows]
    tally = Tally()
    for row in rows:
        tally.moved((row.type, row.queue, row.state), None)
        session.expunge(row)
    session.execute(delete(JobAttempt).where(JobAttempt.job_id.in_(gone)))
    session.execute(delete(JobStatus).where(JobStatus.id.in_(gone)).execution_options(synchronize_session=False))
    tally.write(session)
    record(session, actor, "jobs.flush", "job_batch", gone[0], count=len(gone))
    outbox.announce_after_commit(session, ["*"])
    return len(gone)


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


def _new_row(job_type: str, queue: str, payload: str | None, due_at: datetime | None) -> dict[str, Any]:
    """A row that waits: for its time, or for being published, which the sweeper does if this process dies first."""
    now = clock.now()
    now_ms = clock.to_ms(now)
    kind, state = (Kind.PUBLISHED, State.PENDING) if due_at is None else (Kind.SCHEDULED, State.SCHEDULED)
    return {
        "id": ids.new_id(),
        "type": job_type,
        "queue": queue,
        "state": state,
        "payload": payload,
        "enqueued_at": now,
        "due_at": due_at or now + outbox.GRACE,
        "attempts": 0,
        "run": 0,
        "ver": version(0, 0, kind, now_ms),
        "sver": 0,
        "fver": 0,
        "pver": 0,
        "timeline": json.dumps([[now_ms, kind.name.lower(), 0, 0, ""]]),
        "internal": False,
    }


def _tally_new(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    tally = Tally()
    for row in rows:
        tally.moved(None, (row["type"], row["queue"], row["state"]))
        tally.happened("enqueued", clock.to_ms(row["enqueued_at"]), row["type"], row["queue"])
    tally.write(session)


def _send_after_commit(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    outbox.announce_after_commit(session, [row["id"] for row in rows])
    waiting = [row for row in rows if row["state"] == State.PENDING]
    if len(waiting) < len(rows):
        outbox.wake_after_commit(session)
    outbox.publish_after_commit(session, [message_of(row) for row in waiting])


def message_of(row: dict[str, Any], retries: int = 0) -> Message:
    """The message that runs this job's attempt number `retries` + 1."""
    payload = json.loads(row["payload"]) if row.get("payload") else {"args": [], "kwargs": {}}
    return Message(
        id=row["id"],
        type=row["type"],
        queue=row["queue"],
        args=payload["args"],
        kwargs=payload["kwargs"],
        priority=row.get("priority"),
        retries=retries,
        run=row.get("run") or 0,
        envelope=json.loads(row["message"]) if row.get("message") else None,
    )


def _locked(session: Session, job_id: str) -> JobStatus:
    row = session.get(JobStatus, job_id, options=_WHOLE, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no job {job_id!r}. It may have been flushed, or its first event is still on its way.")
    return row


_WHOLE = [undefer(JobStatus.payload), undefer(JobStatus.message), undefer(JobStatus.timeline)]


def _batch(session: Session, wanted: JobFilter, states: Sequence[str], limit: int) -> list[JobStatus]:
    """Matching rows, locked; those somebody else has locked are left to them."""
    if not states:
        return []
    query = select(JobStatus).where(*queries.conditions(wanted), JobStatus.state.in_(states)).options(*_WHOLE)
    if wanted.text:
        query = query.where(queries.text_condition(wanted.text))
    query = query.order_by(JobStatus.enqueued_at.desc(), JobStatus.id.desc()).limit(limit)
    return list(session.scalars(query.with_for_update(skip_locked=True).execution_options(populate_existing=True)))


def _retry_rows(session: Session, rows: Sequence[JobStatus]) -> list[str]:
    tally, made = Tally(), []
    for row in rows:
        new = _new_row(row.type, row.queue, row.payload, None) | {
            "priority": row.priority,
            "max_attempts": row.max_attempts,
            "tags": row.tags,
            "message": row.message,
            "retry_of": row.id,
            "internal": row.internal,
            "root_id": row.root_id or row.id,
        }
        made.append(new)
        tally.moved((row.type, row.queue, row.state), (row.type, row.queue, State.FAILED))
        row.retried_as, row.state = new["id"], State.FAILED
    session.flush()
    session.execute(insert(JobStatus), made)
    tally.write(session)
    _tally_new(session, made)
    outbox.announce_after_commit(session, [row.id for row in rows])
    _send_after_commit(session, made)
    return [new["id"] for new in made]


def _cancel_rows(session: Session, rows: Sequence[JobStatus], actor: Actor) -> None:
    now = clock.now()
    now_ms = clock.to_ms(now)
    tally = Tally()
    for row in rows:
        tally.moved((row.type, row.queue, row.state), (row.type, row.queue, State.CANCELLED))
        tally.ended(State.CANCELLED, now_ms, row.type, row.queue, None, None)
        retries = retries_of(row.ver)
        row.ver = row.fver = version(row.run, retries, Kind.CANCELLED, now_ms)
        row.state, row.reason, row.finished_at, row.due_at, row.unique_lock = (
            State.CANCELLED,
            "cancelled",
            now,
            None,
            None,
        )
        moment = (now_ms, "cancelled", row.run, retries, f"by {actor.name}")
        row.timeline = json.dumps([*moments_of(row.timeline), moment])
    session.flush()
    tally.write(session)
    outbox.announce_after_commit(session, [row.id for row in rows])


def _why_not_retryable(row: JobStatus) -> str:
    if row.retried_as is not None:
        return f"It was retried already, as job {row.retried_as}."
    if row.state == State.FAILED:
        return f"Its payload was not kept, so it cannot be run again. {REASONS.get(row.reason or '', '')}".strip()
    return f"Only a failed job can be retried; this one is {row.state}."
