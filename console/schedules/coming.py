"""What all schedules do next: read as plans, of very many a sample, and counted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from console import clock
from console.jobs.registry import known
from console.schedules import planning
from console.schedules.heat import AT_LEAST, Heat, heat_of
from console.schedules.lists import ScheduleFilter, matching
from console.schedules.making import DEFAULT_QUEUE
from console.schedules.models import Schedule
from console.schedules.outlook import Outlook, Planned, look_ahead, rule_of

MAX_READ = 5_000
"""Schedules that are looked at; of more than these it is a sample, evenly spread over all."""
STEP_S, MAX_HOURS = 300, 48
ALL = ScheduleFilter()


@dataclass(frozen=True, slots=True)
class Sample:
    """Schedules that are due before a time. `texts`: the blackouts they keep to; `total`: so many there are."""

    plans: list[Planned]
    texts: dict[str, str]
    total: int

    def look(self, start: datetime, end: datetime, *, nominal: bool = False) -> Outlook:
        """Their runs in a window; `nominal`: without jitter."""
        return look_ahead(self.plans, self.texts, start, end, self.total, nominal=nominal)


def sample(session: Session, end: datetime, wanted: ScheduleFilter = ALL) -> Sample:
    """The schedules that are due before that time and fit, at most `MAX_READ`; paused ones that go on before it too."""
    query = matching(_DUE.where(Schedule.due_at < end), wanted)
    total = session.scalar(matching(_COUNT.where(Schedule.due_at < end), wanted)) or 0
    thinned = query if total <= MAX_READ else _thinned(query, total)
    plans = [_plan(row) for row in session.execute(thinned.limit(MAX_READ))]
    return Sample(plans, texts_of(session, plans), total)


def heat(
    session: Session, start: datetime, hours: int = 24, step_s: int = STEP_S, at_least: int = AT_LEAST,
    wanted: ScheduleFilter = ALL,
) -> Heat:  # fmt: skip
    """How many runs begin in each step of the coming hours. What is over by now is not among them."""
    end = start + timedelta(hours=hours)
    outlook = sample(session, end, wanted).look(max(start, clock.now()), end)
    return heat_of(outlook, start, end, step_s, at_least)


def due_at(session: Session, start: datetime, end: datetime, limit: int) -> list[Planned]:
    """The schedules whose next run is due in a window, as many as are asked for."""
    within = _DUE.where(Schedule.due_at >= start, Schedule.due_at < end).order_by(Schedule.due_at)
    return [_plan(row) for row in session.execute(within.limit(limit))]


def step_before(at: datetime, step_s: int = STEP_S) -> datetime:
    """The beginning of the step of the heat map in which a time lies."""
    return clock.from_ms(clock.to_ms(at) // (step_s * 1_000) * step_s * 1_000)


def _thinned(query: Select[*tuple[Any, ...]], total: int) -> Select[*tuple[Any, ...]]:
    """Those whose ids end low: the ends of our ids are random, so that this is an even part of all."""
    low = func.substr(Schedule.id, 34, 3) < f"{4_096 * MAX_READ // total:03x}"
    return query.where(Schedule.id.in_(select(Schedule.id).where(low)))


def _plan(row: Any) -> Planned:
    said = json.loads(row.definition)
    kind = known(row.type)
    most = said.get("max_runs")
    begins = row.paused_until if row.state == planning.PAUSED else row.nominal_at if "jitter_s" in said else None
    return Planned(
        row.id, row.name, row.type, said.get("queue") or (kind.queue if kind else DEFAULT_QUEUE), row.definition,
        rule_of(said), begins, None if most is None else max(0, most - row.fired), row.rev,
        f"the file {row.file} owns it" if row.file else "it is one of Celeriac's own" if row.built_in else "",
    )  # fmt: skip


def texts_of(session: Session, plans: Iterable[Planned]) -> dict[str, str]:
    """The blackout calendars that these keep to."""
    said = [json.loads(one.definition) for one in plans if '"blackouts"' in one.definition]
    return planning.texts_of(session, {name for one in said for name in one.get("blackouts", ())})



_DUE: Select[*tuple[Any, ...]] = select(
    Schedule.id, Schedule.name, Schedule.type, Schedule.definition, Schedule.state, Schedule.fired, Schedule.rev,
    Schedule.nominal_at, Schedule.paused_until, Schedule.file, Schedule.built_in,
).where(Schedule.due_at.is_not(None))  # fmt: skip
_COUNT = select(func.count()).select_from(Schedule).where(Schedule.due_at.is_not(None))
