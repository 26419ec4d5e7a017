"""Pages of one job: everything known of it, and what can be done with it."""

from __future__ import annotations

from flask import flash, render_template, url_for
from werkzeug.wrappers import Response

from console.access.rules import Permission
from console.audit.queries import entries_of
from console.errors import CeleriacError
from console.files.service import results_of
from console.jobs import lineage, queries, service, views
from console.jobs.rules import REASONS, WAITING
from console.jobs.tracebacks import parts
from console.web import database, htmx
from console.web.permissions import current_actor, requires

blueprint = views.blueprint
blueprint.add_app_template_filter(parts, "traceback_parts")


@blueprint.get("/jobs/<path:job_id>")
@requires(Permission.JOBS_READ)
def show(job_id: str) -> str:
    """Everything known of one job."""
    session = database.session()
    job = queries.get_job(session, job_id)
    return render_template(
        "jobs/_job.html" if htmx.is_fragment() else "jobs/show.html",
        job=job,
        relatives=lineage.relatives_of(session, job),
        reason_text=REASONS.get(job.line.reason or ""),
        audit=entries_of(session, "job", job_id),
        files=results_of(job_id),
    )


@blueprint.post("/jobs/<path:job_id>/retry")
@requires(Permission.JOBS_RETRY)
def retry_create(job_id: str) -> Response:
    """Runs a failed job again; leads to the new one."""
    try:
        with database.transaction() as session:
            new_id = service.retry_job(session, current_actor(), job_id)
    except CeleriacError as error:
        return _refused(error, job_id)
    flash("It runs again as this new job.", "success")
    return htmx.go(url_for("jobs.show", job_id=new_id))


@blueprint.post("/jobs/<path:job_id>/cancellation")
@requires(Permission.JOBS_CANCEL)
def cancellation_create(job_id: str) -> Response:
    """Cancels a waiting job, or has its worker stop a running one."""
    try:
        with database.transaction() as session:
            was = service.cancel_job(session, current_actor(), job_id)
    except CeleriacError as error:
        return _refused(error, job_id)
    flash("It is cancelled." if was in WAITING else "Its worker was told to stop it.", "success")
    return htmx.go(url_for("jobs.show", job_id=job_id))


def _refused(error: CeleriacError, job_id: str) -> Response:
    """Somebody or something was faster; the job's page shows how it stands."""
    flash(error.detail, "error")
    return htmx.go(url_for("jobs.show", job_id=job_id) if error.status == 409 else url_for("jobs.index"))
