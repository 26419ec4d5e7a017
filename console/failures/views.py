"""Pages of failures: groups, a matrix of type and age, one group, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from console import clock
from console.access.queries import staff
from console.access.rules import Permission
from console.actor import Actor
from console.audit.queries import entries_of
from console.deploys.queries import deploy_before, marks
from console.errors import Conflict, InvalidInput, NotFound
from console.failures import queries, service
from console.failures.queries import GroupFilter, GroupView
from console.failures.rules import AGES, GroupState, Ignore, Sort
from console.jobs import one
from console.jobs.filters import parse_time
from console.jobs.queries import JobDetail
from console.web import database, htmx
from console.web.permissions import current_actor, requires

PAGE = 50
EVERY = "all"
"""As a state: groups in any. Without one, a page shows those that are open."""
FILTERS = ("state", "type", "assignee", "text", "sort")
RANGES = {
    "24h": (timedelta(hours=24), timedelta(hours=1)),
    "7d": (timedelta(days=7), timedelta(hours=6)),
    "30d": (timedelta(days=30), timedelta(days=1)),
}
WRITTEN = {"note", "runbook"}
"""Fields whose text is given back when somebody else was faster, so that it is not lost."""
HOURS = {"1": "1 hour", "4": "4 hours", "24": "1 day", "168": "1 week"}
"""For how long a page offers to ignore."""

blueprint = Blueprint("failures", __name__)


@blueprint.get("/failures")
@requires(Permission.FAILURES_READ)
def index() -> str:
    """Failure groups. htmx gets the list alone."""
    session = database.session()
    wanted, sort = _wanted(), _choice(Sort, "sort") or Sort.LAST
    number = request.args.get("page", 1, int)
    types, assignees = queries.known_values(session)
    return render_template(
        "failures/_list.html" if htmx.is_fragment() else "failures/index.html",
        page=queries.list_groups(session, wanted, sort, number, PAGE),
        number=number,
        wanted=wanted,
        sort=sort,
        args={name: request.args[name] for name in FILTERS if request.args.get(name)},
        counts=queries.count_by_state(session),
        types=types,
        assignees=assignees,
    )


@blueprint.get("/failures/matrix")
@requires(Permission.FAILURES_READ)
def matrix_show() -> str:
    """Failed jobs by type and age. htmx gets the table alone."""
    open_only = request.args.get("open") == "1"
    found = queries.matrix(database.session(), open_only=open_only)
    template = "failures/_matrix.html" if htmx.is_fragment() else "failures/matrix.html"
    return render_template(template, matrix=found, ages=AGES, open_only=open_only)


@blueprint.get("/failures/<fingerprint>")
@requires(Permission.FAILURES_READ)
def show(fingerprint: str) -> str:
    """One failure group."""
    return _show(fingerprint)


@blueprint.post("/failures/<fingerprint>/resolution")
@requires(Permission.FAILURES_RESOLVE)
def resolution_create(fingerprint: str) -> Response | tuple[str, int]:
    """Resolves it."""
    return _do(fingerprint, "Resolved. It opens again by itself if it comes back.", service.resolve_group)


@blueprint.post("/failures/<fingerprint>/reopening")
@requires(Permission.FAILURES_RESOLVE)
def reopening_create(fingerprint: str) -> Response | tuple[str, int]:
    """Opens it again."""
    return _do(fingerprint, "It is open again.", service.reopen_group)


@blueprint.post("/failures/<fingerprint>/ignoring")
@requires(Permission.FAILURES_IGNORE)
def ignoring_create(fingerprint: str) -> Response | tuple[str, int]:
    """Ignores it until a time, so many more failures, or a rate."""

    def ignore(session: Session, actor: Actor, of: str, *, expected: int | None) -> None:
        service.ignore_group(session, actor, of, _ignore(), expected)

    return _do(fingerprint, "Ignored. It opens again by itself as you said.", ignore)


@blueprint.post("/failures/<fingerprint>/assignee")
@requires(Permission.FAILURES_ASSIGN)
def assignee_update(fingerprint: str) -> Response | tuple[str, int]:
    """Says who looks after it."""
    who = request.form.get("assignee", "")
    said = f"{who} looks after it." if who else "Nobody looks after it now."
    return _do(fingerprint, said, service.assign_group, who)


@blueprint.post("/failures/<fingerprint>/note")
@requires(Permission.FAILURES_NOTE)
def note_update(fingerprint: str) -> Response | tuple[str, int]:
    """Keeps what the next one should know."""
    return _do(fingerprint, "The note is kept.", service.note_group, request.form.get("note", ""))


@blueprint.post("/failures/<fingerprint>/runbook")
@requires(Permission.FAILURES_NOTE)
def runbook_update(fingerprint: str) -> Response | tuple[str, int]:
    """Links what is written about it."""
    return _do(fingerprint, "The link is kept.", service.link_runbook, request.form.get("runbook", ""))


def _wanted() -> GroupFilter:
    texts = {name: request.args.get(name, "") for name in ("type", "assignee", "text")}
    if wrong := next((name for name, text in texts.items() if not text.isprintable() or len(text) > 255), None):
        raise InvalidInput(f"{wrong} has to be one line of at most 255 characters.")
    state = None if request.args.get("state") == EVERY else _choice(GroupState, "state") or GroupState.OPEN
    return GroupFilter(state, **texts)


def _choice(of: type[StrEnum], name: str) -> Any:
    """A value of an enumeration from the address; None: nothing is said. Raises `InvalidInput`."""
    text = request.args.get(name, "")
    known = [str(one) for one in of]
    if text and text not in known:
        raise InvalidInput(f"There is no {name} {text!r}. Use one of {', '.join(known)}.")
    return of(text) if text else None


def _show(fingerprint: str, errors: dict[str, str] | None = None) -> str:
    session = database.session()
    group = queries.get_group(session, fingerprint)
    name = request.args.get("range", "24h")
    span, grain = RANGES.get(name, RANGES["24h"])
    return render_template(
        "failures/_group.html" if htmx.is_fragment() else "failures/show.html",
        group=group,
        job=_example(fingerprint),
        stored=queries.count_jobs(session, fingerprint),
        alike=queries.alike(session, fingerprint),
        deploy=deploy_before(session, group.first_seen_at),
        chart=_chart(group, span, grain),
        range_name=name if name in RANGES else "24h",
        ranges=tuple(RANGES),
        audit=entries_of(session, "failure_group", fingerprint),
        people=staff(session),
        hours=HOURS,
        errors=errors or {},
        typed=request.form,
    )


def _example(fingerprint: str) -> JobDetail | None:
    """The newest job of the group, unless it is deleted between two looks."""
    session = database.session()
    job_id = queries.latest_job(session, fingerprint)
    try:
        return one.see(session, job_id).job if job_id else None
    except NotFound:
        return None


def _chart(group: GroupView, span: timedelta, grain: timedelta) -> dict[str, Any]:
    """The series of the chart, as `static/js/chart.js` reads them; times in ms since 1970."""
    session = database.session()
    buckets = queries.trend(session, group.fingerprint, span, grain)
    return {
        "at": [clock.to_ms(at) for at, _ in buckets],
        "failed": [n for _, n in buckets],
        "grain_ms": int(grain.total_seconds()) * 1_000,
        "deploys": marks(session, buckets[0][0]),
    }


def _do(fingerprint: str, said: str, verb: Callable[..., Any], *given: Any) -> Response | tuple[str, int]:
    """Does it and goes back to the group; what was typed wrongly stays to be put right."""
    try:
        with database.transaction() as session:
            expected = request.form.get("version", None, int)
            verb(session, current_actor(), fingerprint, *given, expected=expected)
    except Conflict as error:
        if typed := WRITTEN & request.form.keys():
            return _show(fingerprint, dict.fromkeys(typed, error.detail)), error.status
        flash(error.detail, "error")
    except InvalidInput as error:
        errors = {one["field"]: one["message"] for one in error.errors}
        return _show(fingerprint, errors), error.status
    else:
        flash(said, "success")
    return htmx.go(url_for("failures.show", fingerprint=fingerprint))


def _ignore() -> Ignore:
    """From the form: one way to end it, and its number. Raises `InvalidInput`."""
    way = request.form.get("way", "")
    if way == "until":
        return Ignore(until=_until())
    try:
        number = int(request.form.get(way, "")) if way in ("more", "rate") else None
    except ValueError:
        message = "Must be a whole number."
        raise InvalidInput(f"{way}: {message}", [{"field": way, "message": message}]) from None
    return Ignore(more=number if way == "more" else None, rate=number if way == "rate" else None)


def _until() -> datetime | None:
    hours = request.form.get("hours", "")
    if hours in HOURS:
        return clock.now() + timedelta(hours=int(hours))
    return parse_time(request.form.get("until", ""), "until")
