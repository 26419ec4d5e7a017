"""What the Jobs page does beside finding: completion, saved searches, columns, exports."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, flash, request, url_for
from werkzeug.wrappers import Response

from console import clock
from console.access.rules import Permission
from console.errors import CeleriacError, InvalidInput
from console.jobs.search.columns import choose_columns
from console.jobs.search.completion import complete
from console.jobs.search.export import FORMATS, start_export
from console.jobs.search.guard import check_searchable
from console.jobs.search.language import parse
from console.jobs.search.saved import delete_saved, save_search
from console.web import database, htmx
from console.web.permissions import current_actor, may, requires

blueprint = Blueprint("search", __name__)


@blueprint.get("/jobs/completions")
@requires(Permission.JOBS_READ)
def completions_show() -> dict[str, Any]:
    """What could stand at the place `at` of the search `q`."""
    text = request.args.get("q", "")
    place, sees_all = request.args.get("at", len(text), type=int), may(Permission.JOBS_SEE_SENSITIVE)
    return asdict(complete(database.session(), text, place, sees_all=sees_all))


@blueprint.post("/jobs/searches")
@requires(Permission.JOBS_READ)
def saved_create() -> Response:
    """Keeps the search under a name."""
    form = request.form
    try:
        with database.transaction() as session:
            saved, _ = save_search(
                session, current_actor(), form.get("name", ""), form.get("q", ""), form.get("shared") == "1"
            )
    except CeleriacError as error:
        flash(f"The search was not saved. {error.detail}", "error")
    else:
        flash(f"Saved as {saved.name}{', for everybody' if saved.shared else ''}.", "success")
    return _back()


@blueprint.post("/jobs/searches/<search_id>/deletion")
@requires(Permission.JOBS_READ)
def saved_destroy(search_id: str) -> Response:
    """Removes a saved search; no job is touched."""
    try:
        with database.transaction() as session:
            name = delete_saved(session, current_actor(), search_id)
    except CeleriacError as error:
        flash(error.detail, "error")
    else:
        flash(f"The saved search {name} is deleted.", "success")
    return _back()


@blueprint.post("/jobs/columns")
@requires(Permission.JOBS_READ)
def columns_update() -> Response:
    """Remembers which columns this person wants to see; without any, the usual ones."""
    names = [] if "usual" in request.form else request.form.getlist("column")
    with database.transaction() as session:
        choose_columns(session, current_actor(), names)
    return _back()


@blueprint.post("/jobs/exports")
@requires(Permission.JOBS_READ)
def export_create() -> Response:
    """Starts a job that writes all that match into a file; leads to it."""
    format_ = request.form.get("format", "csv")
    if format_ not in FORMATS:
        raise InvalidInput(f"There is no format {format_!r}. Use {' or '.join(FORMATS)}.")
    wanted = parse(request.form.get("q", ""), clock.now())
    check_searchable(wanted, sees_all=may(Permission.JOBS_SEE_SENSITIVE))
    with database.transaction() as session:
        job_id = start_export(session, current_actor(), wanted, format_)
    flash("This job writes the file. When it is done, you find the file here.", "success")
    return htmx.go(url_for("jobs.show", job_id=job_id))


def _back() -> Response:
    """To the list, with the same search."""
    return htmx.go(url_for("jobs.index", q=request.form.get("q") or None))
