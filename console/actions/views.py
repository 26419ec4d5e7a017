"""Pages of actions: all of them, a new one, one with what can be asked of it."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, flash, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from console import ids
from console.access.idempotency import MAX_LENGTH, claim
from console.access.rules import Permission
from console.actions import forms, queries, service
from console.actions.estimate import estimate
from console.actions.permits import NEEDED, Verb, check_may
from console.actions.rules import DESTRUCTIVE, Kind, parse_rate
from console.audit.queries import entries_of
from console.config import settings
from console.errors import InvalidInput
from console.jobs import queries as job_queries
from console.jobs.filters import Cursor
from console.jobs.views import search_of
from console.presence import alive
from console.web import database, htmx
from console.web.asking import asked
from console.web.permissions import current_actor, requires

PAGE = 50

blueprint = Blueprint("actions", __name__)


@blueprint.get("/actions")
@requires(Permission.JOBS_READ)
def index() -> str:
    """Running and past actions, newest first. htmx gets the list alone."""
    cursor = Cursor.decode(request.args.get("cursor", ""))
    actions, following = queries.list_actions(database.session(), cursor, PAGE)
    return render_template(
        "actions/_list.html" if htmx.is_fragment() else "actions/index.html",
        actions=actions,
        is_first=cursor is None,
        next_url=url_for("actions.index", cursor=following.encode()) if following else None,
    )


@blueprint.get("/actions/new")
@requires(Permission.JOBS_READ)
def new() -> str:
    """Says how many jobs would be meant and how long it would take; does nothing."""
    kind = forms.parse_kind(request.args.get("kind", ""))
    check_may(kind)
    return _form(kind, {})


@blueprint.post("/actions")
@requires(Permission.JOBS_READ)
def create() -> tuple[str, int] | Response:
    """Begins an action; sent twice, the same form leads to the same one."""
    kind = forms.parse_kind(request.form.get("kind", ""))
    check_may(kind)
    filled = forms.parse(kind, forms.counted(search_of(request.form).wanted, request.form), request.form)
    if filled.plan is None:
        return _form(kind, filled.errors), 422
    key = request.form.get("key", "")
    if not 1 <= len(key) <= MAX_LENGTH or not key.isprintable():
        raise InvalidInput("The form is incomplete. Go back to the list of jobs and begin again.")
    with database.transaction() as session:
        row = claim(session, current_actor().name, f"form:{key}"[:MAX_LENGTH], forms.fingerprint(request.form))
        if not row.complete:
            row.finish(201, service.create_action(session, current_actor(), filled.plan))
        action_id = row.answer
    return htmx.go(url_for("actions.show", action_id=action_id))


@blueprint.get("/actions/<action_id>")
@requires(Permission.JOBS_READ)
def show(action_id: str) -> str:
    """How one action stands. htmx gets what changes alone."""
    session = database.session()
    action = queries.get_action(session, action_id)
    return render_template(
        "actions/_action.html" if htmx.is_fragment() else "actions/show.html",
        action=action,
        needed=NEEDED[action.kind],
        made=queries.made_by_state(session, action_id),
        jobs=queries.list_made(session, action_id),
        ends=queries.ends_of(session, action_id, action.done),
        audit=entries_of(session, "action", action_id),
        beats=alive("beat") if action.is_open else ("",),
    )


@blueprint.post("/actions/<action_id>/pause")
@requires(Permission.JOBS_READ)
def pause_create(action_id: str) -> Response:
    """Nothing more is done until somebody resumes it."""
    return _ask(action_id, service.pause_action, "It is paused.")


@blueprint.post("/actions/<action_id>/resumption")
@requires(Permission.JOBS_READ)
def resumption_create(action_id: str) -> Response:
    """Goes on."""
    return _ask(action_id, service.resume_action, "It goes on.")


@blueprint.post("/actions/<action_id>/stop")
@requires(Permission.JOBS_READ)
def stop_create(action_id: str) -> Response:
    """Ends it where it is."""
    return _ask(action_id, service.stop_action, "It is stopped. What was done stays done.")


@blueprint.post("/actions/<action_id>/undo")
@requires(Permission.JOBS_READ)
def undo_create(action_id: str) -> Response:
    """Brings flushed jobs back."""
    return _ask(action_id, service.undo_action, "The jobs are being brought back.")


@blueprint.post("/actions/<action_id>/rate")
@requires(Permission.JOBS_READ)
def rate_update(action_id: str) -> Response:
    """Changes how many jobs a second it takes; nothing: as fast as it goes."""
    try:
        rate = parse_rate(request.form.get("rate", ""))
    except InvalidInput as error:
        flash(error.detail, "error")
        return htmx.go(url_for("actions.show", action_id=action_id))
    return _ask(action_id, partial(service.set_rate, rate=rate), "Its rate is changed.")


def _ask(action_id: str, verb: Verb, told: str) -> Response:
    """Asks something of an action, with the permission that its kind needs, and leads back to its page."""

    def ask(session: Session) -> None:
        check_may(queries.get_action(session, action_id).kind)
        verb(session, current_actor(), action_id)

    asked(ask, told)
    return htmx.go(url_for("actions.show", action_id=action_id))


def _form(kind: Kind, errors: dict[str, str]) -> str:
    """The form, with what would be done in numbers. It carries which jobs were counted, to be done to no others."""
    given = request.form or request.args
    try:
        rate = parse_rate(given.get("rate", ""))
    except InvalidInput:
        rate = None
    search = search_of(given)
    return render_template(
        "actions/new.html",
        kind=kind,
        search=search,
        wanted=search.wanted,
        expected=estimate(database.session(), kind, search.wanted, rate),
        typed={name: given.get(name, "") for name in forms.TYPED},
        wrong={name: [said] for name, said in errors.items()},
        defaults=forms.DEFAULTS,
        undo_hours=f"{settings().undo_hours:g}",
        key=given.get("key") or ids.new_id(),
        is_destructive=kind in DESTRUCTIVE,
        scan=job_queries.TEXT_SCAN,
    )
