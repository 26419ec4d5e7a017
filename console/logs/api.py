"""REST route of what a job logged: `/api/v1/jobs/ID/logs`."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint

from console.access.rules import Permission
from console.jobs import queries as jobs
from console.jobs.masking import mask_of
from console.logs.queries import Place, lines_after, parse_level
from console.logs.schemas import LogAnswer, LogQuery, log_answer
from console.logs.shown import masked
from console.web import database
from console.web.permissions import requires
from console.web.rest import endpoint

blueprint = Blueprint("logs_api", __name__, url_prefix="/api/v1")


@blueprint.get("/jobs/<path:job_id>/logs")
@requires(Permission.JOBS_READ)
@endpoint(query=LogQuery, answer=LogAnswer)
def index(job_id: str, query: LogQuery) -> LogAnswer:
    """List what a job logged, oldest first.

    Of an attempt, 500 lines are kept at most: the first and the last. To follow a job that runs, ask again with
    `last` as the cursor.
    """
    session = database.session()
    mask = mask_of(jobs.get_job(session, job_id))
    level, after = parse_level(query.level), Place.decode(query.cursor)
    page = lines_after(session, job_id, after, of=query.of(), level=level, limit=query.limit)
    return log_answer(replace(page, lines=masked(page.lines, mask)))
