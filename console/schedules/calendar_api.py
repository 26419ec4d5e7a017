"""REST routes of what is to come: `/api/v1/schedules/calendar`, `…/heat` and `…/spread`."""

from __future__ import annotations

from flask import Blueprint

from console import clock
from console.access.rules import Permission
from console.schedules import coming, spreading
from console.schedules.agenda import agenda
from console.schedules.calendar_schemas import (
    CalendarHours,
    CalendarQuery,
    HeatAnswer,
    HeatQuery,
    Spread,
    SpreadAnswer,
    SpreadBody,
    SpreadOrder,
    heat_answer,
    hour_answer,
    spread_answer,
)
from console.web import database
from console.web.permissions import current_actor, requires
from console.web.rest import endpoint

blueprint = Blueprint("calendar_api", __name__, url_prefix="/api/v1/schedules")


@blueprint.get("/calendar")
@requires(Permission.SCHEDULES_READ)
@endpoint(query=CalendarQuery, answer=CalendarHours)
def index(query: CalendarQuery) -> CalendarHours:
    """List what schedules did and will do, hour by hour, for at most eight days."""
    hours = agenda(database.session(), query.bounds(), query.filter())
    return CalendarHours(data=[hour_answer(one) for one in hours])


@blueprint.get("/heat")
@requires(Permission.SCHEDULES_READ)
@endpoint(query=HeatQuery, answer=HeatAnswer)
def heat_show(query: HeatQuery) -> HeatAnswer:
    """Count the runs of the coming hours by step, queue and second, with those that collide."""
    start = coming.step_before(clock.now(), query.step_s)
    found = coming.heat(database.session(), start, query.hours, query.step_s, query.at_least, query.filter())
    return heat_answer(found)


@blueprint.post("/spread/estimate")
@requires(Permission.SCHEDULES_READ)
@endpoint(body=SpreadBody, answer=SpreadAnswer)
def spread_estimate(body: SpreadBody) -> SpreadAnswer:
    """Say how schedules that begin in the same second would be spread, and to what effect. Nothing is done."""
    return spread_answer(spreading.plan_spread(database.session(), body.wanted()))


@blueprint.post("/spread")
@requires(Permission.SCHEDULES_EDIT)
@endpoint(body=SpreadOrder, answer=Spread, errors=(409,))
def spread_create(body: SpreadOrder) -> Spread:
    """Spread schedules as an estimate said, all of it or nothing. Each is edited like by hand, at most 200 at once."""
    with database.transaction() as session:
        return Spread(changed=spreading.apply_spread(session, current_actor(), body.wanted(), body.plan))
