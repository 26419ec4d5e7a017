"""The coming runs of very many schedules: those with the same rule are worked out once, as whole milliseconds. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from console.clock import to_ms
from console.errors import InvalidInput
from console.schedules import planning
from console.schedules.definition import Definition
from console.schedules.rules import Timetable

MOST = 700_000
"""Times that are looked at, at most: what runs every second, for eight days."""
_OF_TIMES = (
    "kind", "cron", "cron_days", "every", "unit", "anchor", "rrule", "at", "timezone", "starts_at", "ends_at",
    "jitter_s", "blackouts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule as far as its coming runs go. `definition`: as it is stored; `rule`: what its times are made of.

    `begins`: none of the times it stands for is earlier; None: from now on. `left`: it runs so many times more.
    `fixed`: why it cannot be changed here.
    """

    id: str
    name: str
    type: str
    queue: str
    definition: str
    rule: tuple[str, ...]
    begins: datetime | None = None
    left: int | None = None
    rev: int = 0
    fixed: str = ""

    def changed(self, after: Definition, begins: datetime) -> Planned:
        """The same with another definition, from that time on."""
        text = after.to_json()
        return replace(self, definition=text, rule=rule_of(json.loads(text)), begins=begins)


@dataclass(frozen=True, slots=True)
class Together:
    """Schedules that are due at the same times, and those, in milliseconds and in order."""

    members: list[Planned]
    dues: list[int]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes. `looked`: at so many of `total` schedules; the others are as these, as far as anybody knows."""

    groups: list[Together]
    looked: int
    total: int

    @property
    def is_complete(self) -> bool:
        return self.looked >= self.total

    @property
    def factor(self) -> float:
        """By which a count is multiplied to be one of all schedules."""
        return 1.0 if self.is_complete or not self.looked else self.total / self.looked


def look_ahead(
    plans: Iterable[Planned], texts: Mapping[str, str], start: datetime, end: datetime, total: int | None = None,
    *, nominal: bool = False,
) -> Outlook:  # fmt: skip
    """When these schedules are due, start ≤ time < end. `total`: of how many they are a sample; None: it is all.

    `nominal`: the times that the runs stand for, without jitter.
    """
    by_rule: dict[tuple[str, ...], list[Planned]] = {}
    for plan in plans:
        by_rule.setdefault(plan.rule, []).append(plan)
    groups: list[Together] = []
    known = sum(map(len, by_rule.values()))
    looked, room = 0, MOST
    for members in by_rule.values():
        found = _together(members, texts, start, end, room, nominal=nominal)
        if found is None:
            continue
        room -= sum(len(one.dues) for one in found) + len(members)
        groups += found
        looked += len(members)
    return Outlook(groups, looked, known if total is None else total)


def _together(
    members: list[Planned], texts: Mapping[str, str], start: datetime, end: datetime, most: int, *, nominal: bool
) -> list[Together] | None:
    """None: there are more times than so many."""
    definition = Definition.from_json(members[0].definition)
    try:
        plain = definition.model_copy(update={"jitter_s": 0}) if nominal else definition
        table = planning.timetable_of(plain, "", texts, start)
        times = table.between(start - table.jitter, end, max(0, most))
    except InvalidInput:  # it is flagged where it is shown
        return []
    if len(times) >= most:
        return None
    alone = [one for one in members if table.jitter or one.left is not None or (one.begins and one.begins > start)]
    same = members if not alone else _but(members, alone)
    found = [Together(same, times)] if same and times else []
    own = [Together([one], _own(one, table, times, to_ms(start), to_ms(end))) for one in alone]
    return found + [one for one in own if one.dues]


def _but(members: list[Planned], others: list[Planned]) -> list[Planned]:
    left_out = {one.id for one in others}
    return [one for one in members if one.id not in left_out]


def _own(one: Planned, table: Timetable, times: list[int], start: int, end: int) -> list[int]:
    """With its own jitter, beginning and end."""
    begins = start if one.begins is None else to_ms(one.begins)
    own = [at for at in times if at >= begins][: one.left]
    return sorted(at for at in table.jittered(own, one.id) if start <= at < end)


def rule_of(said: Mapping[str, Any]) -> tuple[str, ...]:
    """What the times of a stored definition are made of; equal for schedules with the same."""
    return tuple([str(said.get(name, "")) for name in _OF_TIMES])
