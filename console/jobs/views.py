"""Pages of jobs: the list, and what can be done with some or with all that match. `one_views`: those of one job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from console import clock
from console.access.rules import Permission
from console.errors import InvalidInput
from console.jobs import queries, service
from console.jobs.filters import Cursor, JobFilter
from console.jobs.search.columns import COLUMNS, columns_of
from console.jobs.search.guard import check_searchable
from console.jobs.search.saved import list_saved
from console.jobs.search.shown import Shown, shown
from console.jobs.selection import Outcome, do_to_each
from console.web import database, htmx
from console.web.filters import count
from console.web.permissions import current_actor, may, requires

PAGE = 50

blueprint = Blueprint("jobs", __name__)


@blueprint.get("/jobs")
@requires(Permission.JOBS_READ)
def index() -> Response | tuple[str, int]:
    """Jobs, newest first. htmx gets the list alone."""
    template = "jobs/_list.html" if htmx.is_fragment() else "jobs/index.html"
    try:
        search = search_of(request.args)
    except InvalidInput as error:
        return _misunderstood(template, error)
    session = database.session()
    wanted = queries.settle(session, search.wanted)
    cursor = Cursor.decode(request.args.get("cursor", ""))
    page = queries.list_jobs(session, wanted, cursor, PAGE)
    shown = render_template(
        template,
        page=page,
        search=search,
        wanted=wanted,
        counts=queries.count_by_state(session, replace(wanted, states=())),
        total=queries.count_jobs(session, wanted, None if cursor else page),
        cursor=cursor,
        **_frame(session, request.args.get("columns", "")),
    )
    return htmx.shown_as(shown, _here(q=search.q or None, cursor=request.args.get("cursor") or None))


def _misunderstood(template: str, error: InvalidInput) -> tuple[str, int]:
    """What is wrong with the search, with what was typed. htmx shows nothing but a success."""
    session = database.session()
    empty = Shown((), JobFilter())
    shown = render_template(
        template,
        page=queries.Page([], None),
        search=empty,
        wanted=empty.wanted,
        typed=request.args.get("q", ""),
        error=error.detail,
        counts=queries.count_by_state(session, empty.wanted),
        total=(0, True),
        cursor=None,
        **_frame(session, ""),
    )
    return shown, 200 if htmx.is_fragment() else error.status


def _frame(session: Session, columns: str) -> dict[str, Any]:
    """What stands around a list of jobs."""
    return {
        "known": queries.known_values(session),
        "saved": list_saved(session, current_actor()),
        "columns": columns_of(session, current_actor(), columns),
        "all_columns": COLUMNS,
        "asked_columns": columns,
        "here": _here,
        "scan": queries.TEXT_SCAN,
    }


def _here(**more: str | None) -> str:
    """An address of the list, with the columns that this one names."""
    return url_for("jobs.index", **more, columns=request.args.get("columns") or None)  # type: ignore[arg-type]


@blueprint.get("/jobs/newer")
@requires(Permission.JOBS_READ)
def newer_show() -> dict[str, int]:
    """How many matching jobs came after the one at the top of a list."""
    top = Cursor.decode(request.args.get("top", ""))
    return {"count": queries.newer_than(database.session(), search_of(request.args).wanted, top) if top else 0}




@blueprint.post("/jobs/retries")
@requires(Permission.JOBS_RETRY)
def retries_create() -> Response:
    """Retries the selected jobs. All that match are an action's affair (`console.actions`)."""
    with database.transaction() as session:
        outcome = do_to_each(session, service.retry_job, current_actor(), _picked())
    return _told(outcome, "Retried", "could not be retried")


@blueprint.post("/jobs/cancellations")
@requires(Permission.JOBS_CANCEL)
def cancellations_create() -> Response:
    """Cancels the selected jobs."""
    with database.transaction() as session:
        outcome = do_to_each(session, service.cancel_job, current_actor(), _picked())
    return _told(outcome, "Cancelled", "could not be cancelled")


def _picked() -> list[str]:
    """A selection that arrives empty is a mistake; it must not become all jobs."""
    if picked := request.form.getlist("id"):
        return picked
    raise InvalidInput("No job is selected. Go back and select some, or use the page that acts on all that match.")


def search_of(given: MultiDict[str, str]) -> Shown:
    """The search of an address or a form. What is said beside `q` stands in place of it; what is acted on is said once.

    Raises `InvalidInput`, also for what the person may not see.
    """
    search = shown(given.get("q", ""), given.to_dict(flat=False), clock.now(), instead=request.method == "GET")
    check_searchable(search.wanted, sees_all=may(Permission.JOBS_SEE_SENSITIVE))
    return search


def _told(outcome: Outcome, verb: str, refusal: str) -> Response:
    if outcome.refused:
        flash(f"{count(outcome.refused, 'job')} {refusal}. {outcome.why}", "error")
    return _done(f"{verb} {count(outcome.done, 'job')}.")


def _done(message: str) -> Response:
    """Back to where the person was, with what happened."""
    flash(message, "success")
    return htmx.go(url_for("jobs.index", q=search_of(request.form).q or None))
