"""What people do with calendars of blackouts. Schedules that keep to one are planned anew when it changes."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from console import clock
from console.actor import Actor
from console.audit.service import record
from console.errors import Conflict, NotFound
from console.jobs import outbox
from console.schedules import planning
from console.schedules.blackouts import read_blackouts
from console.schedules.engine import TOPIC
from console.schedules.models import BlackoutCalendar, Schedule, ScheduleBlackout
from console.schedules.recurrence import wrong

MAX_NAME = 80


def save_calendar(session: Session, actor: Actor, name: str, text: str, *, rev: int | None = None) -> None:
    """Keeps a calendar, in place of the one of that name. Raises `InvalidInput`, or `Conflict` when it was changed."""
    name, now = name.strip(), clock.now()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise wrong("name", f"Use 1 to {MAX_NAME} printable characters.")
    read_blackouts((text,), "UTC", now.year)
    row = session.get(BlackoutCalendar, name, with_for_update=True, populate_existing=True)
    if row is None:
        row = BlackoutCalendar(name=name, rev=-1)
        session.add(row)
    elif rev is not None and rev != row.rev:
        raise Conflict(f"{row.changed_by} has changed this calendar meanwhile. Look at it again, then decide.")
    row.text, row.rev, row.changed_at, row.changed_by = text, row.rev + 1, now, actor.name[:255]
    session.flush()
    users = select(ScheduleBlackout.schedule_id).where(ScheduleBlackout.calendar == name)
    for schedule in session.scalars(select(Schedule).where(Schedule.id.in_(users)).with_for_update()):
        planning.replan(session, schedule, now)
    record(session, actor, "schedules.calendar", "calendar", name)
    outbox.wake_after_commit(session)
    outbox.tell_after_commit(session, TOPIC)


def delete_calendar(session: Session, actor: Actor, name: str) -> None:
    """Removes a calendar that no schedule keeps to. Raises `NotFound` or `Conflict`."""
    row = session.get(BlackoutCalendar, name)
    if row is None:
        raise NotFound(f"There is no calendar {name!r}.")
    used = select(Schedule.name).join(ScheduleBlackout, ScheduleBlackout.schedule_id == Schedule.id)
    if user := session.scalar(used.where(ScheduleBlackout.calendar == name).limit(1)):
        raise Conflict(f"The schedule {user} keeps to this calendar. Take it out there first.")
    session.delete(row)
    record(session, actor, "schedules.calendar_delete", "calendar", name)
    outbox.tell_after_commit(session, TOPIC)
