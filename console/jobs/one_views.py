"""Pages of one job: everything known of it, and what can be done with it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from flask import flash, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from console import clock, ids
from console.access.rules import Permission
from console.audit.queries import entries_of
from console.errors import CeleriacError
from console.files.service import results_of
from console.jobs import again, attempts, one, queries, service, views, waiting
from console.jobs.copies import lines_of
from console.jobs.neighbours import Neighbours, neighbours_of
from console.jobs.one_page import page_of
from console.jobs.queries import JobDetail
from console.jobs.rules import WAITING
from console.jobs.times import parse_planned
from console.jobs.tracebacks import parts
from console.web import database, htmx
from console.web.permissions import current_actor, current_visitor, requires
from console.web.rest import idempotent_key

blueprint = views.blueprint
blueprint.add_app_template_filter(parts, "traceback_parts")


@blueprint.get("/jobs/<path:job_id>")
@requires(Permission.JOBS_READ)
def show(job_id: str) -> str:
    """Everything known of one job, but for what is sensitive."""
    job = queries.get_job(database.session(), job_id, for_page=True)
    return render_template("jobs/_job.html" if htmx.is_fragment() else "jobs/show.html", **_shown(job))


@blueprint.post("/jobs/<path:job_id>/disclosure")
@requires(Permission.JOBS_SEE_SENSITIVE)
def disclosure_create(job_id: str) -> Response | str:
    """The same with what is sensitive, as a page or, on request, the payload as a file; both are written down."""
    as_file = request.form.get("as") == "file"
    with database.transaction() as session:
        job = one.disclose(session, current_actor(), job_id, for_page=not as_file)
    if as_file:
        return _file(job_id, "payload", job.payload)
    return render_template("jobs/show.html", **_shown(job, reveal=True))


@blueprint.get("/jobs/<path:job_id>/payload")
@requires(Permission.JOBS_READ)
def payload_show(job_id: str) -> Response:
    """The whole payload as a file, without what is sensitive."""
    return _file(job_id, "payload", one.see(database.session(), job_id).job.payload)


@blueprint.get("/jobs/<path:job_id>/result")
@requires(Permission.JOBS_READ)
def result_show(job_id: str) -> Response:
    """The whole result as a file, without what is sensitive."""
    return _file(job_id, "result", one.see(database.session(), job_id).job.result)


@blueprint.get("/jobs/<path:job_id>/attempts/<place>/traceback")
@requires(Permission.JOBS_READ)
def traceback_show(job_id: str, place: str) -> Response | str:
    """All of a long traceback, folded; or as it is, for those who open it without scripts."""
    text = attempts.traceback_of(database.session(), job_id, place)
    if not htmx.is_fragment():
        return _plain(text)
    return render_template("jobs/_frames.html", parts=parts(text), place=place)


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
    return htmx.go(_with_list(new_id, instead_of=job_id))


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


@blueprint.get("/jobs/<path:job_id>/again")
@requires(Permission.JOBS_AGAIN)
def again_new(job_id: str) -> str:
    """Says what running it again means, since it did its work already or was stopped on purpose."""
    job = queries.get_job(database.session(), job_id, for_page=True)
    from_list = {"of": request.args.get("of"), "place": request.args.get("place")}
    return render_template("jobs/again_new.html", job=job, line=job.line, key=ids.new_id(), **from_list)


@blueprint.post("/jobs/<path:job_id>/again")
@requires(Permission.JOBS_AGAIN)
def again_create(job_id: str) -> Response:
    """Runs a job that has ended once more; leads to the new one. Sent twice, it is done once."""
    try:
        with database.transaction() as session:
            new_id = again.run_again(session, current_actor(), job_id, key=idempotent_key(request.form.get("key", "")))
    except CeleriacError as error:
        return _refused(error, job_id)
    flash("It runs again as this new job.", "success")
    return htmx.go(_with_list(new_id, instead_of=job_id))


@blueprint.get("/jobs/<path:job_id>/schedule")
@requires(Permission.JOBS_READ)
def schedule_edit(job_id: str) -> str:
    """When and where a waiting job runs, to be changed."""
    session = database.session()
    job = queries.get_job(session, job_id, for_page=True)
    return render_template(
        "jobs/schedule_edit.html", job=job, line=job.line, queues=queries.known_values(session)[0], now=clock.now()
    )


@blueprint.post("/jobs/<path:job_id>/schedule")
@requires(Permission.JOBS_RESCHEDULE)
def schedule_update(job_id: str) -> Response:
    """Has it run at another time, or now."""
    try:
        at = parse_planned("now" if "now" in request.form else request.form.get("at", ""))
        with database.transaction() as session:
            waiting.reschedule(session, current_actor(), job_id, at)
    except CeleriacError as error:
        return _refused(error, job_id)
    flash("It runs at the new time." if at else "It runs now.", "success")
    return htmx.go(url_for("jobs.show", job_id=job_id))


@blueprint.post("/jobs/<path:job_id>/queue")
@requires(Permission.JOBS_MOVE)
def queue_update(job_id: str) -> Response:
    """Has it run from another queue."""
    try:
        with database.transaction() as session:
            was = waiting.move(session, current_actor(), job_id, request.form.get("queue", ""))
    except CeleriacError as error:
        return _refused(error, job_id)
    flash(f"It was moved from the queue {was}.", "success")
    return htmx.go(url_for("jobs.show", job_id=job_id))


def _shown(job: JobDetail, *, reveal: bool = False) -> dict[str, Any]:
    session, visitor = database.session(), current_visitor()
    page = page_of(session, job, request.args.get("attempts", ""), reveal=reveal)
    is_open = page.payload is not None and page.payload.copied != "" and not page.payload.tree.hidden and not reveal
    grants = visitor.grants if visitor else frozenset()
    return {
        "page": page,
        "audit": entries_of(session, "job", job.line.id),
        "files": results_of(job.line.id),
        "copies": lines_of(job, request.host_url.rstrip("/"), grants, is_open=is_open),
        "of": request.args.get("of"),
        "place": request.args.get("place"),
        "neighbours": _neighbours(job),
    }


def _neighbours(job: JobDetail) -> Neighbours | None:
    """In the list whose query the address carries; a query that says nothing, or nonsense, is not worth an error."""
    query = request.args.get("of")
    if query is None:
        return None
    try:
        wanted = views.search_of(MultiDict(parse_qsl(query, max_num_fields=50))).wanted
        session, place = database.session(), request.args.get("place")
        line = queries.get_job(session, place, for_page=True).line if place else job.line
        return neighbours_of(session, wanted, line)
    except (CeleriacError, ValueError):
        return None


def _with_list(job_id: str, instead_of: str) -> str:
    """The page of a job that takes the place of another one in the list that the address carries, if it does."""
    of = request.args.get("of")
    if of is None:
        return url_for("jobs.show", job_id=job_id)
    return url_for("jobs.show", job_id=job_id, of=of, place=request.args.get("place") or instead_of)


def _file(job_id: str, name: str, value: Any) -> Response:
    """JSON to download, so that a browser need not show megabytes of it."""
    response = Response(one.as_text(value), mimetype="application/json")
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}-{job_id[:60]}.json")
    return response


def _plain(text: str) -> Response:
    return Response(text, mimetype="text/plain")


def _refused(error: CeleriacError, job_id: str) -> Response:
    """Somebody or something was faster, or it does not fit; the job's page shows how it stands."""
    flash(error.detail, "error")
    return htmx.go(url_for("jobs.index") if error.status == 404 else url_for("jobs.show", job_id=job_id))
