"""How many runs begin when, and which of them in the very same second. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from console.clock import from_ms, to_ms
from console.schedules.outlook import Outlook, Planned

AT_LEAST = 10
"""So many in one second are a collision, unless another number is asked for."""
MAX_COLLISIONS = 20
SECOND_MS, MINUTE_MS = 1_000, 60_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """What begins in one step. `most`: in one second of it, and which that is."""

    at: datetime
    runs: int
    most: int
    most_at: datetime | None
    queues: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Collision:
    """A second in which many begin. `members`: those among them that were looked at."""

    at: datetime
    runs: int
    members: list[Planned]

    @property
    def queues(self) -> dict[str, int]:
        """How many of those belong to which queue, most first."""
        return dict(Counter(one.queue for one in self.members).most_common())


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that begin in one second, and in one minute."""

    second: int
    second_at: datetime | None
    minute: int
    minute_at: datetime | None


@dataclass(frozen=True, slots=True)
class Heat:
    """All steps of a window, also those without runs. Not all schedules looked at: the counts are estimates.

    `collisions`: the worst `MAX_COLLISIONS` of `crowded` seconds that have as many runs as were asked for.
    """

    start: datetime
    end: datetime
    step_s: int
    buckets: list[Bucket]
    collisions: list[Collision]
    crowded: int
    peak: Peak
    looked: int
    total: int

    @property
    def is_complete(self) -> bool:
        return self.looked >= self.total

    @property
    def runs(self) -> int:
        """Of the whole window."""
        return sum(one.runs for one in self.buckets)

    @property
    def hottest(self) -> int:
        """The most runs of one step."""
        return max((one.runs for one in self.buckets), default=0)


def heat_of(outlook: Outlook, start: datetime, end: datetime, step_s: int, at_least: int = AT_LEAST) -> Heat:
    """Counts what was found in a window, by steps of so many seconds from its start on."""
    seconds, queues = _counted(outlook, to_ms(start), step_s * SECOND_MS)
    factor, steps = outlook.factor, -(-int((end - start).total_seconds()) // step_s)
    hottest: dict[int, int] = {}
    for at, n in seconds.items():
        place = (at * SECOND_MS - to_ms(start)) // (step_s * SECOND_MS)
        if place not in hottest or (n, -at) > (seconds[hottest[place]], -hottest[place]):
            hottest[place] = at
    buckets = [
        _bucket(from_ms(to_ms(start) + place * step_s * SECOND_MS), hottest.get(place), seconds, queues, place, factor)
        for place in range(steps)
    ]
    crowded = [at for at, n in seconds.items() if n * factor >= at_least]
    return Heat(
        start, end, step_s, buckets, _collisions(outlook, seconds, crowded), len(crowded), _peak(seconds, factor),
        outlook.looked, outlook.total,
    )  # fmt: skip


def runs_at(outlook: Outlook, at: datetime) -> int:
    """How many begin in that second."""
    second = to_ms(at) // SECOND_MS
    return sum(len(one.members) for one in outlook.groups for due in one.dues if due // SECOND_MS == second)


def _counted(outlook: Outlook, start: int, step: int) -> tuple[Counter[int], dict[int, Counter[str]]]:
    """How many there are per second, and per step and queue."""
    seconds: Counter[int] = Counter()
    queues: dict[int, Counter[str]] = {}
    for group in outlook.groups:
        of_queue, weight = Counter(one.queue for one in group.members), len(group.members)
        for second, n in Counter(at // SECOND_MS for at in group.dues).items():
            seconds[second] += n * weight
        for place, n in Counter((at - start) // step for at in group.dues).items():
            found = queues.setdefault(place, Counter())
            for queue, share in of_queue.items():
                found[queue] += n * share
    return seconds, queues


def _bucket(
    at: datetime, hottest: int | None, seconds: Counter[int], queues: dict[int, Counter[str]], place: int, factor: float
) -> Bucket:
    found = {queue: round(n * factor) for queue, n in queues.get(place, Counter[str]()).most_common()}
    if hottest is None:
        return Bucket(at, 0, 0, None, {})
    return Bucket(
        at, sum(found.values()), round(seconds[hottest] * factor), from_ms(hottest * SECOND_MS), found
    )


def _peak(seconds: Counter[int], factor: float) -> Peak:
    if not seconds:
        return Peak(0, None, 0, None)
    minutes: Counter[int] = Counter()
    for at, n in seconds.items():
        minutes[at // 60] += n
    second, minute = (max(found, key=lambda at, of=found: (of[at], -at)) for found in (seconds, minutes))  # type: ignore[misc]
    return Peak(
        round(seconds[second] * factor), from_ms(second * SECOND_MS),
        round(minutes[minute] * factor), from_ms(minute * MINUTE_MS),
    )  # fmt: skip


def _collisions(outlook: Outlook, seconds: Counter[int], crowded: list[int]) -> list[Collision]:
    worst = sorted(crowded, key=lambda at: (-seconds[at], at))[:MAX_COLLISIONS]
    members: dict[int, list[Planned]] = {at: [] for at in worst}
    for group in outlook.groups:
        for at in members.keys() & {due // SECOND_MS for due in group.dues}:
            members[at] += group.members
    return [
        Collision(from_ms(at * SECOND_MS), round(seconds[at] * outlook.factor), sorted(found, key=lambda one: one.name))
        for at, found in members.items()
    ]
