"""Jobs in a given state, as the recorder would have left them: row, attempt, counts."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from console import clock, ids
from console.jobs.models import JobAttempt, JobStatus
from console.jobs.registry import JobType, Limits
from console.jobs.rules import ENDED, FAILURES, State, version
from console.jobs.tally import Tally
from console.tracking.events import Kind

KINDS = {
    State.SCHEDULED: Kind.SCHEDULED, State.PENDING: Kind.PUBLISHED, State.PROCESSING: Kind.STARTED,
    State.RETRYING: Kind.RETRY, State.COMPLETED: Kind.SUCCEEDED, State.FAILED: Kind.FAILED,
    State.RETRYABLE: Kind.FAILED, State.CANCELLED: Kind.CANCELLED,
}


class Greeting(BaseModel, extra="forbid"):
    """The payload of the job type that tests dispatch."""

    name: str = Field("world", max_length=50)
    times: int = Field(1, ge=1, le=10)


GREET = JobType(
    name="tests.greet", queue="default", schema=Greeting, limits=Limits(3, 60, 90), description="Says hello.",
)


def make_job(session: Session, state: State = State.RETRYABLE, **columns: Any) -> JobStatus:
    """A job in that state, with one attempt behind it where the state implies one. Commit is the caller's."""
    at: datetime = columns.pop("enqueued_at", clock.now() - timedelta(minutes=1))
    has_run = state not in (State.SCHEDULED, State.PENDING, State.CANCELLED)
    has_ended = has_run and state is not State.PROCESSING
    failed = state in FAILURES or state is State.RETRYING
    values: dict[str, Any] = {
        "id": ids.new_id(), "type": GREET.name, "queue": GREET.queue, "state": state,
        "attempts": int(has_run), "max_attempts": 3, "enqueued_at": at,
        "due_at": clock.now() + timedelta(hours=1) if state in (State.SCHEDULED, State.RETRYING) else None,
        "started_at": at + timedelta(seconds=1) if has_run else None,
        "finished_at": at + timedelta(seconds=3) if has_ended else None,
        "runtime_ms": 2_000 if has_ended else None, "worker": "celery@here" if has_run else None,
        "reason": "exception" if failed else None, "error_type": "ValueError" if failed else None,
        "error_message": "no such name" if failed else None, "traceback": "Traceback: no such name" if failed else None,
        "payload": json.dumps({"args": [], "kwargs": {"name": "Ada", "times": 1}}),
        "result": json.dumps("hello") if state is State.COMPLETED else None,
        "timeline": json.dumps([[clock.to_ms(at), KINDS[state].name.lower(), 0, 0, ""]]),
        "ver": version(0, 0, KINDS[state], clock.to_ms(at)),
    } | columns
    job = JobStatus(**values)
    session.add(job)
    if state in FAILURES:
        session.add(_attempt(job))
    tally = Tally()
    tally.moved(None, (job.type, job.queue, job.state))
    tally.enqueued(clock.to_ms(at), job.type, job.queue)
    if state in ENDED:
        tally.ended(state, clock.to_ms(at), job.type, job.queue, 1_000, 2_000)
    session.flush()
    tally.write(session)
    return job


def _attempt(job: JobStatus) -> JobAttempt:
    return JobAttempt(
        job_id=job.id, run=0, attempt=1, state="FAILED", reason=job.reason, started_at=job.started_at,
        finished_at=job.finished_at, worker=job.worker, error_type=job.error_type,
        error_message=job.error_message, traceback="Traceback: no such name",
    )
