"""Pages of what schedules did and will do: the calendar, the heat map of the coming day, and spreading."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.wrappers import Response

from console import clock
from console.access.rules import Permission
from console.errors import Conflict, InvalidInput
from console.schedules import calendar_forms as forms
from console.schedules import coming, spreading
from console.schedules.agenda import agenda, hour_list
from console.schedules.forms import wrong_of
from console.web import database, htmx
from console.web.filters import count
from console.web.permissions import current_actor, requires

KEPT = ("view", "day", "q", "state", "flagged", "zone")
SPREAD = ("way", "over_s", "at_least", "at", "since")

blueprint = Blueprint("calendar", __name__, url_prefix="/schedules")


@blueprint.get("/calendar")
@requires(Permission.SCHEDULES_READ)
def index() -> str:
    """A week or a day of past and coming runs, or one hour run by run. htmx gets what changes alone."""
    shown = forms.shown_of(request.args, request.cookies, clock.now())
    kept = forms.kept_of(request.args, KEPT)
    given: dict[str, Any] = {"shown": shown, "kept": kept, "now": clock.now(), "to": partial(_address, kept)}
    bounds = shown.bounds()
    if shown.hour is not None and bounds:
        given["runs"] = hour_list(database.session(), *bounds[0], shown.wanted)
    elif shown.hour is None:
        hours = agenda(database.session(), bounds, shown.wanted, forms.LOOKED[shown.view])
        given["days"] = forms.days_of(shown, hours)
    return render_template("calendar/_calendar.html" if htmx.is_fragment() else "calendar/index.html", **given)


@blueprint.get("/heat")
@requires(Permission.SCHEDULES_READ)
def heat_show() -> str:
    """How many runs begin when in the coming day, and which collide."""
    now, queue = clock.now(), request.args.get("queue", "")
    shown, at_least = forms.shown_of(request.args, request.cookies, now), forms.at_least_of(request.args)
    heat = coming.heat(database.session(), coming.step_before(now), at_least=at_least)
    queues: Counter[str] = Counter()
    for bucket in heat.buckets:
        queues.update(bucket.queues)
    rows = forms.heat_rows(heat, shown.zone, queue, at_least)
    return render_template(
        "calendar/heat.html", heat=heat, rows=rows, queues=queues.most_common(20), queue=queue, shown=shown,
        at_least=at_least, hottest=max(cell.runs for _, cells in rows for cell in cells if cell),
    )  # fmt: skip


@blueprint.get("/spread")
@requires(Permission.SCHEDULES_READ)
def spread_new() -> str:
    """What spreading would change, and to what effect; does nothing."""
    return _spread(request.args, {})


@blueprint.post("/spread")
@requires(Permission.SCHEDULES_EDIT)
def spread_create() -> Response | tuple[str, int]:
    """Changes the schedules as the page said; 409 when something changed since."""
    try:
        wanted = forms.spread_of(request.form)
        with database.transaction() as session:
            changed = spreading.apply_spread(session, current_actor(), wanted, request.form.get("plan", ""))
    except (Conflict, InvalidInput) as error:
        given = {name: request.form[name] for name in SPREAD if request.form.get(name) and name != "since"}
        return _spread(given, {"form": [error.detail]}), error.status
    flash(f"{count(len(changed), 'schedule')} spread. The version before is kept with each of them.", "success")
    return htmx.go(url_for("calendar.heat_show"))


def _address(kept: dict[str, Any], **changed: Any) -> str:
    """The same page with some of its address changed."""
    return url_for("calendar.index", **(kept | changed))


def _spread(given: Any, wrong: dict[str, list[str]]) -> str:
    plan = wanted = None
    shown = forms.shown_of(given, request.cookies, clock.now())
    try:
        wanted = forms.spread_of(given)
        plan = spreading.plan_spread(database.session(), wanted)
    except InvalidInput as error:
        wrong = wrong or wrong_of(error, SPREAD)
    return render_template(
        "calendar/spread.html", plan=plan, typed=given, wrong=wrong, shown=shown, wanted_at=wanted and wanted.at
    )
