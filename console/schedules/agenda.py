"""What all schedules did and will do, hour by hour, for the calendar. Each hour costs a bounded number of rows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session

from console import clock
from console.jobs.models import JobStatus
from console.jobs.rules import State
from console.schedules import coming
from console.schedules.lists import ScheduleFilter, matching
from console.schedules.models import Schedule, ScheduleFire
from console.schedules.outcomes import Outcome, outcome_of_states
from console.schedules.outlook import Outlook
from console.schedules.queries import FIRES, Fire, fire_of

FEW = 200
"""Schedules that a filter may name one by one; of more, the runs of an hour are looked through, as many as `each`."""
MAX_ENTRIES = 60
MAX_RUNS = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """The runs of one schedule in an hour that are past, or that are to come. `outcomes`: of past ones, how many.

    `job_id`: of a single run.
    """

    schedule_id: str
    name: str
    type: str
    at: datetime
    until: datetime
    runs: int
    outcomes: tuple[tuple[Outcome, int], ...] = ()
    job_id: str | None = None

    @property
    def is_coming(self) -> bool:
        return not self.outcomes

    @property
    def worst(self) -> Outcome | None:
        """What somebody should look at first; None: it is to come."""
        return next((one for one, _ in self.outcomes if one.is_bad), self.outcomes[0][0]) if self.outcomes else None


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour by the clocks of a zone; one that comes twice is one of two hours. `entries`: some, in order of time.

    `runs`: how many there are; with `is_exact` False at least so many, or of coming ones about so many.
    """

    start: datetime
    end: datetime
    entries: list[Entry] = field(default_factory=list)
    runs: int = 0
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class ComingRun:
    """A run that is to come, in the list of an hour."""

    schedule_id: str
    name: str
    type: str
    at: datetime


@dataclass(frozen=True, slots=True)
class HourList:
    """Every run of an hour, `MAX_RUNS` at most of each kind. `names`: of the schedules, by id."""

    past: list[Fire]
    coming: list[ComingRun]
    names: dict[str, str]
    is_complete: bool


def agenda(
    session: Session, bounds: Sequence[tuple[datetime, datetime]], wanted: ScheduleFilter = coming.ALL, each: int = 60
) -> list[Hour]:
    """What was and will be in these hours, which are in order; looks at `each` past runs of an hour at most."""
    now = clock.now()
    hours = [Hour(start, end) for start, end in bounds]
    over = [place for place, hour in enumerate(hours) if hour.start <= now]
    found = _past(session, [hours[place] for place in over], wanted, each)
    hours[: len(over)] = found
    if hours and hours[-1].end > now:
        hours = _with_coming(session, hours, now, wanted)
    return hours


def hour_list(session: Session, start: datetime, end: datetime, wanted: ScheduleFilter = coming.ALL) -> HourList:
    """Each run of an hour for itself."""
    now = clock.now()
    rows = session.execute(_of_hour(session, start, end, wanted).limit(MAX_RUNS + 1)).all() if start <= now else []
    is_complete, runs = True, list[ComingRun]()
    if end > now:
        outlook = coming.sample(session, end, wanted).look(max(start, now), end, nominal=True)
        runs = sorted(_each(outlook), key=lambda one: (one.at, one.name))
        is_complete = outlook.is_complete
    return HourList(
        [fire_of(row) for row in rows[:MAX_RUNS]], runs[:MAX_RUNS], {row.schedule_id: row.name for row in rows},
        is_complete and len(rows) <= MAX_RUNS and len(runs) <= MAX_RUNS,
    )  # fmt: skip


def _of_hour(session: Session, start: datetime, end: datetime, wanted: ScheduleFilter) -> Select[*tuple[Any, ...]]:
    query = FIRES.join(Schedule, Schedule.id == ScheduleFire.schedule_id).add_columns(Schedule.name)
    query = query.where(ScheduleFire.nominal_at >= start, ScheduleFire.nominal_at < end)
    few = _few(session, wanted)
    query = matching(query, wanted) if few is None else query.where(ScheduleFire.schedule_id.in_(few))
    return query.order_by(ScheduleFire.nominal_at, ScheduleFire.schedule_id)


def _each(outlook: Outlook) -> list[ComingRun]:
    """Run by run; of schedules with the same times no more than can be shown."""
    return [
        ComingRun(one.id, one.name, one.type, clock.from_ms(at))
        for group in outlook.groups for at in group.dues[: MAX_RUNS + 1] for one in group.members[: MAX_RUNS + 1]
    ]  # fmt: skip


def _few(session: Session, wanted: ScheduleFilter) -> list[str] | None:
    """The ids of the schedules that fit, when these are few; None: all, or too many to name."""
    if wanted == coming.ALL:
        return None
    found = list(session.scalars(matching(select(Schedule.id), wanted).limit(FEW + 1)))
    return found if len(found) <= FEW else None


def _past(session: Session, hours: Sequence[Hour], wanted: ScheduleFilter, each: int) -> list[Hour]:
    """With what came of the times in them. One small query for each hour: together they would take longer."""
    few = _few(session, wanted) if hours else None
    rows = _looked(few, each).subquery("looked")
    groups = (
        select(
            rows.c.schedule_id, Schedule.name, Schedule.type, rows.c.state,
            JobStatus.state.label("job_state"),
            func.sum(rows.c.slots).label("runs"), func.min(rows.c.nominal_at).label("first"),
            func.max(rows.c.nominal_at).label("last"), func.max(rows.c.job_id).label("job_id"),
            func.count().label("looked"),
        )
        .join(Schedule, Schedule.id == rows.c.schedule_id)
        .join(JobStatus, JobStatus.id == rows.c.job_id, isouter=True)
        .group_by(rows.c.schedule_id, Schedule.name, Schedule.type, rows.c.state, JobStatus.state)
    )  # fmt: skip
    is_thrown_away = few is None and wanted != coming.ALL
    query = matching(groups, wanted) if is_thrown_away else groups
    found = []
    for hour in hours:
        within = {"start": hour.start, "end": hour.end}
        of_hour = session.execute(query, within).all()
        looked = sum(row.looked for row in of_hour)
        if is_thrown_away:
            looked = session.scalar(select(func.count()).select_from(rows), within) or 0
        found.append(_filled(hour, of_hour, is_exact=looked < each))
    return found


def _looked(few: list[str] | None, each: int) -> Any:
    """The rows of an hour, as many as are looked at."""
    names = ("schedule_id", "nominal_at", "state", "slots", "job_id")
    query = select(*(getattr(ScheduleFire, name) for name in names)).where(
        ScheduleFire.nominal_at >= bindparam("start", type_=ScheduleFire.nominal_at.type),
        ScheduleFire.nominal_at < bindparam("end", type_=ScheduleFire.nominal_at.type),
    )
    query = query if few is None else query.where(ScheduleFire.schedule_id.in_(few))
    return query.order_by(ScheduleFire.nominal_at).limit(each)


def _filled(hour: Hour, found: Sequence[Any], *, is_exact: bool) -> Hour:
    by_schedule: dict[str, list[Any]] = {}
    for row in found:
        by_schedule.setdefault(row.schedule_id, []).append(row)
    entries = sorted((_entry(rows) for rows in by_schedule.values()), key=lambda one: (one.at, one.name))
    runs = sum(one.runs for one in entries)
    return replace(hour, entries=entries[:MAX_ENTRIES], runs=runs, is_exact=is_exact)


def _entry(rows: list[Any]) -> Entry:
    counted: Counter[Outcome] = Counter()
    for row in rows:
        counted[outcome_of_states(row.state, State(row.job_state) if row.job_state else None)] += int(row.runs)
    runs, one = sum(counted.values()), rows[0]
    first, last = min(row.first for row in rows), max(row.last for row in rows)
    return Entry(
        one.schedule_id, one.name, one.type, first, last, runs, tuple(counted.most_common()),
        one.job_id if runs == 1 else None,
    )  # fmt: skip


def _with_coming(session: Session, hours: list[Hour], now: datetime, wanted: ScheduleFilter) -> list[Hour]:
    outlook = coming.sample(session, hours[-1].end, wanted).look(
        max(hours[0].start, now), hours[-1].end, nominal=True
    )
    starts = [clock.to_ms(hour.start) for hour in hours]
    entries: list[list[Entry]] = [[] for _ in hours]
    runs: Counter[int] = Counter()
    for group in outlook.groups:
        for place, (n, first, last) in _by_hour(group.dues, starts):
            runs[place] += n * len(group.members)
            room = MAX_ENTRIES - len(entries[place])
            times = clock.from_ms(first), clock.from_ms(last), n
            entries[place] += [Entry(one.id, one.name, one.type, *times) for one in group.members[: max(0, room)]]
    return [
        replace(
            hour, entries=hour.entries + sorted(entries[place], key=lambda one: (one.at, one.name)),
            runs=hour.runs + round(runs[place] * outlook.factor),
            is_exact=hour.is_exact and (outlook.is_complete or not runs[place]),
        )
        for place, hour in enumerate(hours)
    ]  # fmt: skip


def _by_hour(dues: Sequence[int], starts: Sequence[int]) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Place of the hour → how many of these times lie in it, the first and the last."""
    begun = 0
    while begun < len(dues):
        place = bisect_right(starts, dues[begun]) - 1
        end = bisect_left(dues, starts[place + 1]) if place + 1 < len(starts) else len(dues)
        yield place, (end - begun, dues[begun], dues[end - 1])
        begun = end
