"""Reads of schedules. Each reads a bounded number of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import CompoundSelect, bindparam, select, union_all
from sqlalchemy.orm import Session

from console import clock
from console.errors import InvalidInput, NotFound
from console.jobs.models import JobStatus
from console.jobs.rules import State
from console.schedules import planning
from console.schedules.definition import Definition
from console.schedules.models import BlackoutCalendar, Schedule, ScheduleFire, ScheduleVersion
from console.schedules.recurrence import TICK, wrong
from console.schedules.rules import Run
from console.schedules.trouble import LATE_AFTER, TROUBLED_FOR
from console.schedules.usual import LEAST_OWN, Usual, usual_of, usual_of_types, usual_run
from console.schedules.words import explain

SPARK = 12
MOST_SPARKS = 200
MAX_BACKFILL = 1_000
MAX_COMING = 2_000
"""Runs of a window, at most; and of how many schedules."""


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule as pages, API and commands show it. `words`: when it fires; `late`: nobody fires it in time.

    `troubled`: in the last day a time was found missed, or a run overdue.
    """

    id: str
    name: str
    type: str
    kind: str
    definition: Definition
    words: str
    ver: int
    rev: int
    state: str
    next_at: datetime | None
    due_at: datetime | None
    fired: int
    missed: int
    overdue: int
    trouble_at: datetime | None
    last_at: datetime | None
    pause_reason: str
    paused_by: str | None
    paused_at: datetime | None
    paused_until: datetime | None
    problem: str
    file: str | None
    built_in: bool
    created_at: datetime
    changed_at: datetime
    changed_by: str
    late: bool
    troubled: bool

    @property
    def can(self) -> frozenset[str]:
        """What may be asked of it as it stands: edit, delete, pause, resume, run, backfill, duplicate."""
        found = {"run"} if self.built_in else {"run", "backfill", "duplicate"}
        found |= {"pause"} if self.state == planning.ACTIVE else {"resume"} if self.state == planning.PAUSED else set()
        found |= {"edit"} if self.file is None else set()
        return frozenset(found | ({"delete"} if self.file is None and not self.built_in else set()))


@dataclass(frozen=True, slots=True)
class Fire:
    """One time of a schedule, and what came of it, with its job as far as that is there.

    `state`: fired, waiting, skipped or missed. `lag_ms`: how much later than it should it was fired.
    """

    schedule_id: str
    nominal_at: datetime
    trigger: str
    state: str
    at: datetime
    job_id: str | None
    slots: int
    until_at: datetime | None
    reason: str
    overdue: bool
    job_state: State | None
    runtime_ms: int | None

    @property
    def lag_ms(self) -> int | None:
        """None: it did not fire by time."""
        return clock.to_ms(self.at) - clock.to_ms(self.nominal_at) if self.trigger == "time" and self.job_id else None


@dataclass(frozen=True, slots=True)
class VersionView:
    """A definition that a schedule has or had; `changes`: field → [before, after], from the version before."""

    ver: int
    definition: Definition
    at: datetime
    by: str
    why: str
    changes: dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Coming:
    """A coming run of a schedule."""

    schedule_id: str
    name: str
    type: str
    run: Run


@dataclass(frozen=True, slots=True)
class Window:
    """Coming runs in order. `is_complete`: False, there are more than are shown."""

    runs: list[Coming]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Backfill:
    """Past times to run: start ≤ time < end. `spacing_s` lies between two jobs; `only_missing`: not those that ran."""

    start: datetime
    end: datetime
    only_missing: bool = True
    spacing_s: float = 0

    def due_at(self, now: datetime, place: int) -> datetime | None:
        """When the job of that place is to be published; None: at once."""
        return now + timedelta(seconds=self.spacing_s * place) if self.spacing_s and place else None


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What a backfill would run. `seconds`: until the last job begins and has run, by the type's usual run time."""

    times: list[datetime]
    left_out: int
    seconds: float | None


def get_schedule(session: Session, schedule_id: str) -> ScheduleView:
    """One schedule, by id or by name. Raises `NotFound`."""
    row = session.get(Schedule, schedule_id, populate_existing=True) or session.scalar(
        select(Schedule).where(Schedule.name == schedule_id)
    )
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id!r}.")
    return view_of(row)


def list_fires(
    session: Session, schedule_id: str, before: datetime | None = None, limit: int = 50
) -> tuple[list[Fire], datetime | None]:
    """What a schedule did, newest first, and the time that the next page lies before."""
    query = FIRES.where(ScheduleFire.schedule_id == schedule_id).order_by(ScheduleFire.nominal_at.desc())
    if before is not None:
        query = query.where(ScheduleFire.nominal_at < before)
    rows = session.execute(query.limit(limit + 1)).all()
    shown = [fire_of(row) for row in rows[:limit]]
    return shown, shown[-1].nominal_at if len(rows) > limit else None


def last_fires(session: Session, schedule_ids: Sequence[str], each: int = SPARK) -> dict[str, list[Fire]]:
    """The last ones of several schedules, oldest first, for sparklines. One query for all of a page."""
    found: dict[str, list[Fire]] = {one: [] for one in schedule_ids}
    wanted = list(found)[:MOST_SPARKS]
    if wanted:
        values = {f"s{place}": one for place, one in enumerate(wanted)}
        for row in session.execute(_last_of(len(wanted), each), values):
            found[row.schedule_id].append(fire_of(row))
    return {one: sorted(fires, key=lambda fire: fire.nominal_at) for one, fires in found.items()}


@lru_cache(maxsize=MOST_SPARKS)
def _last_of(schedules: int, each: int) -> CompoundSelect[Any]:
    """The query for so many schedules, made once: there is a part for each of them, newest first."""
    parts = [
        select(
            FIRES.where(ScheduleFire.schedule_id == bindparam(f"s{place}"))
            .order_by(ScheduleFire.nominal_at.desc()).limit(each).subquery(f"f{place}")
        )
        for place in range(schedules)
    ]  # fmt: skip
    return union_all(*parts)


def usual_of_each(
    session: Session, schedules: Sequence[ScheduleView], fires: Mapping[str, Sequence[Fire]] | None = None
) -> dict[str, Usual | None]:
    """How long the runs of these schedules usually take, told by their last ones as far as those say enough."""
    fires = last_fires(session, [one.id for one in schedules]) if fires is None else fires
    own = {
        one.id: [fire.runtime_ms for fire in fires.get(one.id, ()) if fire.runtime_ms is not None] for one in schedules
    }
    of_types = usual_of_types(session, {one.type for one in schedules if len(own[one.id]) < LEAST_OWN})
    return {one.id: usual_of(own[one.id], of_types.get(one.type)) for one in schedules}


def list_versions(session: Session, schedule_id: str, limit: int = 100) -> list[VersionView]:
    """The definitions that a schedule had, newest first."""
    query = select(ScheduleVersion).where(ScheduleVersion.schedule_id == schedule_id)
    rows = session.scalars(query.order_by(ScheduleVersion.ver.desc()).limit(limit + 1)).all()
    parsed = [Definition.from_json(row.definition) for row in rows]
    return [
        VersionView(row.ver, parsed[i], row.at, row.by, row.why, _changes(parsed[i + 1 : i + 2], parsed[i]))
        for i, row in enumerate(rows[:limit])
    ]


def coming_runs(
    session: Session, start: datetime, end: datetime, schedule_id: str | None = None, limit: int = MAX_COMING
) -> Window:
    """The runs from a time to another, of one schedule or of all that are active, in order."""
    query = select(Schedule).where(Schedule.due_at.is_not(None), Schedule.state == planning.ACTIVE)
    query = query.where(Schedule.due_at < end) if schedule_id is None else query.where(Schedule.id == schedule_id)
    rows = session.scalars(query.order_by(Schedule.due_at).limit(MAX_COMING + 1)).all()
    each = _coming(session, rows[:MAX_COMING], start, end)
    found = list(islice(merge(*each, key=lambda one: one.run.due_at), limit + 1))
    return Window(found[:limit], len(found) <= limit and len(rows) <= MAX_COMING)


def _coming(session: Session, rows: Sequence[Schedule], start: datetime, end: datetime) -> list[Iterator[Coming]]:
    """The coming runs of each, worked out when they are asked for."""
    definitions = {row.id: Definition.from_json(row.definition) for row in rows}
    texts, now = planning.calendars(session, definitions.values()), clock.now()
    found: list[Iterator[Coming]] = []
    for row in rows:
        try:
            timetable = planning.timetable_of(definitions[row.id], row.id, texts, now)
        except InvalidInput:
            continue
        make = partial(Coming, row.id, row.name, row.type)
        found.append(map(make, timetable.each(max(start, now) - TICK, end)))
    return found


def preview(session: Session, definition: Definition, limit: int = 10) -> list[Run]:
    """The next runs of a definition that need not be stored. Raises `InvalidInput`."""
    texts = planning.calendars(session, [definition])
    now = clock.now()
    return planning.timetable_of(definition, "", texts, now).runs(now, min(limit, 100))


def plan_backfill(session: Session, schedule_id: str, wanted: Backfill) -> BackfillPlan:
    """What a backfill would run. Raises `NotFound`, or `InvalidInput` when it makes no sense or is too much."""
    view, now = get_schedule(session, schedule_id), clock.now()
    if not wanted.start < wanted.end <= now:
        raise wrong("end", "Choose a span that is over: its beginning before its end, and that not in the future.")
    if not 0 <= wanted.spacing_s <= 86_400:
        raise wrong("spacing_s", "Use 0 to 86,400 seconds.")
    texts = planning.calendars(session, [view.definition])
    runs = planning.timetable_of(view.definition, view.id, texts, now).runs(
        wanted.start - TICK, MAX_BACKFILL + 1, wanted.end
    )
    if len(runs) > MAX_BACKFILL:
        raise wrong("end", f"There are more than {MAX_BACKFILL:,} times in this span; choose a shorter one.")
    times = [run.nominal_at for run in runs]
    ran = _ran(session, view.id, wanted) if wanted.only_missing else set()
    left = [at for at in times if at not in ran]
    usual = usual_run(session, view.type, view.id)
    seconds = None if usual is None else wanted.spacing_s * max(0, len(left) - 1) + usual.median_ms / 1_000
    return BackfillPlan(left, len(times) - len(left), seconds)


def list_calendars(session: Session, limit: int = 200) -> list[BlackoutCalendar]:
    """The calendars of blackouts, by name."""
    return list(session.scalars(select(BlackoutCalendar).order_by(BlackoutCalendar.name).limit(limit)))


def get_calendar(session: Session, name: str) -> BlackoutCalendar:
    """One of them. Raises `NotFound`."""
    found = session.get(BlackoutCalendar, name.strip())
    if found is None:
        raise NotFound(f"There is no calendar {name!r}.")
    return found


def view_of(row: Schedule) -> ScheduleView:
    """A row as it is shown."""
    definition = Definition.from_json(row.definition)
    try:
        words = explain(definition)
    except InvalidInput as error:
        words = error.detail
    now = clock.now()
    late = row.due_at is not None and row.due_at < now - LATE_AFTER
    troubled = row.trouble_at is not None and row.trouble_at > now - TROUBLED_FOR
    same = {name: getattr(row, name) for name in ScheduleView.__slots__ if name not in _OTHERWISE}
    return ScheduleView(
        definition=definition, words=words, next_at=row.nominal_at, late=late, troubled=troubled, **same
    )


def fire_of(row: Any) -> Fire:
    """A row of `FIRES` as it is shown; what is selected beside that stands behind it."""
    told = list(row)[: len(Fire.__slots__)]
    told[_STATE] = State(row.job_state) if row.job_state else None
    return Fire(*told)


def _changes(before: list[Definition], after: Definition) -> dict[str, list[Any]]:
    old = before[0].model_dump(mode="json") if before else {}
    new = json.loads(after.model_dump_json())
    return {name: [old[name], new[name]] for name in old if old[name] != new[name]}


def _ran(session: Session, schedule_id: str, wanted: Backfill) -> set[datetime]:
    query = select(ScheduleFire.nominal_at).where(
        ScheduleFire.schedule_id == schedule_id, ScheduleFire.job_id.is_not(None), ScheduleFire.trigger != "manual",
        ScheduleFire.nominal_at >= wanted.start, ScheduleFire.nominal_at < wanted.end,
    )  # fmt: skip
    return set(session.scalars(query.limit(20_000)))


_OTHERWISE = ("definition", "words", "next_at", "late", "troubled")
_STATE = Fire.__slots__.index("job_state")
FIRES = select(
    *(getattr(ScheduleFire, name) for name in Fire.__slots__ if name not in ("job_state", "runtime_ms")),
    JobStatus.state.label("job_state"),
    JobStatus.runtime_ms,
).join(JobStatus, JobStatus.id == ScheduleFire.job_id, isouter=True)
