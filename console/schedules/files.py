"""Schedules as code: a YAML file that says what there is to be. Applying it twice changes nothing the second time.

owner: shop            # without it, the file's name
calendars:
  holidays: |
    2026-12-24..2026-12-26
schedules:
  - name: Nightly report
    type: reports.make
    kind: cron
    cron: "30 2 * * *"
    timezone: Europe/Berlin
    blackouts: [holidays]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from console.actor import Actor
from console.errors import InvalidInput
from console.schedules import blackout_calendars as calendars
from console.schedules import service
from console.schedules.definition import Definition, parse_definition
from console.schedules.models import BlackoutCalendar, Schedule

MAX_FILE = 5_000_000
MAX_SCHEDULES = 10_000


@dataclass(frozen=True, slots=True)
class File:
    """What a file says."""

    owner: str
    definitions: list[Definition]
    calendars: dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What applying a file does to a schedule: `what` is create, update, adopt, delete or refuse."""

    what: str
    name: str
    schedule_id: str | None = None
    definition: Definition | None = None
    changes: dict[str, list[Any]] = field(default_factory=dict)
    why: str = ""


def read_file(text: str, name: str) -> File:
    """A file's text. Raises `InvalidInput` that says which schedule is wrong."""
    if len(text) > MAX_FILE:
        raise InvalidInput("The file is too large; split it.")
    try:
        said = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise InvalidInput(f"This is not YAML: {' '.join(str(error).split())[:300]}") from None
    if not isinstance(said, dict) or not isinstance(said.get("schedules", []), list):
        raise InvalidInput("The file has to have a list `schedules:`.")
    if unknown := sorted(map(str, said.keys() - {"owner", "calendars", "schedules"})):
        raise InvalidInput(f"{unknown[0]!r} is none of owner, calendars, schedules.")
    definitions = [_definition(one, place) for place, one in enumerate(said.get("schedules") or [], 1)]
    names = [one.name for one in definitions]
    if twice := next((one for one in names if names.count(one) > 1), None):
        raise InvalidInput(f"The name {twice!r} stands in the file twice.")
    texts = {str(key): str(value) for key, value in (said.get("calendars") or {}).items()}
    return File(str(said.get("owner") or name)[:255], definitions, texts)


def compare(session: Session, file: File, *, adopt: bool = False) -> list[Change]:
    """What applying the file would change; [] when nothing."""
    by_name = {row.name: row for row in _rows(session, [one.name for one in file.definitions])}
    found = [change for one in file.definitions if (change := _change(by_name.get(one.name), one, file.owner, adopt))]
    kept = {one.name for one in file.definitions}
    owned = session.scalars(select(Schedule).where(Schedule.file == file.owner).order_by(Schedule.name))
    return found + [Change("delete", row.name, row.id) for row in owned if row.name not in kept]


def apply_file(session: Session, actor: Actor, file: File, *, adopt: bool = False) -> list[Change]:
    """Makes it so, in one transaction, and returns what changed. Raises `InvalidInput` when one cannot be."""
    texts = {row.name: row.text for row in session.scalars(select(BlackoutCalendar))}
    for name, text in file.calendars.items():
        if texts.get(name) != text:
            calendars.save_calendar(session, actor, name, text)
    found = compare(session, file, adopt=adopt)
    if refused := [one for one in found if one.what == "refuse"]:
        raise InvalidInput(f"{refused[0].name}: {refused[0].why}")
    for one in found:
        try:
            _apply(session, actor, one, file.owner)
        except InvalidInput as error:
            raise InvalidInput(f"{one.name}: {error.detail}", error.errors) from None
    return found


def import_file(session: Session, actor: Actor, file: File) -> list[str]:
    """Makes what is not there yet, for people to own; the names. What is there stays as it is."""
    there = {row.name for row in session.scalars(select(BlackoutCalendar))}
    for name, text in file.calendars.items():
        if name not in there:
            calendars.save_calendar(session, actor, name, text)
    new = [one.definition for one in compare(session, file) if one.what == "create" and one.definition]
    for definition in new:
        try:
            service.create_schedule(session, actor, definition)
        except InvalidInput as error:
            raise InvalidInput(f"{definition.name}: {error.detail}", error.errors) from None
    return [one.name for one in new]


def write_file(definitions: Sequence[Definition], texts: dict[str, str], owner: str = "") -> str:
    """A file that says the same."""
    said: dict[str, Any] = {"owner": owner} if owner else {}
    said |= {"calendars": texts} if texts else {}
    said["schedules"] = [one.described() for one in definitions]
    return str(yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=120))


def _definition(given: Any, place: int) -> Definition:
    if not isinstance(given, dict):
        raise InvalidInput(f"Schedule {place} of the file is not a mapping.")
    plain = {key: value.isoformat() if isinstance(value, date) else value for key, value in given.items()}
    try:
        return parse_definition(plain)
    except InvalidInput as error:
        raise InvalidInput(f"Schedule {given.get('name', place)!r}: {error.detail}", error.errors) from None


def _rows(session: Session, names: Sequence[str]) -> list[Schedule]:
    found: list[Schedule] = []
    for start in range(0, len(names), 500):
        found += session.scalars(select(Schedule).where(Schedule.name.in_(names[start : start + 500])))
    return found


def _change(row: Schedule | None, wanted: Definition, owner: str, adopt: bool) -> Change | None:
    if row is None:
        return Change("create", wanted.name, None, wanted)
    changes = service.changes(Definition.from_json(row.definition), wanted)
    if row.file == owner:
        return Change("update", row.name, row.id, wanted, changes) if changes else None
    if adopt and row.file is None:
        return Change("adopt", row.name, row.id, wanted, changes)
    whose = f"the file {row.file} owns it" if row.file else "people own it; --adopt gives it to the file"
    return Change("refuse", row.name, row.id, why=f"There is such a schedule, and {whose}.")


def _apply(session: Session, actor: Actor, change: Change, owner: str) -> None:
    if change.definition is None:
        service.delete_schedule(session, actor, change.schedule_id or "", file=owner)
    elif change.schedule_id is None:
        service.create_schedule(session, actor, change.definition, file=owner)
    else:
        service.edit_schedule(session, actor, change.schedule_id, change.definition, file=owner, why=f"apply {owner}")
