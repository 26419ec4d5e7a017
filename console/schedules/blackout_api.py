"""REST routes of blackout calendars: `/api/v1/blackouts…`."""

from __future__ import annotations

from flask import Blueprint

from console.access.rules import Permission
from console.errors import NotFound
from console.schedules import blackout_calendars as calendars
from console.schedules import queries
from console.schedules.falling import change_of
from console.schedules.schemas import (
    CalendarAnswer,
    CalendarEffect,
    CalendarList,
    CalendarRemoval,
    CalendarRequest,
    Gone,
)
from console.web import database
from console.web.permissions import current_actor, requires
from console.web.rest import endpoint

blueprint = Blueprint("blackouts_api", __name__, url_prefix="/api/v1/blackouts")


@blueprint.get("")
@requires(Permission.SCHEDULES_READ)
@endpoint(answer=CalendarList)
def index() -> CalendarList:
    """List the calendars of times at which nothing fires."""
    found = queries.list_calendars(database.session())
    return CalendarList(data=[CalendarAnswer.model_validate(one) for one in found])


@blueprint.get("/<name>")
@requires(Permission.SCHEDULES_READ)
@endpoint(answer=CalendarAnswer)
def show(name: str) -> CalendarAnswer:
    """Show a calendar of blackouts."""
    return CalendarAnswer.model_validate(queries.get_calendar(database.session(), name))


@blueprint.post("/<name>/estimate")
@requires(Permission.SCHEDULES_READ)
@endpoint(body=CalendarRequest, answer=CalendarEffect)
def estimate(name: str, body: CalendarRequest) -> CalendarEffect:
    """Say which coming runs would fall away or come back if the calendar said this. Nothing is stored."""
    session = database.session()
    try:
        before = queries.get_calendar(session, name).text
    except NotFound:
        before = None
    return CalendarEffect.model_validate(change_of(session, name, body.text, body.add, before=before))


@blueprint.put("/<name>")
@requires(Permission.SCHEDULES_EDIT)
@endpoint(body=CalendarRequest, answer=CalendarAnswer, errors=(409,))
def update(name: str, body: CalendarRequest) -> CalendarAnswer:
    """Keep a calendar of blackouts under a name. Schedules that keep to it are planned anew."""
    with database.transaction() as session:
        calendars.save_calendar(session, current_actor(), name, body.text, rev=body.rev, add=body.add)
        return CalendarAnswer.model_validate(queries.get_calendar(session, name))


@blueprint.delete("/<name>")
@requires(Permission.SCHEDULES_EDIT)
@endpoint(query=CalendarRemoval, answer=Gone, errors=(409,))
def destroy(name: str, query: CalendarRemoval) -> Gone:
    """Delete a calendar of blackouts."""
    with database.transaction() as session:
        calendars.delete_calendar(session, current_actor(), name, detach=query.detach)
    return Gone(name=name)
