"""What a calendar of blackouts does to coming runs: which fall away, and which come back, before it is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console import clock
from console.schedules import planning
from console.schedules.blackouts import NONE, Blackouts, read_blackouts
from console.schedules.definition import Definition
from console.schedules.models import BlackoutCalendar, Schedule, ScheduleBlackout
from console.schedules.recurrence import wrong
from console.schedules.rules import Timetable

AHEAD = timedelta(days=366)
MAX_USERS = 100
"""Schedules of a calendar that are looked at."""
MAX_SPANS, ALL_SPANS, MAX_TIMES = 400, 8_000, 1_000
"""Blackouts of the coming year of one schedule, and of all together; and times in each of them."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Affected:
    """A schedule that keeps to the calendar. `gone` and `back`: runs of the coming year; `first`: the first of either.

    `is_exact`: False, there are at least so many.
    """

    schedule_id: str
    name: str
    file: str | None
    gone: int
    back: int
    first: datetime | None
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What a text would do as a calendar. `spans`: the next blackouts, in UTC's days; `ahead`: how many there are.

    `affected`: `MAX_USERS` of `users` schedules at most.
    """

    spans: list[tuple[datetime, datetime]]
    ahead: int
    affected: list[Affected]
    users: int

    @property
    def gone(self) -> int:
        return sum(one.gone for one in self.affected)

    @property
    def back(self) -> int:
        return sum(one.back for one in self.affected)

    @property
    def is_exact(self) -> bool:
        return self.users <= len(self.affected) and all(one.is_exact for one in self.affected)


@dataclass(frozen=True, slots=True)
class CalendarView:
    """A calendar as the list shows it. `span`: the blackout that is or comes next; `users`: how many keep to it."""

    name: str
    rev: int
    changed_at: datetime
    changed_by: str
    ahead: int
    span: tuple[datetime, datetime] | None
    users: int


def list_views(session: Session, limit: int = 200) -> list[CalendarView]:
    """The calendars by name, with what comes next and how many schedules keep to them."""
    users = select(ScheduleBlackout.calendar, func.count().label("n")).group_by(ScheduleBlackout.calendar)
    counted = {row.calendar: row.n for row in session.execute(users)}
    rows = session.scalars(select(BlackoutCalendar).order_by(BlackoutCalendar.name).limit(limit))
    return [_view(row, counted.get(row.name, 0)) for row in rows]


def change_of(
    session: Session, name: str, after: str | None, add: Sequence[str] = (), *, before: str | None = None
) -> Change:
    """What it does when a calendar says `after` from now on, and the schedules `add` keep to it too.

    `before`: what it says now. None stands for a calendar that is not there. Raises `InvalidInput`.
    """
    now = clock.now()
    ahead = _ahead(read_blackouts((after,), "UTC", now.year), now) if after is not None else []
    rows = _users(session, name)
    users = session.scalar(
        select(func.count()).select_from(ScheduleBlackout).where(ScheduleBlackout.calendar == name)
    ) or 0  # fmt: skip
    new = [row for row in find_schedules(session, add) if row.id not in {one.id for one in rows}]
    definitions = {row.id: Definition.from_json(row.definition) for row in (*rows, *new)}
    texts = planning.calendars(session, definitions.values())
    old, then = _said(texts, name, before), _said(texts, name, after)
    most = min(MAX_SPANS, ALL_SPANS // max(1, len(definitions)))
    affected = [_affected(row, definitions[row.id], name, (old, then), now, most) for row in rows]
    without = _said(texts, name, None)
    affected += [_affected(row, definitions[row.id], name, (without, then), now, most) for row in new]
    return Change(ahead[:SHOWN], len(ahead), affected, users + len(new))


def find_schedules(session: Session, names: Sequence[str]) -> list[Schedule]:
    """Schedules by name or id. Raises `InvalidInput` when one is not there."""
    wanted = list(dict.fromkeys(names))
    if len(wanted) > MAX_USERS:
        raise wrong("schedules", f"Name at most {MAX_USERS} at once.")
    by_name = {row.name: row for row in session.scalars(select(Schedule).where(Schedule.name.in_(wanted)))}
    by_name |= {row.id: row for row in session.scalars(select(Schedule).where(Schedule.id.in_(wanted)))}
    if unknown := [name for name in wanted if name not in by_name]:
        raise wrong("schedules", f"There is no schedule {unknown[0][:80]!r}.")
    return list({by_name[name].id: by_name[name] for name in wanted}.values())


def _users(session: Session, name: str) -> list[Schedule]:
    query = select(Schedule).join(ScheduleBlackout, ScheduleBlackout.schedule_id == Schedule.id)
    return list(
        session.scalars(query.where(ScheduleBlackout.calendar == name).order_by(Schedule.name).limit(MAX_USERS))
    )


def _said(texts: Mapping[str, str], name: str, text: str | None) -> dict[str, str]:
    """What all calendars say when that one says this."""
    others = {key: value for key, value in texts.items() if key != name}
    return others if text is None else others | {name: text}


def _affected(
    row: Schedule, definition: Definition, name: str, texts: tuple[Mapping[str, str], Mapping[str, str]], now: datetime,
    most: int,
) -> Affected:  # fmt: skip
    before, after = (_read(definition, name, one, now) for one in texts)
    table = Timetable(definition, row.id)  # as if there were no blackouts
    spans = _merged(_ahead(before, now) + _ahead(after, now)) if row.due_at else []
    gone, back, first, is_exact = 0, 0, None, len(spans) <= most
    for start, end in spans[:most]:
        times = table.between(max(start, now), min(end, now + AHEAD), MAX_TIMES)
        is_exact = is_exact and len(times) < MAX_TIMES
        for at in map(clock.from_ms, times):
            was, is_ = before.end_of(at) is not None, after.end_of(at) is not None
            gone, back = gone + (is_ and not was), back + (was and not is_)
            first = first or (at if was != is_ else None)
    return Affected(row.id, row.name, row.file, gone, back, first, is_exact)


def _read(definition: Definition, name: str, texts: Mapping[str, str], now: datetime) -> Blackouts:
    """All blackouts of a schedule, as if it kept to that calendar."""
    used = tuple(texts[one] for one in dict.fromkeys([*definition.blackouts, name]) if one in texts)
    return read_blackouts(used, definition.timezone, now.year) if used else NONE


def _ahead(blackouts: Blackouts, now: datetime) -> list[tuple[datetime, datetime]]:
    return [span for span in blackouts.spans if span[1] > now and span[0] < now + AHEAD]


def _merged(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _view(row: BlackoutCalendar, users: int) -> CalendarView:
    now = clock.now()
    ahead = _ahead(read_blackouts((row.text,), "UTC", now.year), now)
    return CalendarView(
        row.name, row.rev, row.changed_at, row.changed_by, len(ahead), ahead[0] if ahead else None, users
    )
