"""Pages of jobs: the list, and what can be done with some or with all that match. `one_views`: those of one job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from console.access.rules import Permission
from console.errors import InvalidInput
from console.jobs import bulk, queries, service
from console.jobs.filters import Cursor, JobFilter, parse_states, parse_time
from console.jobs.selection import Outcome, do_to_each
from console.web import database, htmx
from console.web.filters import count
from console.web.permissions import current_actor, requires

PAGE = 50
CONFIRMATION = "flush"
FILTERS = ("state", "queue", "type", "text", "before", "after", "internal")

blueprint = Blueprint("jobs", __name__)


@blueprint.get("/jobs")
@requires(Permission.JOBS_READ)
def index() -> str:
    """Jobs, newest first. htmx gets the list alone."""
    session = database.session()
    wanted = queries.settle(session, _wanted(request.args))
    cursor = Cursor.decode(request.args.get("cursor", ""))
    page = queries.list_jobs(session, wanted, cursor, PAGE)
    queues, types = queries.known_values(session)
    kept = _kept(request.args)
    return render_template(
        "jobs/_list.html" if htmx.is_fragment() else "jobs/index.html",
        page=page,
        wanted=wanted,
        args=kept | _cursor(),
        queues=queues,
        types=types,
        counts=queries.count_by_state(session, replace(wanted, states=())),
        total=queries.count_jobs(session, wanted, None if cursor else page),
        scan=queries.TEXT_SCAN,
        first_url=url_for("jobs.index", **kept),
        next_url=url_for("jobs.index", **kept, cursor=page.next.encode()) if page.next else None,
    )


@blueprint.get("/jobs/newer")
@requires(Permission.JOBS_READ)
def newer_show() -> dict[str, int]:
    """How many matching jobs came after the one at the top of a list."""
    top = Cursor.decode(request.args.get("top", ""))
    return {"count": queries.newer_than(database.session(), _wanted(request.args), top) if top else 0}


@blueprint.get("/jobs/retries/new")
@requires(Permission.JOBS_RETRY)
def retries_new() -> str:
    """Says how many jobs would be retried."""
    return _confirm("jobs/retries_new.html", bulk.RETRY)


@blueprint.get("/jobs/cancellations/new")
@requires(Permission.JOBS_CANCEL)
def cancellations_new() -> str:
    """Says how many jobs would be cancelled."""
    return _confirm("jobs/cancellations_new.html", bulk.CANCEL)


@blueprint.get("/jobs/flushes/new")
@requires(Permission.JOBS_FLUSH)
def flush_new() -> str:
    """Says how many failed jobs would be deleted."""
    return _confirm("jobs/flush_new.html", bulk.FLUSH)


@blueprint.post("/jobs/retries")
@requires(Permission.JOBS_RETRY)
def retries_create() -> Response:
    """Retries the selected jobs, or all that match when the page that says how many asked for it."""
    if picked := request.form.getlist("id"):
        with database.transaction() as session:
            outcome = do_to_each(session, service.retry_job, current_actor(), picked)
        return _told(outcome, "Retried", "could not be retried")
    _check_all_is_meant()
    done = bulk.do_to_all(database.transaction, bulk.RETRY, current_actor(), _confirmed(request.form))
    return _done(f"Retried {count(done, 'job')}. Each runs again as a new job.")


@blueprint.post("/jobs/cancellations")
@requires(Permission.JOBS_CANCEL)
def cancellations_create() -> Response:
    """Cancels the selected jobs, or all waiting ones that match when the page that says how many asked for it."""
    if picked := request.form.getlist("id"):
        with database.transaction() as session:
            outcome = do_to_each(session, service.cancel_job, current_actor(), picked)
        return _told(outcome, "Cancelled", "could not be cancelled")
    _check_all_is_meant()
    done = bulk.do_to_all(database.transaction, bulk.CANCEL, current_actor(), _confirmed(request.form))
    return _done(f"Cancelled {count(done, 'job')}.")


@blueprint.post("/jobs/flushes")
@requires(Permission.JOBS_FLUSH)
def flush_create() -> Response:
    """Deletes all failed jobs that match, once the word is typed."""
    if request.form.get("confirm", "").strip().lower() != CONFIRMATION:
        flash(f"Nothing was deleted: type {CONFIRMATION} to confirm.", "error")
        return htmx.go(url_for("jobs.flush_new", **_kept(request.form)))
    done = bulk.do_to_all(database.transaction, bulk.FLUSH, current_actor(), _confirmed(request.form))
    return _done(f"Deleted {count(done, 'failed job')}.")


def _confirm(template: str, action: bulk.Action) -> str:
    """What would be done, in numbers. The form carries which jobs were counted, so that it is done to no others."""
    wanted, session = _wanted(request.args), database.session()
    meant = bulk.meant(session, action, wanted)
    counted = replace(meant, before=wanted.before) if meant else None  # without a time, the exact counts can answer
    total, is_exact = queries.count_jobs(session, counted) if counted else (0, True)
    kept = _kept(request.args)
    return render_template(
        template, wanted=wanted, meant=meant, total=total, exact=is_exact, args=kept, scan=queries.TEXT_SCAN
    )


def _confirmed(given: MultiDict[str, str]) -> JobFilter:
    """The jobs that the page before had counted."""
    wanted = _wanted(given)
    until = parse_time(given.get("counted_until", ""), "counted_until")
    before = min((at for at in (wanted.before, until) if at), default=None)
    return replace(wanted, before=before, back_to=Cursor.decode(given.get("counted_back_to", "")))


def _check_all_is_meant() -> None:
    """A selection that arrives empty must not become all jobs."""
    if "all" not in request.form:
        raise InvalidInput("No job is selected. Go back and select some, or use the page that acts on all that match.")


def _wanted(given: MultiDict[str, str]) -> JobFilter:
    """The filter as it stands in an address or a form. Raises `InvalidInput`."""
    texts = {name: given.get(name, "") for name in ("queue", "type", "text")}
    if wrong := next((name for name, text in texts.items() if not text.isprintable() or len(text) > 255), None):
        raise InvalidInput(f"{wrong} has to be one line of at most 255 characters.")
    return JobFilter(
        states=parse_states(given.getlist("state")),
        queue=texts["queue"],
        type=texts["type"],
        text=texts["text"],
        before=parse_time(given.get("before", ""), "before"),
        after=parse_time(given.get("after", ""), "after"),
        internal=given.get("internal") == "1",
    )


def _kept(given: MultiDict[str, str]) -> dict[str, Any]:
    """The filter's part of an address, to build the next one from."""
    return {name: given[name] for name in FILTERS if given.get(name)}


def _cursor() -> dict[str, str]:
    return {"cursor": request.args["cursor"]} if request.args.get("cursor") else {}


def _told(outcome: Outcome, verb: str, refusal: str) -> Response:
    if outcome.refused:
        flash(f"{count(outcome.refused, 'job')} {refusal}. {outcome.why}", "error")
    return _done(f"{verb} {count(outcome.done, 'job')}.")


def _done(message: str) -> Response:
    """Back to where the person was, with what happened."""
    flash(message, "success")
    return htmx.go(url_for("jobs.index", **_kept(request.form)))


def wanted_by(given: MultiDict[str, str]) -> JobFilter:
    """The filter of a list's address, for the pages that go through that list. Raises `InvalidInput`."""
    return _wanted(given)
