"""REST routes of what can be seen of, and done to, one job beside retrying and cancelling it."""

from __future__ import annotations

from functools import partial

from sqlalchemy.orm import Session

from console.access.once import once
from console.access.rules import Permission
from console.jobs import again, api, one, waiting
from console.jobs.attempts import whole_attempts
from console.jobs.one_schemas import (
    AttemptList,
    AttemptsQuery,
    EditedRetryRequest,
    Moved,
    QueueRequest,
    Rescheduled,
    ScheduleRequest,
)
from console.jobs.schemas import JobAnswer, JobDetailAnswer, Retried, attempt_answer, job_answer, job_detail_answer
from console.web import database
from console.web.permissions import current_actor, requires
from console.web.rest import Answer, Output, endpoint

blueprint = api.blueprint


@blueprint.get("/jobs/<path:job_id>/attempts")
@requires(Permission.JOBS_READ)
@endpoint(query=AttemptsQuery, answer=AttemptList)
def attempts_index(job_id: str, query: AttemptsQuery) -> AttemptList:
    """List the attempts of a job that did not end well, latest first."""
    session = database.session()
    mask = one.mask_for(session, job_id)
    found, older = whole_attempts(session, job_id, query.cursor, query.limit)
    return AttemptList(data=[attempt_answer(mask.attempt(item)) for item in found], next=older or None)


@blueprint.post("/jobs/<path:job_id>/disclosure")
@requires(Permission.JOBS_SEE_SENSITIVE)
@endpoint(answer=JobDetailAnswer)
def disclosure_create(job_id: str) -> JobDetailAnswer:
    """Show everything known of a job, with what is sensitive. That it was asked for goes into the audit log."""
    with database.transaction() as session:
        return job_detail_answer(one.disclose(session, current_actor(), job_id))


@blueprint.post("/jobs/<path:job_id>/edited-retry")
@requires(Permission.JOBS_EDIT)
@endpoint(body=EditedRetryRequest, answer=Retried, status=201, idempotent=True, errors=(409,))
def edited_retry_create(job_id: str, body: EditedRetryRequest) -> Answer:
    """Retry a failed job with another payload, as a new job."""
    return once(body, partial(_retry_with, job_id, body))


@blueprint.post("/jobs/<path:job_id>/again")
@requires(Permission.JOBS_AGAIN)
@endpoint(answer=Retried, status=201, idempotent=True, errors=(409,))
def again_create(job_id: str) -> Answer:
    """Run a job that has ended once more, as a new job, also one that completed. A failed one is retried."""
    return once(None, partial(_run_again, job_id))


@blueprint.post("/jobs/<path:job_id>/schedule")
@requires(Permission.JOBS_RESCHEDULE)
@endpoint(body=ScheduleRequest, answer=Rescheduled, errors=(409,))
def schedule_update(job_id: str, body: ScheduleRequest) -> Rescheduled:
    """Change when a SCHEDULED or RETRYING job runs."""
    with database.transaction() as session:
        waiting.reschedule(session, current_actor(), job_id, body.time())
        return Rescheduled(job=_answer(session, job_id))


@blueprint.post("/jobs/<path:job_id>/queue")
@requires(Permission.JOBS_MOVE)
@endpoint(body=QueueRequest, answer=Moved, errors=(409,))
def queue_update(job_id: str, body: QueueRequest) -> Moved:
    """Move a job that waits to another queue. 409 when a worker has its message already."""
    with database.transaction() as session:
        was = waiting.move(session, current_actor(), job_id, body.queue)
        return Moved(was=was, job=_answer(session, job_id))


def _retry_with(job_id: str, body: EditedRetryRequest, session: Session) -> tuple[int, Output]:
    new_id = again.retry_with(session, current_actor(), job_id, body.model_dump())
    return 201, Retried(job=_answer(session, new_id))


def _run_again(job_id: str, session: Session) -> tuple[int, Output]:
    new_id = again.run_again(session, current_actor(), job_id)
    return 201, Retried(job=_answer(session, new_id))


def _answer(session: Session, job_id: str) -> JobAnswer:
    return job_answer(one.see(session, job_id).job.line)
