"""When a rule fires: cron, every n seconds to weeks, calendar rules, once. Pure; instants are aware and in UTC.

Daylight saving: a fixed time that the clocks skip fires once, right after the gap; one that comes twice fires in the
first pass. What has a star for minutes or hours, and intervals, go on in absolute time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from console.clock import EPOCH, from_ms, to_ms
from console.errors import InvalidInput

Unit = Literal["seconds", "minutes", "hours", "days", "weeks"]
SECONDS: dict[Unit, int] = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 604_800}
LONGEST_S = 10 * 366 * 86_400
NICKNAMES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
MAX_TRIES = 5_000
"""Of days that fit one half of a rule and not the other."""
MAX_CRON = 250
TICK = timedelta(milliseconds=1)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NUMBERS = {4: {name: i for i, name in enumerate(_MONTHS, 1)}, 5: {name: i for i, name in enumerate(_WEEKDAYS)}}
_LAST = (59, 59, 23, 31, 12, 6)
_FIRST = (0, 0, 0, 1, 1, 0)


class Rule(Protocol):
    """What fires again and again, or once."""

    def after(self, at: datetime) -> datetime | None:
        """The first time later than this one; None: never again."""


def wrong(field: str, message: str) -> InvalidInput:
    """The error for one field of a definition."""
    return InvalidInput(f"{field}: {message}", [{"field": field, "message": message}])


@lru_cache(maxsize=1_024)
def zone_of(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises `InvalidInput`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise wrong("timezone", f"There is no time zone {name[:60]!r}. Use a name like Europe/Berlin or UTC.") from None


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """A wall-clock time as an instant: the first of two, or right after the gap that swallowed it."""
    at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    back = at.astimezone(zone)
    if back.replace(tzinfo=None) == local:
        return at
    return _change(at - timedelta(hours=26), at + timedelta(hours=26), zone)


class Every:
    """Every so many seconds, from an anchor. The clocks' changes do not matter."""

    def __init__(self, every: int, unit: Unit, anchor: datetime | None) -> None:
        self._ms = every * SECONDS[unit] * 1_000
        self._anchor = to_ms(anchor or EPOCH)

    def after(self, at: datetime) -> datetime | None:
        """The anchor, or whole steps later."""
        steps = max(0, (to_ms(at) - self._anchor) // self._ms + 1)
        return from_ms(self._anchor + steps * self._ms)

    def between(self, start: datetime, end: datetime) -> Iterator[int]:
        """Its times as milliseconds, start ≤ time < end."""
        steps = max(0, -((self._anchor - to_ms(start)) // self._ms))
        return iter(range(self._anchor + steps * self._ms, to_ms(end), self._ms))


class Once:
    """At one time."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def after(self, at: datetime) -> datetime | None:
        """The time itself, unless it is over."""
        return self._at if self._at > at else None


class Cron:
    """Five fields, or six with seconds first. `is_and`: day of month and day of week must both fit, as in Celery.

    Else it is as in cron: when both are given, one of them has to fit.
    """

    def __init__(self, text: str, zone: ZoneInfo, *, is_and: bool = False) -> None:
        self.fields = fields_of(text)
        self._zone, self._days = zone, None
        days, weekdays = self.fields[3], self.fields[5]
        used = list(self.fields)
        if is_and and not days.startswith("*") and not weekdays.startswith("*"):
            used[5], self._days = "*", CronSim(f"0 0 * * {weekdays}", datetime(2000, 1, 1, tzinfo=UTC))
        self.has_seconds = len(text.split()) == 6
        self._text = " ".join(used if self.has_seconds else used[1:])
        self._is_fixed = not used[1].startswith("*") and not used[2].startswith("*")
        self._parse(datetime(2000, 1, 1, tzinfo=UTC))

    def _parse(self, start: datetime) -> CronSim:
        try:
            return CronSim(self._text, start)
        except (CronSimError, AssertionError, ValueError, IndexError) as error:
            raise wrong("cron", f"{error}: {' '.join(self._text.split())!r} is not a time that can come.") from None

    def after(self, at: datetime) -> datetime | None:
        """Of days that must fit both ways, the first time on one of them."""
        for _ in range(MAX_TRIES):
            found = self._next(at)
            if found is None or self._days is None or self._days.match_dow(found.astimezone(self._zone).date()):
                return found
            tomorrow = found.astimezone(self._zone).replace(tzinfo=None, hour=0, minute=0, second=0) + timedelta(days=1)
            at = max(found, instant_of(tomorrow, self._zone) - TICK)
        return None

    def between(self, start: datetime, end: datetime) -> Iterator[int] | None:
        """Its times as milliseconds, start ≤ time < end, much quicker than one by one.

        None: the clocks are changed around there.
        """
        offset = start.astimezone(self._zone).utcoffset() or timedelta()
        days = [start + timedelta(days=n) for n in range(-1, (end - start).days + 3)]
        if any(day.astimezone(self._zone).utcoffset() != offset for day in days):
            return None
        return self._of_days([(day + offset).date() for day in days], to_ms(start), to_ms(end), offset)

    def _of_days(self, days: Sequence[date], start: int, end: int, offset: timedelta) -> Iterator[int]:
        sim = self._parse(datetime(2000, 1, 1, tzinfo=UTC))
        of_day = [
            (hour * 3_600 + minute * 60 + second) * 1_000
            for hour in sorted(sim.hours) for minute in sorted(sim.minutes) for second in sorted(sim.seconds)
        ]  # fmt: skip
        for day in days:
            if day.month in sim.months and sim.match_day(day) and (self._days is None or self._days.match_dow(day)):
                midnight = to_ms(datetime(day.year, day.month, day.day, tzinfo=UTC) - offset)
                yield from (at for ms in of_day if start <= (at := midnight + ms) < end)

    def _next(self, at: datetime) -> datetime | None:
        """The library is asked on the wall clock only: it steps by hours; some clocks change by half of one."""
        return self._fixed(at) if self._is_fixed else self._flowing(at)

    def _fixed(self, at: datetime) -> datetime | None:
        for found in self._parse(at.astimezone(self._zone).replace(tzinfo=None)):
            if (instant := instant_of(found, self._zone)) > at:
                return instant
        return None

    def _flowing(self, at: datetime) -> datetime | None:
        """As if the clocks were never changed again; when they are before that time, once more from there."""
        for _ in range(MAX_TRIES):
            offset = (at + TICK).astimezone(self._zone).utcoffset() or timedelta()
            found = next(self._parse((at + offset).replace(tzinfo=None)), None)
            if found is None:
                return None
            instant = (found - offset).replace(tzinfo=UTC)
            if instant.astimezone(self._zone).utcoffset() == offset:
                return instant
            at = _change(at + TICK, instant, self._zone) - TICK
        return None


def _change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """When the clocks are changed between two times of different offsets: at a whole second."""
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high.replace(microsecond=0)


def fields_of(text: str) -> list[str]:
    """The six fields of a cron expression as cronsim takes them. Raises `InvalidInput`."""
    if len(text) > MAX_CRON:
        raise wrong("cron", f"Use at most {MAX_CRON} characters.")
    given = NICKNAMES.get(text.strip().lower(), text).upper().split()
    if given[:1] and given[0].startswith("@"):
        raise wrong("cron", f"{given[0].lower()!r} is none of {', '.join(NICKNAMES)}.")
    if len(given) not in (5, 6):
        raise wrong("cron", "Write five fields: minute hour day month weekday. Six, if seconds come first.")
    if len(given) == 5:
        given.insert(0, "0")
    return [",".join(_term(term, place) for term in field.split(",")) for place, field in enumerate(given)]


_RANGE = re.compile(r"(\w+)-(\w+)(?:/(\d+))?", re.ASCII)


def _term(term: str, place: int) -> str:
    """One term; `?` is `*`, and a range that runs over its end (22-2) is two."""
    term = term.replace("?", "*") if place in (3, 5) else term
    found = _RANGE.fullmatch(term)
    if found is None:
        return term
    first, last = (_number(found[i], place) for i in (1, 2))
    if first is None or last is None or first <= last:
        return term
    least, most, step = _FIRST[place], _LAST[place], int(found[3] or 1)
    if first > most or step < 1:
        return term
    span = most - least + 1
    values = range(first, last + span + 1, step)
    return ",".join(str((value - least) % span + least) for value in values)


def _number(text: str, place: int) -> int | None:
    known = _NUMBERS.get(place, {})
    return known[text] if text in known else int(text) if text.isdigit() else None
