"""REST routes of jobs: `/api/v1/jobs…` and `/api/v1/job-types`."""

from __future__ import annotations

from functools import partial

from flask import Blueprint
from sqlalchemy.orm import Session

from console.access.once import claim_of, once
from console.access.rules import Permission
from console.errors import InvalidInput, NotFound
from console.jobs import bulk, one, queries, service
from console.jobs.filters import Cursor
from console.jobs.registry import JobType, job_type, job_types
from console.jobs.schemas import (
    BulkRequest,
    Cancelled,
    Count,
    Dispatched,
    DispatchRequest,
    ExportRequest,
    FlushRequest,
    JobDetailAnswer,
    JobList,
    JobsQuery,
    JobTypeList,
    Retried,
    job_answer,
    job_detail_answer,
    job_list_answer,
    job_type_answer,
)
from console.jobs.search.export import start_export
from console.jobs.usage import usage_of
from console.web import database
from console.web.permissions import current_actor, may, requires
from console.web.rest import Answer, Output, endpoint

blueprint = Blueprint("jobs_api", __name__, url_prefix="/api/v1")


@blueprint.get("/jobs")
@requires(Permission.JOBS_READ)
@endpoint(query=JobsQuery, answer=JobList)
def index(query: JobsQuery) -> JobList:
    """List jobs, newest first."""
    wanted = query.filter(sees_all=may(Permission.JOBS_SEE_SENSITIVE))
    page = queries.list_jobs(database.session(), wanted, Cursor.decode(query.cursor), query.limit)
    return job_list_answer(page)


@blueprint.get("/jobs/<path:job_id>")
@requires(Permission.JOBS_READ)
@endpoint(answer=JobDetailAnswer)
def show(job_id: str) -> JobDetailAnswer:
    """Show everything known of a job, but for what is sensitive."""
    seen = one.see(database.session(), job_id)
    return job_detail_answer(seen.job, seen.hidden, usage_of(seen.job.line))


@blueprint.post("/jobs")
@requires(Permission.JOBS_DISPATCH)
@endpoint(body=DispatchRequest, answer=Dispatched, status=201, other_statuses=(200,), idempotent=True)
def create(body: DispatchRequest) -> Answer:
    """Dispatch one job, or several equal ones.

    They are kept before the answer is given, and sent when the broker answers. 200 instead of 201: none was made,
    since a job with the unique key has not ended; it is the answer.
    """
    return once(body, partial(_dispatch, body))


@blueprint.post("/jobs/<path:job_id>/retry")
@requires(Permission.JOBS_RETRY)
@endpoint(answer=Retried, status=201, idempotent=True, errors=(409,))
def retry_create(job_id: str) -> Answer:
    """Retry a failed job, as a new job."""
    return once(None, partial(_retry, job_id))


@blueprint.post("/jobs/<path:job_id>/cancellation")
@requires(Permission.JOBS_CANCEL)
@endpoint(answer=Cancelled, errors=(409,))
def cancellation_create(job_id: str) -> Cancelled:
    """Cancel a job that waits, or have its worker stop one that runs."""
    with database.transaction() as session:
        was = service.cancel_job(session, current_actor(), job_id)
        return Cancelled(was=was, job=job_answer(one.see(session, job_id).job.line))


@blueprint.post("/jobs/retries")
@requires(Permission.JOBS_RETRY)
@endpoint(body=BulkRequest, answer=Count, idempotent=True)
def retries_create(body: BulkRequest) -> Count:
    """Retry every failed job that matches."""
    return _do_to_all(bulk.RETRY, body)


@blueprint.post("/jobs/cancellations")
@requires(Permission.JOBS_CANCEL)
@endpoint(body=BulkRequest, answer=Count, idempotent=True)
def cancellations_create(body: BulkRequest) -> Count:
    """Cancel every waiting job that matches. Those that run are let be."""
    return _do_to_all(bulk.CANCEL, body)


@blueprint.post("/jobs/flushes")
@requires(Permission.JOBS_FLUSH)
@endpoint(body=FlushRequest, answer=Count, idempotent=True)
def flushes_create(body: FlushRequest) -> Count:
    """Delete every failed job that matches, for good."""
    return _do_to_all(bulk.FLUSH, body)


@blueprint.post("/jobs/exports")
@requires(Permission.JOBS_READ)
@endpoint(body=ExportRequest, answer=Dispatched, status=201, idempotent=True)
def exports_create(body: ExportRequest) -> Answer:
    """Write all jobs that match into a file.

    The answer is the job that does it; when it is COMPLETED, its page offers the file.
    """
    return once(body, partial(_export, body))


@blueprint.get("/job-types")
@requires(Permission.JOBS_READ)
@endpoint(answer=JobTypeList)
def types_index() -> JobTypeList:
    """List what can be dispatched."""
    return JobTypeList(data=[job_type_answer(kind) for kind in job_types() if not kind.is_internal])


def _dispatch(body: DispatchRequest, session: Session) -> tuple[int, Output]:
    ids, are_new = service.dispatch_or_find(
        session, current_actor(), _known_type(body.type), dict(body.payload), body.options(), body.count
    )
    job = job_answer(queries.get_job(session, ids[0]).line) if len(ids) == 1 else None
    return 201 if are_new else 200, Dispatched(ids=ids, job=job)


def _export(body: ExportRequest, session: Session) -> tuple[int, Output]:
    wanted = body.filter(sees_all=may(Permission.JOBS_SEE_SENSITIVE))
    job_id = start_export(session, current_actor(), wanted, body.format)
    return 201, Dispatched(ids=[job_id], job=job_answer(queries.get_job(session, job_id).line))


def _retry(job_id: str, session: Session) -> tuple[int, Output]:
    new_id = service.retry_job(session, current_actor(), job_id)
    return 201, Retried(job=job_answer(queries.get_job(session, new_id).line))


def _known_type(name: str) -> JobType:
    """The address exists, the type does not: so it is the body that is wrong."""
    try:
        return job_type(name)
    except NotFound as error:
        raise InvalidInput(error.detail, [{"field": "type", "message": error.detail}]) from None


def _do_to_all(action: bulk.Action, body: BulkRequest) -> Count:
    wanted = body.filter(sees_all=may(Permission.JOBS_SEE_SENSITIVE))
    done = bulk.do_to_all(database.transaction, action, current_actor(), wanted, body.limit, claim_of(body))
    return Count(count=done)
