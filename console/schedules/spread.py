"""How schedules that begin in the same second are spread: by jitter, or by other minutes. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from console.clock import EPOCH
from console.schedules.definition import Definition, Kind
from console.schedules.outlook import Planned
from console.schedules.recurrence import SECONDS, fields_of

MAX_MOVED = 200
"""Schedules that are changed at once."""
WINDOWS_S = (60, 300, 900, 1_800, 3_600)
PER_SECOND = 0.5
"""A window is wide enough when no more than this begin in a second of it, by jitter."""
PER_MINUTE = 5

_STEPS = re.compile(r"(?:\*|(\d{1,2})-59)/(\d{1,2})", re.ASCII)


class Way(StrEnum):
    """By chance but always the same (jitter), or to fixed other times (shift)."""

    JITTER = "jitter"
    SHIFT = "shift"


@dataclass(frozen=True, slots=True)
class Move:
    """What is changed of a schedule so that it begins at another time."""

    plan: Planned
    before: Definition
    after: Definition

    @property
    def changes(self) -> dict[str, list[Any]]:
        """Field → before and after."""
        old, new = self.before.model_dump(mode="json"), self.after.model_dump(mode="json")
        return {name: [old[name], new[name]] for name in old if old[name] != new[name]}


@dataclass(frozen=True, slots=True)
class Stays:
    """A schedule that begins when it did, and why."""

    plan: Planned
    why: str


def suggested_window(runs: int, way: Way) -> int:
    """Over how many seconds so many runs are spread best; those that are shifted begin together in their minute."""
    places = {window: window * PER_SECOND if way is Way.JITTER else window // 60 * PER_MINUTE for window in WINDOWS_S}
    return next((window for window, room in places.items() if runs <= room), WINDOWS_S[-1])


def spread(members: Sequence[Planned], way: Way, over_s: int) -> tuple[list[Move], list[Stays]]:
    """What becomes of schedules that begin together; at most `MAX_MOVED` are moved, the others stay for next time."""
    moves: list[Move] = []
    stays: list[Stays] = []
    free = sorted((one for one in members if not one.fixed), key=lambda one: one.id)
    for place, one in enumerate(free):
        before = Definition.from_json(one.definition)
        after, why = _moved(before, way, over_s, place, len(free))
        if after is None:
            stays.append(Stays(one, why))
        elif len(moves) == MAX_MOVED:
            stays.append(Stays(one, f"{MAX_MOVED} are changed at once; it comes next"))
        else:
            moves.append(Move(one, before, after))
    return moves, [Stays(one, one.fixed) for one in members if one.fixed] + stays


def digest_of(moves: Sequence[Move]) -> str:
    """What tells two plans apart: which schedules, as they are, become what."""
    said = sorted(f"{one.plan.id} {one.plan.rev} {one.after.to_json()}" for one in moves)
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:32]


def _moved(before: Definition, way: Way, over_s: int, place: int, many: int) -> tuple[Definition | None, str]:
    if before.kind is Kind.ONCE:
        return None, "it runs once, at a time that somebody chose"
    if way is Way.JITTER:
        gap = _gap_s(before)
        if gap < over_s:
            return None, f"it runs more often than every {over_s} s; a shift can move it"
        jitter = min(over_s, gap // 2)
        if before.jitter_s >= jitter:
            return None, f"it has a jitter of {before.jitter_s} s"
        return before.model_copy(update={"jitter_s": jitter}), ""
    return _shifted(before, over_s, place, many)


def _gap_s(definition: Definition) -> int:
    """So many seconds lie between two of its times, at least; a guess for rules, since jitter never passes the next."""
    if definition.kind is Kind.EVERY:
        return (definition.every or 1) * SECONDS[definition.unit]
    if definition.kind is not Kind.CRON:
        return 3_600
    seconds, minutes, hours = fields_of(definition.cron or "")[:3]
    if not seconds.isdigit():
        return 1
    if minutes.isdigit():
        return 86_400 if hours.isdigit() else 3_600
    return _step(minutes) * 60


def _step(minutes: str) -> int:
    """Between two minutes of a cron field; 1 when it says something else than every so many."""
    found = _STEPS.fullmatch(minutes)
    if found and int(found[2]) and 60 % int(found[2]) == 0:
        return int(found[2])
    listed = sorted(int(one) for one in minutes.split(",") if one.isdigit())
    if len(listed) < 2 or len(listed) != len(minutes.split(",")):
        return 1
    around = [*listed[1:], listed[0] + 60]
    return max(1, min(after - one for one, after in zip(listed, around, strict=True)))


def _shifted(before: Definition, over_s: int, place: int, many: int) -> tuple[Definition | None, str]:
    if before.kind is Kind.EVERY:
        later = place * min(over_s, _gap_s(before)) // many
        if not later:
            return None, "it keeps its time; the others move away"
        anchor = before.anchor or before.starts_at or EPOCH
        return before.model_copy(update={"anchor": anchor + timedelta(seconds=later)}), ""
    if before.kind is Kind.CRON:
        return _later_minutes(before, over_s, place, many)
    return None, "its time is part of a calendar rule; use jitter"


def _later_minutes(before: Definition, over_s: int, place: int, many: int) -> tuple[Definition | None, str]:
    text = before.cron or ""
    fields = text.split() if not text.startswith("@") else fields_of(text)[1:]
    moved = _minutes(fields[-5], fields[-4], place, many, -(-over_s // 60))
    if moved is None:
        return None, "its minutes cannot be moved; use jitter"
    if moved == fields[-5]:
        return None, "it keeps its time; the others move away"
    return before.model_copy(update={"cron": " ".join([*fields[:-5], moved, *fields[-4:]])}), ""


def _minutes(minutes: str, hours: str, place: int, many: int, most: int) -> str | None:
    """The field of minutes, so much later that it stays within the hour; None: it cannot be told."""
    listed = [int(one) for one in minutes.split(",") if one.isdigit()]
    if listed and len(listed) == len(minutes.split(",")):
        later = place * min(most, 60 - max(listed)) // many
        return ",".join(str(one + later) for one in listed)
    found = _STEPS.fullmatch(minutes)
    first, step = (int(found[1] or 0), int(found[2])) if found else (0, 0)
    if not step or 60 % step or not hours.startswith("*"):  # a star more or less matters when the clocks change
        return None
    later = place * min(most, max(1, step - first)) // many
    return f"{first + later}-59/{step}" if later else minutes
