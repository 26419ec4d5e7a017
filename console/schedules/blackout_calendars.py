"""What people do with calendars of blackouts. Schedules that keep to one are planned anew when it changes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from console import clock
from console.actor import Actor
from console.audit.service import record
from console.errors import Conflict, InvalidInput, NotFound
from console.jobs import outbox
from console.schedules import engine, planning, service
from console.schedules.blackouts import read_blackouts
from console.schedules.definition import Definition, parse_definition
from console.schedules.engine import TOPIC
from console.schedules.falling import find_schedules
from console.schedules.models import BlackoutCalendar, Schedule, ScheduleBlackout
from console.schedules.recurrence import wrong

MAX_NAME, MAX_DETACHED = 80, 200
NEW = -1
"""In place of a revision: there is to be no such calendar yet."""


def save_calendar(
    session: Session, actor: Actor, name: str, text: str, *, rev: int | None = None, add: Sequence[str] = ()
) -> None:
    """Keeps a calendar, in place of the one of that name; the schedules `add` keep to it from now on.

    `rev`: what the caller saw of it, -1 when it is to be new; None: whatever it is.
    Raises `InvalidInput`, or `Conflict` when it was changed, or a file owns one of the schedules.
    """
    name, now = name.strip(), clock.now()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise wrong("name", f"Use 1 to {MAX_NAME} printable characters.")
    read_blackouts((text,), "UTC", now.year)
    row = session.get(BlackoutCalendar, name, with_for_update=True, populate_existing=True)
    if row is None:
        if rev not in (None, NEW):
            raise Conflict("This calendar has been deleted meanwhile. Make it anew if it is still wanted.")
        row = BlackoutCalendar(name=name, rev=-1)
    elif rev == NEW:
        raise wrong("name", f"There is a calendar {name!r} already.")
    elif rev is not None and rev != row.rev:
        raise Conflict(f"{row.changed_by} has changed this calendar meanwhile. Look at it again, then decide.")
    users = select(ScheduleBlackout.schedule_id).where(ScheduleBlackout.calendar == name)
    schedules = session.scalars(select(Schedule).where(Schedule.id.in_(users)).with_for_update()).all()
    engine.fire_passed(session, schedules, now)
    row.text, row.rev, row.changed_at, row.changed_by = text, row.rev + 1, now, actor.name[:255]
    session.add(row)
    session.flush()
    for schedule in schedules:
        planning.replan(session, schedule, now)
    record(session, actor, "schedules.calendar", "calendar", name)
    for schedule in find_schedules(session, add):
        _keep(session, actor, schedule, name, keeps=True)
    outbox.wake_after_commit(session)
    outbox.tell_after_commit(session, TOPIC)


def delete_calendar(session: Session, actor: Actor, name: str, *, detach: bool = False) -> None:
    """Removes a calendar that no schedule keeps to. `detach`: it is taken out of those that do, at most `MAX_DETACHED`.

    Raises `NotFound`, or `Conflict` when one does, or a file owns it.
    """
    row = session.get(BlackoutCalendar, name)
    if row is None:
        raise NotFound(f"There is no calendar {name!r}.")
    used = select(Schedule).join(ScheduleBlackout, ScheduleBlackout.schedule_id == Schedule.id)
    users = session.scalars(used.where(ScheduleBlackout.calendar == name).limit(MAX_DETACHED + 1)).all()
    if users and not detach:
        raise Conflict(f"The schedule {users[0].name} keeps to this calendar. Take it out there first.")
    if len(users) > MAX_DETACHED:
        raise Conflict(f"More than {MAX_DETACHED} schedules keep to this calendar. Take it out of some of them first.")
    for user in users:
        _keep(session, actor, user, name, keeps=False)
    session.delete(row)
    record(session, actor, "schedules.calendar_delete", "calendar", name)
    outbox.tell_after_commit(session, TOPIC)


def _keep(session: Session, actor: Actor, row: Schedule, name: str, *, keeps: bool) -> None:
    """A schedule keeps to the calendar from now on, or does no longer: a version like any other."""
    before = Definition.from_json(row.definition)
    others = [one for one in before.blackouts if one != name]
    try:
        after = parse_definition(before.described() | {"blackouts": [*others, name] if keeps else others})
        service.edit_schedule(
            session, actor, row.id, after, why=f"{'keeps' if keeps else 'no longer keeps'} to the blackouts {name}"
        )
    except (Conflict, InvalidInput) as error:
        raise type(error)(f"{row.name}: {error.detail}") from None
