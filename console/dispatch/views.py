"""The page that dispatches jobs: pick a type, fill in its form."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from console.access.rules import Permission
from console.dispatch import forms
from console.errors import InvalidInput
from console.files.service import Given, keep_pictures
from console.jobs import queries
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
def create() -> Response | tuple[str, int]:
    """Dispatches; what does not fit is said beside its field."""
    kind, typed = job_type(request.form.get("type", "")), MultiDict(request.form)
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


def _form(kind: JobType, typed: MultiDict[str, str], problems: list[dict[str, str]]) -> str:
    wrong: dict[str, list[str]] = {}
    for problem in problems:
        parts = problem["field"].split(".")
        wrong.setdefault(".".join(parts[:2]) if parts[0] == "payload" else parts[0], []).append(problem["message"])
    queues: Any = queries.known_values(database.session())[0]
    return render_template(
        "dispatch/new.html",
        kind=kind,
        fields=forms.fields_of(kind.schema),
        typed=typed,
        wrong=wrong,
        queues=queues,
        has_options=forms.has_options(typed),
    )


def _keep_files(kind: JobType, typed: MultiDict[str, str]) -> None:
    """Puts the id of what was uploaded where it was uploaded. Raises `InvalidInput` naming that field."""
    for field in forms.fields_of(kind.schema):
        files = [file for file in request.files.getlist(field.key) if file.filename]
        if field.kind != "upload" or not files:
            continue
        try:
            given = [Given(file.filename or "", file.stream) for file in files]
            typed[field.key] = keep_pictures(database.transaction, current_actor(), given).id
        except InvalidInput as error:
            raise InvalidInput(error.detail, [{"field": field.key, "message": error.detail}]) from None
