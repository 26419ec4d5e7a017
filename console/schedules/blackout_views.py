"""Pages of blackout calendars: all of them, one with what it does, and the form that says first what it would do."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.wrappers import Response

from console.access.rules import Permission
from console.audit.queries import entries_of
from console.errors import Conflict, InvalidInput
from console.schedules import blackout_calendars as calendars
from console.schedules import blackout_forms as forms
from console.schedules import queries
from console.schedules.falling import change_of, list_views
from console.schedules.forms import wrong_of
from console.web import database, htmx
from console.web.permissions import current_actor, requires

blueprint = Blueprint("blackouts", __name__, url_prefix="/schedules")


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"span_words": forms.span_words}


@blueprint.get("/blackouts")
@requires(Permission.SCHEDULES_READ)
def index() -> str:
    """The calendars by name."""
    return render_template("blackouts/index.html", calendars=list_views(database.session()))


@blueprint.get("/blackouts/new")
@requires(Permission.SCHEDULES_EDIT)
def new() -> str:
    """An empty form."""
    return _form({}, {})


@blueprint.post("/blackouts")
@requires(Permission.SCHEDULES_EDIT)
def create() -> Response | tuple[str, int]:
    """Keeps a new calendar."""
    return _save("")


@blueprint.post("/blackouts/preview")
@requires(Permission.SCHEDULES_EDIT)
def preview_create() -> str | tuple[str, int]:
    """Says what saving what is typed would do; stores nothing."""
    name = request.form.get("is", "")
    try:
        typed = forms.typed_of(request.form, request.files)
    except InvalidInput as error:
        return _form(request.form, wrong_of(error, forms.FIELDS), name), 422
    return _form(typed, {}, name, is_previewed=True)


@blueprint.get("/blackout/<path:name>")
@requires(Permission.SCHEDULES_READ)
def show(name: str) -> str:
    """One calendar: its blackouts, who keeps to it and what they do not run for it."""
    session = database.session()
    row = queries.get_calendar(session, name)
    change = change_of(session, row.name, row.text)
    audit = entries_of(session, "calendar", row.name, 20)
    return render_template("blackouts/show.html", calendar=row, change=change, audit=audit)


@blueprint.get("/blackout/<path:name>/edit")
@requires(Permission.SCHEDULES_EDIT)
def edit(name: str) -> str:
    """The text, to be changed."""
    row = queries.get_calendar(database.session(), name)
    return _form({"name": row.name, "text": row.text, "rev": str(row.rev)}, {}, row.name)


@blueprint.post("/blackout/<path:name>/edit")
@requires(Permission.SCHEDULES_EDIT)
def update(name: str) -> Response | tuple[str, int]:
    """Gives it another text; 409 when somebody else was faster."""
    return _save(name)


@blueprint.post("/blackout/<path:name>/removal")
@requires(Permission.SCHEDULES_EDIT)
def destroy(name: str) -> Response:
    """Deletes it, and takes it out of the schedules that keep to it when that was asked for."""
    try:
        with database.transaction() as session:
            calendars.delete_calendar(session, current_actor(), name, detach=request.form.get("detach") == "1")
    except Conflict as error:
        flash(error.detail, "error")
        return htmx.go(url_for("blackouts.show", name=name))
    flash(f"The calendar {name} is deleted.", "success")
    return htmx.go(url_for("blackouts.index"))


def _save(name: str) -> Response | tuple[str, int]:
    typed: Any = request.form
    try:
        typed = forms.typed_of(request.form, request.files)
        kept = (name or typed["name"]).strip()
        with database.transaction() as session:
            calendars.save_calendar(
                session, current_actor(), kept, typed["text"], rev=forms.seen_of(typed), add=forms.names_of(typed)
            )
    except (Conflict, InvalidInput) as error:
        wrong = wrong_of(error, forms.FIELDS) if isinstance(error, InvalidInput) else {"form": [error.detail]}
        return _form(typed, wrong, name), error.status
    flash("Kept. Schedules that keep to it are planned anew.", "success")
    return htmx.go(url_for("blackouts.show", name=kept))


def _form(typed: Any, wrong: dict[str, list[str]], name: str = "", *, is_previewed: bool = False) -> str:
    """The form, with what was typed, what is wrong with it and what it would do."""
    session, change = database.session(), None
    before = queries.get_calendar(session, name).text if name else None
    if is_previewed:
        change, wrong = forms.preview_of(session, typed, before, name or typed["name"].strip())
    return render_template("blackouts/form.html", typed=typed, wrong=wrong, name=name, change=change)
