"""The page that dispatches jobs: pick a type, fill in its form."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from console.access.rules import Permission
from console.dispatch import edits, forms
from console.errors import Conflict, InvalidInput
from console.files.service import Given, keep_pictures
from console.jobs import again, one, queries
from console.jobs.payload_fields import fields_of
from console.jobs.payload_form import PREFIX, RESHAPE, Problem, form_again, form_of, wrong_in
from console.jobs.registry import JobType, job_type, job_types
from console.jobs.service import dispatch_or_find
from console.web import database, htmx
from console.web.bodies import takes_files
from console.web.filters import count
from console.web.permissions import current_actor, requires

blueprint = Blueprint("dispatch", __name__)


@blueprint.get("/jobs/new")
@requires(Permission.JOBS_DISPATCH)
def new() -> str:
    """What can be dispatched; with `type`, the form of that type."""
    if not request.args.get("type"):
        return render_template("dispatch/index.html", kinds=[kind for kind in job_types() if not kind.is_internal])
    return _form(job_type(request.args["type"]), MultiDict(), [])


@blueprint.post("/jobs")
@takes_files
@requires(Permission.JOBS_DISPATCH)
def create() -> Response | tuple[str, int] | str:
    """Dispatches; what does not fit is said beside its field. Asked to, it only changes the form."""
    kind, typed = job_type(request.form.get("type", "")), MultiDict(request.form)
    if RESHAPE in typed:
        return _form(kind, typed, [])
    try:
        _keep_files(kind, typed)
        wanted = forms.request_of(kind, typed)
        with database.transaction() as session:
            ids, are_new = dispatch_or_find(
                session, current_actor(), kind, dict(wanted.payload), wanted.options(), wanted.count
            )
    except InvalidInput as error:
        return _form(kind, typed, error.errors), 422
    if len(ids) > 1:
        flash(f"Dispatched {count(len(ids), 'job')}.", "success")
        return htmx.go(url_for("jobs.index", type=kind.name))
    flash("It is dispatched." if are_new else "A job with this unique key has not ended yet: this one.", "success")
    return htmx.go(url_for("jobs.show", job_id=ids[0]))


def _form(kind: JobType, typed: MultiDict[str, str], problems: list[Problem]) -> str:
    form, wrong = form_again(kind.name, typed) if typed else (form_of(kind.name, {}), {})
    wrong = wrong or wrong_in(form, [said for said in problems if said["field"].startswith(PREFIX)])
    for said in problems:
        if not said["field"].startswith(PREFIX):
            wrong.setdefault(said["field"].partition(".")[0], []).append(said["message"])
    queues: Any = queries.known_values(database.session())[0]
    return render_template(
        "dispatch/new.html",
        kind=kind,
        form=form,
        typed=typed,
        wrong=wrong,
        queues=queues,
        has_options=forms.has_options(typed),
    )


def _keep_files(kind: JobType, typed: MultiDict[str, str]) -> None:
    """Puts the id of what was uploaded where it was uploaded. Raises `InvalidInput` naming that field."""
    for field in fields_of(kind):
        key = f"{PREFIX}.{field.name}"
        files = [file for file in request.files.getlist(key) if file.filename]
        if field.kind != "upload" or not files:
            continue
        try:
            given = [Given(file.filename or "", file.stream) for file in files]
            typed[key] = keep_pictures(database.transaction, current_actor(), given).id
        except InvalidInput as error:
            raise InvalidInput(error.detail, [{"field": key, "message": error.detail}]) from None


@blueprint.get("/jobs/<path:job_id>/edit")
@requires(Permission.JOBS_EDIT)
def edit(job_id: str) -> Response | str:
    """The payload of a failed job, to be changed before it is retried."""
    session = database.session()
    seen = one.see(session, job_id).job
    if why := edits.why_not_editable(seen):
        return _back(why, job_id)
    return _edit_form(edits.form_of(seen, wants_json=request.args.get("as") == "json"), seen.line, {})


@blueprint.post("/jobs/<path:job_id>/edit")
@requires(Permission.JOBS_EDIT)
def update(job_id: str) -> Response | tuple[str, int] | str:
    """Shows what would differ; sent from there, it retries the job so. Asked to, it only changes the form."""
    try:
        if RESHAPE in request.form:
            return _edit_again(job_id, [])
        return _send(job_id) if "send" in request.form else _review(job_id)
    except InvalidInput as error:
        return _edit_again(job_id, error.errors or [{"field": "payload", "message": error.detail}]), 422
    except Conflict as error:
        return _back(error.detail, job_id)


def _review(job_id: str) -> str:
    session = database.session()
    line = one.see(session, job_id).job.line
    payload = edits.payload_of(line.type, request.form)
    checked = again.check_edit(session, job_id, payload)
    return render_template("dispatch/review.html", line=line, checked=checked, text=edits.as_json(payload))


def _send(job_id: str) -> Response:
    payload = edits.payload_of("", request.form)
    with database.transaction() as session:
        new_id = again.retry_with(session, current_actor(), job_id, payload)
    flash("It runs again, with the payload changed, as this new job.", "success")
    return htmx.go(url_for("jobs.show", job_id=new_id))


def _edit_again(job_id: str, problems: list[Problem]) -> str:
    line = one.see(database.session(), job_id).job.line
    form, wrong = edits.form_again(line.type, request.form, problems)
    return _edit_form(form, line, wrong)


def _edit_form(form: edits.Form, line: Any, wrong: dict[str, list[str]]) -> str:
    return render_template("dispatch/edit.html", form=form, line=line, wrong=wrong)


def _back(why: str, job_id: str) -> Response:
    flash(why, "error")
    return htmx.go(url_for("jobs.show", job_id=job_id))
