"""Puts a schedule's row to its next time. Used by whoever changes one and by whoever fires it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from console.schedules.blackouts import NONE, read_blackouts
from console.schedules.definition import Definition
from console.schedules.models import BlackoutCalendar, Schedule
from console.schedules.recurrence import TICK, wrong
from console.schedules.rules import Timetable

ACTIVE, PAUSED, ENDED = "active", "paused", "ended"
STATES = (ACTIVE, PAUSED, ENDED)


def calendars(session: Session, definitions: Iterable[Definition]) -> dict[str, str]:
    """The texts of the calendars that these keep to, by name."""
    return texts_of(session, {name for one in definitions for name in one.blackouts})


def texts_of(session: Session, names: Collection[str]) -> dict[str, str]:
    """The texts of calendars, by name."""
    if not names:
        return {}
    rows = session.execute(select(BlackoutCalendar.name, BlackoutCalendar.text).where(BlackoutCalendar.name.in_(names)))
    return {row.name: row.text for row in rows}


def timetable_of(definition: Definition, key: str, texts: Mapping[str, str], now: datetime) -> Timetable:
    """All times of a schedule. Raises `InvalidInput` when the rule or a calendar cannot be used."""
    if not definition.blackouts:
        return Timetable(definition, key, NONE)
    if unknown := [name for name in definition.blackouts if name not in texts]:
        raise wrong("blackouts", f"There is no calendar {unknown[0]!r}.")
    used = tuple(texts[name] for name in definition.blackouts)
    return Timetable(definition, key, read_blackouts(used, definition.timezone, now.year))


def set_cursor(row: Schedule, timetable: Timetable, after: datetime, max_runs: int | None) -> None:
    """The row waits for its next time, or has ended. `after`: only times later than this count."""
    is_over = max_runs is not None and row.fired >= max_runs
    row.nominal_at = None if is_over else timetable.after(after)
    row.due_at = timetable.due(row.nominal_at) if row.nominal_at else None
    row.state = ACTIVE if row.nominal_at else ENDED


def replan(session: Session, row: Schedule, now: datetime) -> None:
    """Puts an active schedule to its next time from now on; one that rests stays as it is."""
    definition = Definition.from_json(row.definition)
    timetable = timetable_of(definition, row.id, calendars(session, [definition]), now)
    if row.state != PAUSED:
        set_cursor(row, timetable, now - TICK, definition.max_runs)


def payload_of(definition: Definition, nominal: datetime) -> dict[str, Any]:
    """The payload of one run: a text `$scheduled_at` in it is the time that it stands for, `$schedule` the name."""
    filled: dict[str, Any] = _filled(
        definition.payload,
        {"$scheduled_at": nominal.isoformat().replace("+00:00", "Z"), "$schedule": definition.name},
    )
    return filled


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return words.get(value, value)
    if isinstance(value, dict):
        return {key: _filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    return value
