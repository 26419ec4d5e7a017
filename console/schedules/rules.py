"""A schedule's times: rule, zone, bounds, blackouts and jitter together; which fire now and which were missed. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from uuid import UUID
from zoneinfo import ZoneInfo

from console.clock import EPOCH, from_ms, to_ms
from console.schedules.blackouts import NONE, Blackouts
from console.schedules.calendar_rule import CalendarRule
from console.schedules.definition import CatchUp, CronDays, Definition, Kind
from console.schedules.recurrence import LONGEST_S, SECONDS, TICK, Cron, Every, Once, Rule, wrong, zone_of

GRACE = timedelta(seconds=60)
"""So late a run is late, not missed."""
MAX_SLOTS = 1_000
"""Of one claim; what is beyond is counted as "at least so many"."""
MAX_BLACKED_OUT = 10_000


@dataclass(frozen=True, slots=True)
class Run:
    """A coming time: when it should be, when it is due with jitter, and what the clocks do there.

    `mark`: "" or words on daylight saving.
    """

    nominal_at: datetime
    due_at: datetime
    local: datetime
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Missed:
    """Times that pass without a run. `is_exact`: False, there were at least so many."""

    first_at: datetime
    last_at: datetime
    slots: int
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Claim:
    """What a due schedule does now: times to fire, what was missed, and when it is next due."""

    fire: list[datetime] = field(default_factory=list)
    missed: Missed | None = None
    next_at: datetime | None = None


class Timetable:
    """All times of a schedule. `key`: what its jitter is made of."""

    def __init__(self, definition: Definition, key: str = "", blackouts: Blackouts = NONE) -> None:
        self.zone = zone_of(definition.timezone)
        self._rule = rule_of(definition)
        self._from = definition.starts_at.astimezone(UTC) if definition.starts_at else EPOCH
        self._to = definition.ends_at.astimezone(UTC) if definition.ends_at else None
        self._jitter_ms, self._key, self._blackouts = definition.jitter_s * 1_000, key, blackouts

    @property
    def jitter(self) -> timedelta:
        """It is due so much later at most."""
        return timedelta(milliseconds=self._jitter_ms)

    def after(self, at: datetime) -> datetime | None:
        """The first time later than this one, outside blackouts and within the bounds; None: never again."""
        at = max(at, self._from - TICK)
        for _ in range(MAX_BLACKED_OUT):
            found = self._rule.after(at)
            if found is None or (self._to is not None and found > self._to):
                return None
            end = self._blackouts.end_of(found)
            if end is None:
                return found
            at = end - TICK
        return None

    def due(self, nominal: datetime) -> datetime:
        """With jitter, which never reaches the next time."""
        if not self._jitter_ms:
            return nominal
        following = self._rule.after(nominal)
        at = to_ms(nominal)
        return from_ms(at + jitter_of(self._key, at, self._jitter_ms, None if following is None else to_ms(following)))

    def each(self, after: datetime, until: datetime | None = None) -> Iterator[Run]:
        """Run after run, as long as somebody asks for more."""
        at = self.after(after)
        while at is not None and (until is None or at < until):
            yield Run(at, self.due(at), at.astimezone(self.zone), mark_of(at, self.zone))
            at = self.after(at)

    def between(self, start: datetime, end: datetime, most: int) -> list[int]:
        """Its times as milliseconds, start ≤ time < end, the first so many; as `after` finds them, but all at once."""
        start, end = max(start, self._from), end if self._to is None else min(end, self._to + TICK)
        quick = self._rule.between(start, end) if isinstance(self._rule, Cron | Every) and start < end else None
        if quick is None:
            return [to_ms(run.nominal_at) for run in self.runs(start - TICK, most, end)] if start < end else []
        if self._blackouts.spans:
            quick = (at for at in quick if self._blackouts.end_of(from_ms(at)) is None)
        return list(islice(quick, most))

    def jittered(self, times: Sequence[int], key: str) -> list[int]:
        """When these times, one after the other, are due for the schedule of that key."""
        if not self._jitter_ms or not times:
            return list(times)
        raw = [*times[1:], None]  # a time in a blackout would have followed sooner: such a jitter is asked for exactly
        if self._blackouts.spans or isinstance(self._rule, Once):
            raw = [self._following(at) for at in times]
        else:
            raw[-1] = self._following(times[-1])
        return [at + jitter_of(key, at, self._jitter_ms, after) for at, after in zip(times, raw, strict=True)]

    def _following(self, at: int) -> int | None:
        found = self._rule.after(from_ms(at))
        return None if found is None else to_ms(found)

    def runs(self, after: datetime, limit: int, until: datetime | None = None) -> list[Run]:
        """The next runs, at most so many."""
        return list(islice(self.each(after, until), limit))

    def claim(self, nominal: datetime, now: datetime, definition: Definition) -> Claim:
        """What is to be done for a time that is due, and all that came after it by now."""
        waits = timedelta(seconds=definition.catch_up_window_s) if definition.catch_up is CatchUp.ALL else GRACE
        old, at = self._slots(nominal, min(now, now - waits))
        is_exact = at is None or at >= now - waits
        at = at if is_exact else self.after(now - waits - TICK)
        fresh, following = self._slots(at, now)
        while following is not None and self.due(following) <= now:  # more than can be looked at: the newest count
            old, is_exact, waits = old or fresh, False, waits / 2
            fresh, following = self._slots(self.after(now - waits - TICK), now)
        most = definition.catch_up_cap if definition.catch_up is CatchUp.ALL else MAX_SLOTS
        fire, gone = fresh[-most:], old + fresh[:-most]
        if definition.catch_up is CatchUp.LAST and gone:
            latest = fire[-1] if fire else gone[-1] if is_exact else self._latest(gone[-1], now)
            fire, gone = [latest], [one for one in gone + fire if one != latest]
        return Claim(fire, _missed(gone, is_exact=is_exact), following)

    def _slots(self, start: datetime | None, until: datetime) -> tuple[list[datetime], datetime | None]:
        """Times that are due by then, and the first that is not among them."""
        found: list[datetime] = []
        at = start
        while at is not None and len(found) < MAX_SLOTS and self.due(at) <= until:
            found.append(at)
            at = self.after(at)
        return found, at

    def _latest(self, known: datetime, now: datetime) -> datetime:
        """The last time before now, found by halving: there are too many to count."""
        low, high = known, now
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            found = self.after(middle)
            if found is not None and self.due(found) <= now:
                low = found
            else:
                high = middle
        return low


def rule_of(definition: Definition) -> Rule:
    """The rule that a definition's kind names. Raises `InvalidInput`."""
    anchor = definition.anchor or definition.starts_at
    if definition.kind is Kind.CRON:
        return _cron(definition.cron or "", definition.timezone, definition.cron_days is CronDays.AND)
    if definition.kind is Kind.RRULE:
        if anchor is None:
            raise wrong("anchor", "Say from when on the rule counts.")
        return _calendar(definition.rrule or "", definition.timezone, anchor)
    if definition.kind is Kind.EVERY:
        if definition.every is None or definition.every * SECONDS[definition.unit] > LONGEST_S:
            raise wrong("every", "Give a number; the longest interval is ten years.")
        return Every(definition.every, definition.unit, anchor)
    if definition.at is None:
        raise wrong("at", "Say when.")
    return Once(definition.at.astimezone(UTC))


@lru_cache(maxsize=4_096)
def _cron(text: str, zone: str, is_and: bool) -> Cron:
    return Cron(text, zone_of(zone), is_and=is_and)


@lru_cache(maxsize=1_024)
def _calendar(text: str, zone: str, anchor: datetime) -> CalendarRule:
    return CalendarRule(text, zone_of(zone), anchor)


def jitter_of(key: str, nominal: int, most: int, following: int | None) -> int:
    """So many milliseconds later it is due: always as many for the same key and time, and before the next time."""
    if following is not None:
        most = min(most, following - nominal - 1)
    seed = hashlib.sha256(f"{key}:{nominal}".encode()).digest()
    return int.from_bytes(seed[:8]) % (max(0, most) + 1)


def mark_of(at: datetime, zone: ZoneInfo) -> str:
    """What the clocks' change does to a time, in words; "" for nothing."""
    local = at.astimezone(zone)
    before, ahead = ((at - timedelta(seconds=1)).astimezone(zone).utcoffset(), local.utcoffset())
    if before is not None and ahead is not None and ahead > before:
        return "right after the clocks go forward"
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        return f"this hour comes twice; the {'second' if local.fold else 'first'} time"
    return ""


def job_id_of(schedule_id: str, nominal: datetime, trigger: str) -> str:
    """The id of the job that a schedule makes for a time: always the same one, and in order of time (UUIDv7)."""
    digest = hashlib.sha256(f"{schedule_id}:{to_ms(nominal)}:{trigger}".encode()).digest()
    value = (to_ms(nominal) & (1 << 48) - 1) << 80 | int.from_bytes(digest[:10])
    value = value & ~(0xF << 76) | 7 << 76
    return str(UUID(int=value & ~(0b11 << 62) | 0b10 << 62))


def _missed(slots: list[datetime], *, is_exact: bool) -> Missed | None:
    return Missed(slots[0], slots[-1], len(slots), is_exact) if slots else None
