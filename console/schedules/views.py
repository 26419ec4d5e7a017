"""Pages of schedules: all of them, one with what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.wrappers import Response

from console import clock
from console.access.rules import Permission
from console.audit.queries import entries_of
from console.errors import Conflict, InvalidInput, NotFound
from console.jobs import queries as job_queries
from console.jobs.payload_form import RESHAPE, PayloadForm, form_of
from console.jobs.registry import job_types
from console.schedules import forms, lists, queries, service
from console.schedules.hiding import hide_in_versions, hide_in_view
from console.schedules.outcomes import outcome_of, summed
from console.schedules.usual import usual_run
from console.web import database, htmx
from console.web.asking import asked
from console.web.filters import count
from console.web.permissions import current_actor, requires

PAGE = 50
SHOWN = ("q", "state", "flagged", "after")
LARGEST_MS = 253_402_300_799_999

blueprint = Blueprint("schedules", __name__)


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"outcome_of": outcome_of, "outcomes_in_words": summed}


@blueprint.get("/schedules")
@requires(Permission.SCHEDULES_READ)
def index() -> str:
    """Schedules by name. htmx gets the list alone."""
    session, wanted = database.session(), forms.filter_of(request.args)
    schedules, following = lists.list_schedules(session, wanted, request.args.get("after") or None, PAGE)
    fires = queries.last_fires(session, [one.id for one in schedules])
    kept: dict[str, Any] = {name: request.args[name] for name in SHOWN if request.args.get(name)}
    return render_template(
        "schedules/_list.html" if htmx.is_fragment() else "schedules/index.html",
        schedules=schedules,
        wanted=wanted,
        kept=kept,
        next_url=url_for("schedules.index", **(kept | {"after": following})) if following else None,
        counts=lists.counts_up_to(session),
        most=lists.MOST_COUNTED,
        fires=fires,
        usual=queries.usual_of_each(session, schedules, fires),
    )


@blueprint.get("/schedules/new")
@requires(Permission.SCHEDULES_EDIT)
def new() -> str:
    """An empty form, or one for a job type (`type`)."""
    kind = request.args.get("type", "").strip()
    return _form(forms.blank(kind=kind), form_of(kind, {}), {})


@blueprint.post("/schedules")
@requires(Permission.SCHEDULES_EDIT)
def create() -> Response | tuple[str, int] | str:
    """Keeps a new schedule; what does not fit is said beside its field. Asked to, it only changes the form."""
    if RESHAPE in request.form:
        return _form(request.form, *forms.shown_again(request.form))
    try:
        wanted = forms.definition_of(request.form)
        with database.transaction() as session:
            made = service.create_schedule(session, current_actor(), wanted)
    except InvalidInput as error:
        return _form(request.form, *forms.shown_again(request.form, error)), 422
    flash("The schedule is on.", "success")
    return htmx.go(url_for("schedules.show", schedule_id=made))


@blueprint.post("/schedules/preview")
@requires(Permission.SCHEDULES_READ)
def preview_create() -> str:
    """Says in words what is typed, and lists its next runs; stores nothing."""
    preview = forms.preview_of(database.session(), request.form)
    return render_template("schedules/_preview.html", preview=preview, is_live=True)


@blueprint.get("/schedules/<schedule_id>/edit")
@requires(Permission.SCHEDULES_EDIT)
def edit(schedule_id: str) -> str:
    """The definition, to be changed; what is sensitive is hidden, and stays as it is."""
    schedule = hide_in_view(queries.get_schedule(database.session(), schedule_id))
    typed = forms.typed_of(schedule.definition) | {"rev": str(schedule.rev), "of": schedule.id}
    return _form(typed, form_of(schedule.type, schedule.definition.payload), {}, schedule)


@blueprint.post("/schedules/<schedule_id>/edit")
@requires(Permission.SCHEDULES_EDIT)
def update(schedule_id: str) -> Response | tuple[str, int] | str:
    """Gives it another definition; 409 when somebody else was faster. Asked to, it only changes the form."""
    if RESHAPE in request.form:
        return _edit_again(schedule_id, *forms.shown_again(request.form))
    try:
        wanted = forms.definition_of(request.form)
        with database.transaction() as session:
            service.edit_schedule(session, current_actor(), schedule_id, wanted, rev=forms.rev_of(request.form))
    except InvalidInput as error:
        return _edit_again(schedule_id, *forms.shown_again(request.form, error)), 422
    except Conflict as error:
        return _edit_again(schedule_id, forms.shown_again(request.form)[0], {"form": [error.detail]}), 409
    flash("Changed, from now on. The version before is kept.", "success")
    return htmx.go(url_for("schedules.show", schedule_id=schedule_id))


@blueprint.get("/schedules/<schedule_id>/backfill")
@requires(Permission.SCHEDULES_RUN)
def backfill_new(schedule_id: str) -> str:
    """Says how many past times would run; does nothing."""
    schedule = queries.get_schedule(database.session(), schedule_id)
    if not request.args.get("start"):
        return render_template("schedules/backfill.html", schedule=schedule, typed={}, wrong={}, plan=None)
    return _backfill(schedule, {})


@blueprint.post("/schedules/<schedule_id>/backfill")
@requires(Permission.SCHEDULES_RUN)
def backfill_create(schedule_id: str) -> Response | tuple[str, int]:
    """Runs past times."""
    try:
        with database.transaction() as session:
            zone = queries.get_schedule(session, schedule_id).definition.timezone
            wanted = forms.backfill_of(request.form, zone)
            made = service.backfill_schedule(session, current_actor(), schedule_id, wanted)
    except Conflict as error:
        flash(error.detail, "error")
        return htmx.go(url_for("schedules.show", schedule_id=schedule_id))
    except InvalidInput as error:
        schedule = queries.get_schedule(database.session(), schedule_id)
        return _backfill(schedule, forms.wrong_of(error, forms.BACKFILL)), 422
    flash(f"{count(len(made), 'job')} made.", "success")
    return htmx.go(url_for("schedules.show", schedule_id=schedule_id))


@blueprint.get("/schedules/<schedule_id>")
@requires(Permission.SCHEDULES_READ)
def show(schedule_id: str) -> str:
    """One schedule. htmx gets what changes alone."""
    session = database.session()
    schedule = hide_in_view(queries.get_schedule(session, schedule_id))
    fires, following = queries.list_fires(session, schedule.id, _before(), PAGE)
    return render_template(
        "schedules/_schedule.html" if htmx.is_fragment() else "schedules/show.html",
        schedule=schedule,
        coming=forms.coming(session, schedule),
        fires=fires,
        older=clock.to_ms(following) if following else None,
        usual=usual_run(session, schedule.type, schedule.id),
        versions=hide_in_versions(queries.list_versions(session, schedule.id, 20)),
        audit=entries_of(session, "schedule", schedule.id, 20),
    )


@blueprint.post("/schedules/<schedule_id>/pause")
@requires(Permission.SCHEDULES_EDIT)
def pause_create(schedule_id: str) -> Response:
    """Nothing fires until it is resumed, or until a time."""

    def pause(session: Any, actor: Any, found: str) -> None:
        zone = queries.get_schedule(session, found).definition.timezone
        until = forms.local_time(request.form, "until", zone)
        service.pause_schedule(session, actor, found, request.form.get("reason", "").strip(), until)

    return _ask(schedule_id, pause, "It is paused.")


@blueprint.post("/schedules/<schedule_id>/resumption")
@requires(Permission.SCHEDULES_EDIT)
def resumption_create(schedule_id: str) -> Response:
    """Goes on with its next time."""
    return _ask(schedule_id, service.resume_schedule, "It is on again.")


@blueprint.post("/schedules/<schedule_id>/runs")
@requires(Permission.SCHEDULES_RUN)
def runs_create(schedule_id: str) -> Response:
    """Makes a job now, beside its own times."""
    return _ask(schedule_id, service.run_schedule, "It runs now; its own times stay as they are.")


@blueprint.post("/schedules/<schedule_id>/duplicates")
@requires(Permission.SCHEDULES_EDIT)
def duplicates_create(schedule_id: str) -> Response:
    """Makes a copy, which is paused."""
    made = asked(
        lambda session: service.duplicate_schedule(session, current_actor(), schedule_id),
        "This is the copy. It is paused: change what should differ, then resume it.",
    )
    return htmx.go(url_for("schedules.show", schedule_id=made or schedule_id))


@blueprint.post("/schedules/<schedule_id>/removal")
@requires(Permission.SCHEDULES_EDIT)
def destroy(schedule_id: str) -> Response:
    """Deletes it with its history; its jobs stay."""
    gone = asked(
        lambda session: service.delete_schedule(session, current_actor(), schedule_id),
        lambda name: f"{name} is deleted. Its jobs stay.",
    )
    return htmx.go(url_for("schedules.index") if gone else url_for("schedules.show", schedule_id=schedule_id))


@blueprint.post("/schedules/<schedule_id>/versions/<ver>/restoration")
@requires(Permission.SCHEDULES_EDIT)
def restoration_create(schedule_id: str, ver: str) -> Response:
    """Gives it the definition that it had."""
    if not (ver.isascii() and ver.isdigit() and len(ver) < 9):
        raise NotFound(f"There is no version {ver[:20]!r}.")

    def restore(session: Any, actor: Any, found: str) -> None:
        service.restore_version(session, actor, found, int(ver))

    return _ask(schedule_id, restore, f"It is as it was in version {ver}; that is a new version.")


def _ask(schedule_id: str, verb: Callable[..., Any], told: str) -> Response:
    """Asks something of a schedule, and leads back to where it was asked."""
    asked(lambda session: verb(session, current_actor(), schedule_id), told)
    if request.form.get("from") == "list":
        kept: dict[str, Any] = {name: request.form[name] for name in SHOWN if request.form.get(name)}
        return htmx.go(url_for("schedules.index", **kept))
    return htmx.go(url_for("schedules.show", schedule_id=schedule_id))


def _backfill(schedule: Any, wrong: dict[str, list[str]]) -> str:
    typed, plan = request.form or request.args, None
    try:
        wanted = forms.backfill_of(typed, schedule.definition.timezone)
        plan = queries.plan_backfill(database.session(), schedule.id, wanted)
    except InvalidInput as error:
        wrong = wrong or forms.wrong_of(error, forms.BACKFILL)
    return render_template("schedules/backfill.html", schedule=schedule, typed=typed, wrong=wrong, plan=plan)


def _edit_again(schedule_id: str, payload: PayloadForm, wrong: dict[str, list[str]]) -> str:
    return _form(request.form, payload, wrong, queries.get_schedule(database.session(), schedule_id))


def _form(typed: Any, payload: PayloadForm, wrong: dict[str, list[str]], schedule: Any = None) -> str:
    """The form, with what was typed, what is wrong with it and what it means."""
    session = database.session()
    queues, types = job_queries.known_values(session)[:2]
    return render_template(
        "schedules/form.html",
        schedule=schedule,
        typed=typed,
        form=payload,
        wrong=wrong,
        preview=forms.preview_of(session, typed),
        types=sorted({kind.name for kind in job_types() if not kind.is_internal} | set(types)),
        queues=queues,
        zones=forms.zones(),
        calendars=[one.name for one in queries.list_calendars(session)],
    )


def _before() -> Any:
    text = request.args.get("before", "")
    return clock.from_ms(int(text)) if text.isascii() and text.isdigit() and int(text) <= LARGEST_MS else None
