"""What people do with schedules. Each change is a compare-and-set, with its audit entry in the same transaction.

`rev`: what the caller saw of the schedule (`ScheduleView.rev`); another number means that somebody else was faster.
None: whatever it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from console import clock, ids
from console.actor import Actor
from console.audit.service import record
from console.errors import Conflict, InvalidInput, NotFound
from console.jobs import outbox
from console.jobs.redaction import HIDDEN
from console.jobs.registry import INTERNAL_PREFIX
from console.schedules import builtin, engine, making, planning
from console.schedules.definition import Definition
from console.schedules.engine import TOPIC
from console.schedules.hiding import hide, hide_in_changes, restore
from console.schedules.making import Slot
from console.schedules.models import Schedule, ScheduleBlackout, ScheduleFire, ScheduleSearch, ScheduleVersion
from console.schedules.queries import Backfill, plan_backfill
from console.schedules.recurrence import TICK, wrong

MAX_REASON = 500


def create_schedule(session: Session, actor: Actor, definition: Definition, *, file: str | None = None) -> str:
    """Keeps a new schedule and returns its id; it is active. Raises `InvalidInput`."""
    now = clock.now()
    row = Schedule(
        id=ids.new_id(), name=definition.name, type=definition.type, kind=definition.kind,
        definition=definition.to_json(), ver=1, rev=0, state=planning.ACTIVE, fired=0, missed=0, pause_reason="",
        problem="", file=file, built_in=False, created_at=now, changed_at=now, changed_by=actor.name[:255],
    )  # fmt: skip
    _plan(session, row, definition, now)
    _check_name(session, definition.name, row.id)
    if row.nominal_at is None:
        raise wrong("kind", "This never fires: no time fits the rule, its bounds and blackouts.")
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise _taken(definition.name) from None  # between the look and the insert
    _keep(session, actor, row, definition, "create")
    _tell(session, actor, "create", row, definition=hide(definition).described())
    return row.id


def edit_schedule(
    session: Session,
    actor: Actor,
    schedule_id: str,
    definition: Definition,
    *,
    rev: int | None = None,
    file: str | None = None,
    why: str = "edit",
) -> None:
    """Gives a schedule another definition, from now on. Raises `NotFound`, `Conflict` or `InvalidInput`.

    What a file owns is changed by that file alone (`file`); of a built-in one only its times are changed.
    """
    row = _locked(session, schedule_id, rev)
    before = Definition.from_json(row.definition)
    definition = restore(definition, before)
    if before == definition and file == row.file:
        return
    _check_owner(row, file)
    if row.built_in and (definition.name, definition.type) != (row.name, row.type):
        raise Conflict("A built-in schedule keeps its name and its job type.")
    now = clock.now()
    engine.fire_passed(session, [row], now)
    row.name, row.type, row.kind = definition.name, definition.type, definition.kind
    row.definition, row.ver, row.problem = definition.to_json(), row.ver + 1, ""
    row.file = file or row.file
    _plan(session, row, definition, now)
    _check_name(session, definition.name, row.id)
    _keep(session, actor, row, definition, why)
    _touch(row, actor, now)
    _tell(session, actor, "edit", row, version=row.ver, changes=hide_in_changes(changes(before, definition), row.type))


def pause_schedule(
    session: Session,
    actor: Actor,
    schedule_id: str,
    reason: str = "",
    until: datetime | None = None,
    *,
    rev: int | None = None,
) -> None:
    """Nothing fires until it is resumed, or until that time. Raises `NotFound`, `Conflict` or `InvalidInput`."""
    row = _locked(session, schedule_id, rev)
    now = clock.now()
    if row.state != planning.ACTIVE:
        raise Conflict(f"Only an active schedule can be paused; this one is {row.state}.")
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise wrong("reason", f"Use one line of at most {MAX_REASON} characters.")
    if until is not None and until <= now:
        raise wrong("until", "Choose a time that is still to come.")
    row.state, row.pause_reason, row.paused_by = planning.PAUSED, reason.strip(), actor.name[:255]
    row.paused_at, row.paused_until, row.due_at, row.nominal_at = now, until, until, None
    _touch(row, actor, now)
    _tell(session, actor, "pause", row, reason=reason, until=until)


def resume_schedule(session: Session, actor: Actor, schedule_id: str, *, rev: int | None = None) -> None:
    """Fires again, from its next time on. Raises `NotFound` or `Conflict`."""
    row = _locked(session, schedule_id, rev)
    if row.state != planning.PAUSED:
        raise Conflict(f"Only a paused schedule can be resumed; this one is {row.state}.")
    now = clock.now()
    row.state, row.pause_reason, row.paused_by, row.paused_at, row.paused_until = planning.ACTIVE, "", None, None, None
    planning.replan(session, row, now)
    _touch(row, actor, now)
    _tell(session, actor, "resume", row)


def run_schedule(session: Session, actor: Actor, schedule_id: str) -> str:
    """Makes a job now and returns its id; the schedule's own times do not move. Raises `NotFound` or `InvalidInput`."""
    row, now = _locked(session, schedule_id), clock.now()
    slot = Slot(row, Definition.from_json(row.definition), now, making.MANUAL, f"run by {actor.name}")
    made = making.make(session, [slot], now)
    if not made:
        raise Conflict("It was run by hand in this very moment.")
    _tell(session, actor, "run", row, job=made[0])
    return made[0]


def backfill_schedule(session: Session, actor: Actor, schedule_id: str, wanted: Backfill) -> list[str]:
    """Makes the jobs of past times and returns their ids; see `queries.plan_backfill` for how many that would be.

    Raises `NotFound`, `Conflict`, or `InvalidInput` when there are too many.
    """
    row, now = _locked(session, schedule_id), clock.now()
    _refuse_built_in(row, "backfilled: it does at its next run what there is to do")
    plan = plan_backfill(session, schedule_id, wanted)
    definition = Definition.from_json(row.definition)
    trigger = making.BACKFILL if wanted.only_missing else f"{making.BACKFILL}:{clock.to_ms(now)}"
    slots = [
        Slot(row, definition, at, trigger, f"backfilled by {actor.name}", wanted.due_at(now, place))
        for place, at in enumerate(plan.times)
    ]
    made = making.make(session, slots, now) if slots else []
    _tell(session, actor, "backfill", row, start=wanted.start, end=wanted.end, count=len(made))
    return made


def duplicate_schedule(session: Session, actor: Actor, schedule_id: str, name: str = "") -> str:
    """Keeps a copy, paused, and returns its id. Raises `NotFound`, `InvalidInput` or `Conflict`."""
    row = _locked(session, schedule_id)
    _refuse_built_in(row, "duplicated. Its own times can be changed")
    definition = Definition.from_json(row.definition)
    copy = definition.model_copy(update={"name": name.strip() or _free_name(session, definition.name)})
    made = create_schedule(session, actor, copy)
    pause_schedule(session, actor, made, f"a copy of {row.name}"[:MAX_REASON])
    return made


def delete_schedule(
    session: Session, actor: Actor, schedule_id: str, *, rev: int | None = None, file: str | None = None
) -> str:
    """Removes a schedule with its history, and returns its name; its jobs stay. Raises `NotFound` or `Conflict`."""
    row = _locked(session, schedule_id, rev)
    _refuse_built_in(row, "deleted. It can be paused")
    _check_owner(row, file)
    name = row.name
    _tell(session, actor, "delete", row, definition=hide(Definition.from_json(row.definition)).described())
    for table in (ScheduleVersion, ScheduleFire, ScheduleBlackout, ScheduleSearch):
        session.execute(delete(table).where(table.schedule_id == schedule_id))
    session.delete(row)
    return name


def restore_version(session: Session, actor: Actor, schedule_id: str, ver: int, *, rev: int | None = None) -> None:
    """Gives a schedule the definition that it had in that version. Raises `NotFound`, `Conflict` or `InvalidInput`."""
    kept = session.get(ScheduleVersion, (schedule_id, ver))
    if kept is None:
        raise NotFound(f"There is no version {ver} of this schedule.")
    definition = Definition.from_json(kept.definition)
    edit_schedule(session, actor, schedule_id, definition, rev=rev, why=f"restore of version {ver}")


def changes(before: Definition, after: Definition) -> dict[str, list[Any]]:
    """What differs: field → [before, after]."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return {name: [old[name], new[name]] for name in old if old[name] != new[name]}


def _plan(session: Session, row: Schedule, definition: Definition, now: datetime) -> None:
    """Sets its cursor, after everything that can be wrong was looked at."""
    for name in ("name", "type", "queue", "blackouts", "tags", "timezone"):
        given = getattr(definition, name) or ""
        if not "".join(given).isprintable():
            raise wrong(name, "Use one line of printable characters.")
    if HIDDEN in definition.to_json():
        raise wrong("payload", f"{HIDDEN} stands for a value that you may not see. Give the value.")
    if definition.type.startswith(INTERNAL_PREFIX) and not row.built_in:
        raise wrong("type", "Celeriac's own upkeep has its built-in schedule.")
    making.check_payload(definition)
    if definition.ends_at and definition.starts_at and definition.ends_at < definition.starts_at:
        raise wrong("ends_at", "The end has to come after the start.")
    timetable = planning.timetable_of(definition, row.id, planning.calendars(session, [definition]), now)
    if row.built_in:
        builtin.check(definition, timetable, now)
    if row.state != planning.PAUSED:
        planning.set_cursor(row, timetable, now - TICK, definition.max_runs)


def _check_name(session: Session, name: str, schedule_id: str) -> None:
    taken = session.scalar(select(Schedule.id).where(Schedule.name == name, Schedule.id != schedule_id))
    if taken is not None:
        raise _taken(name)


def _taken(name: str) -> InvalidInput:
    return wrong("name", f"There is a schedule {name!r} already.")


def _check_owner(row: Schedule, file: str | None) -> None:
    if row.file is not None and row.file != file:
        raise Conflict(f"The file {row.file} owns this schedule. Change it there and apply the file.")


def _refuse_built_in(row: Schedule, what: str) -> None:
    if row.built_in:
        raise Conflict(f"A built-in schedule cannot be {what}.")


def _free_name(session: Session, name: str) -> str:
    for number in range(1, 1_000):
        tried = f"{name[:180]} (copy{f' {number}' if number > 1 else ''})"
        if session.scalar(select(Schedule.id).where(Schedule.name == tried)) is None:
            return tried
    raise wrong("name", "Choose a name for the copy.")


def _locked(session: Session, schedule_id: str, rev: int | None = None) -> Schedule:
    row = session.get(Schedule, schedule_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id!r}. It may have been deleted.")
    if rev is not None and row.rev != rev:
        raise Conflict(f"{row.changed_by} has changed this schedule meanwhile. Look at it again, then decide.")
    return row


def _touch(row: Schedule, actor: Actor, now: datetime) -> None:
    row.rev, row.changed_at, row.changed_by = row.rev + 1, now, actor.name[:255]


def _keep(session: Session, actor: Actor, row: Schedule, definition: Definition, why: str) -> None:
    """The version's row, and by which words and calendars the schedule is found."""
    session.add(
        ScheduleVersion(
            schedule_id=row.id, ver=row.ver, definition=row.definition, at=clock.now(), by=actor.name[:255], why=why
        )
    )
    session.merge(ScheduleSearch.of(row))
    session.execute(delete(ScheduleBlackout).where(ScheduleBlackout.schedule_id == row.id))
    session.add_all(ScheduleBlackout(calendar=name, schedule_id=row.id) for name in set(definition.blackouts))


def _tell(session: Session, actor: Actor, verb: str, row: Schedule, **detail: Any) -> None:
    record(session, actor, f"schedules.{verb}", "schedule", row.id, name=row.name, **detail)
    outbox.wake_after_commit(session)
    outbox.tell_after_commit(session, TOPIC)
