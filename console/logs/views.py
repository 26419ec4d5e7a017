"""What a job logged: a page of its own, a text to download, and what the job's page includes."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup

from console.access.rules import Permission
from console.jobs import queries
from console.jobs.masking import Mask, mask_of
from console.jobs.queries import JobDetail
from console.jobs.usage import Usage, usage_of
from console.logs.shown import ShownLog, as_text, read_log
from console.web import database, htmx
from console.web.permissions import requires

ON_THE_JOB_PAGE = 100

blueprint = Blueprint("logs", __name__)


@blueprint.get("/jobs/<path:job_id>/logs")
@requires(Permission.JOBS_READ)
def show(job_id: str) -> str:
    """All lines that are kept of an attempt."""
    job = queries.get_job(database.session(), job_id)
    log = _read(job_id, mask_of(job))
    return render_template("logs/_log.html" if htmx.is_fragment() else "logs/show.html", job=job, log=log)


@blueprint.get("/jobs/<path:job_id>/logs.txt")
@requires(Permission.JOBS_READ)
def text_show(job_id: str) -> Response:
    """The same as a text file."""
    mask = mask_of(queries.get_job(database.session(), job_id))
    body = "".join(f"{as_text(line)}\n" for line in _read(job_id, mask).lines)
    return Response(body, mimetype="text/plain", headers={"Content-Disposition": 'attachment; filename="job.log"'})


@blueprint.app_template_global("job_log")
def log_of(job: JobDetail, mask: Mask) -> ShownLog:
    """The end of the log, for the job's page, whose view need not know of it."""
    return _read(job.line.id, mask, most=ON_THE_JOB_PAGE)


@blueprint.app_template_filter("clock_tag")
def clock_tag(at: datetime) -> Markup:
    """A <time> of which the browser shows what a clock would, with milliseconds; all of it on hover."""
    machine = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    exact = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" data-time="clock" title="{}">{}</time>').format(machine, exact, machine[11:])


@blueprint.app_template_global("job_usage")
def usage(job: JobDetail) -> Usage | None:
    """What the running attempt uses."""
    return usage_of(job.line)


def _read(job_id: str, mask: Mask, most: int | None = None) -> ShownLog:
    """As the address asks."""
    attempt, level = request.args.get("log_attempt", ""), request.args.get("log_level", "")
    return read_log(database.session(), job_id, mask, attempt, level, most)
