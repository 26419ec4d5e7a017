"""What the pages of the calendar, the heat map and spreading are asked for: all of it stands in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from console.errors import InvalidInput
from console.schedules import forms
from console.schedules.agenda import Entry, Hour
from console.schedules.heat import AT_LEAST, Bucket, Heat
from console.schedules.lists import ScheduleFilter
from console.schedules.recurrence import instant_of, wrong, zone_of
from console.schedules.spread import Way
from console.schedules.spreading import SpreadRequest

ZONE_COOKIE = "zone"
"""Where a browser says in which zone its person is; static/js/times.js sets it."""
DAY, WEEK = "day", "week"
FOLDED = {DAY: 12, WEEK: 2}
LOOKED = {DAY: 300, WEEK: 60}
LEVELS = 5
_DAYS = {DAY: 1, WEEK: 7}


@dataclass(frozen=True, slots=True)
class Shown:
    """Which part of the calendar. `hour`: that one alone, run by run."""

    view: str
    day: date
    hour: int | None
    zone: ZoneInfo
    wanted: ScheduleFilter
    today: date

    @property
    def first(self) -> date:
        """The first day; weeks begin on Monday."""
        return self.day - timedelta(days=self.day.weekday()) if self.view == WEEK else self.day

    @property
    def last(self) -> date:
        """The last day."""
        return self.moved(1) - timedelta(days=1)

    def moved(self, by: int) -> date:
        """So many views further."""
        return self.first + timedelta(days=by * _DAYS[self.view])

    def bounds(self) -> list[tuple[datetime, datetime]]:
        """Its hours by the clocks of the zone, in order: none for one that is skipped, two for one that comes twice."""
        days = [self.first + timedelta(days=n) for n in range(_DAYS[self.view])]
        hours = range(24) if self.hour is None else [self.hour]
        found = [(_at(day, hour, self.zone), _at(day, hour + 1, self.zone)) for day in days for hour in hours]
        return [(start, end) for start, end in found if start < end]


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour as a page shows it. `folded`: so many runs are not in `entries`."""

    hour: Hour
    entries: Sequence[Entry]
    folded: int


@dataclass(frozen=True, slots=True)
class Day:
    """A day with its hours."""

    date: date
    cells: list[Cell]

    @property
    def is_empty(self) -> bool:
        return not any(cell.hour.runs for cell in self.cells)


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A step as the map shows it. `level`: 0 (nothing) to 5 (the most)."""

    bucket: Bucket
    runs: int
    level: int
    is_collision: bool

    @property
    def said(self) -> str:
        """The number, short enough for its cell."""
        if self.runs < 1_000:
            return str(self.runs or "")
        return f"{self.runs / 1_000:.1f}k" if self.runs < 9_950 else f"{self.runs / 1_000:.0f}k"


def shown_of(given: Mapping[str, str], cookies: Mapping[str, str], now: datetime) -> Shown:
    """What the address asks for; what makes no sense is as if it were not there."""
    zone = _zone(given.get("zone", "")) or _zone(cookies.get(ZONE_COOKIE, "")) or zone_of("UTC")
    today = now.astimezone(zone).date()
    view = given.get("view", WEEK)
    hour = given.get("hour", "")
    is_hour = hour.isascii() and hour.isdigit() and len(hour) < 3 and int(hour) < 24
    return Shown(
        DAY if is_hour or view == DAY else WEEK, _day(given.get("day", ""), today), int(hour) if is_hour else None,
        zone, _filter(given), today,
    )  # fmt: skip


def days_of(shown: Shown, hours: Sequence[Hour]) -> list[Day]:
    """The hours by day, of each as many entries as there is room for."""
    found: dict[date, list[Cell]] = {}
    for hour in hours:
        entries = _telling(hour.entries, FOLDED[shown.view])
        folded = hour.runs - sum(one.runs for one in entries)
        local = hour.start.astimezone(shown.zone).date()
        found.setdefault(local, []).append(Cell(hour, entries, max(0, folded)))
    return [Day(day, cells) for day, cells in found.items()]


def _telling(entries: Sequence[Entry], most: int) -> list[Entry]:
    """Those that people look for: what went wrong, then what is rare; in order of time."""
    first = sorted(entries, key=lambda one: (not (one.worst and one.worst.is_bad), one.runs, one.at))[:most]
    return sorted(first, key=lambda one: (one.is_coming, one.at, one.name))


def heat_rows(heat: Heat, zone: ZoneInfo, queue: str, at_least: int) -> list[tuple[datetime, list[HeatCell | None]]]:
    """The steps by hour of the zone, each row beginning with a full hour; None: before the first step."""
    runs = [one.queues.get(queue, 0) if queue else one.runs for one in heat.buckets]
    hottest, found = max(runs, default=0), dict[datetime, list[HeatCell | None]]()
    for bucket, n in zip(heat.buckets, runs, strict=True):
        local = bucket.at.astimezone(zone)
        row = found.setdefault(local.replace(minute=0), [])
        row += [None] * (local.minute * 60 // heat.step_s - len(row))
        level = -(-LEVELS * n // hottest) if n else 0
        row.append(HeatCell(bucket, n, level, bucket.most >= at_least))
    return list(found.items())


def at_least_of(given: Mapping[str, str]) -> int:
    """How many in one second are a collision."""
    return _number(given.get("at_least", "")) or AT_LEAST


def spread_of(given: Mapping[str, str]) -> SpreadRequest:
    """What is to be spread. Raises `InvalidInput`."""
    over = given.get("over_s", "").strip()
    if over and _number(over) is None:
        raise wrong("over_s", "Type a number of seconds.")
    return SpreadRequest(
        Way.SHIFT if given.get("way") == Way.SHIFT else Way.JITTER, _number(over), max(2, at_least_of(given)),
        _instant(given, "at"), _instant(given, "since"),
    )  # fmt: skip


def _instant(given: Mapping[str, str], name: str) -> datetime | None:
    try:
        return forms.local_time(given, name, "UTC")
    except InvalidInput:
        return None


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text) else None


def _filter(given: Mapping[str, str]) -> ScheduleFilter:
    """As on the list; here a choice among states holds those that are late or cannot fire."""
    flagged = {"flagged": "1"} if given.get("state") == "flagged" else {}
    return forms.filter_of({**given, **flagged})


def _zone(name: str) -> ZoneInfo | None:
    try:
        return zone_of(name) if name else None
    except InvalidInput:
        return None


def _day(text: str, today: date) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return today
    return found if 1970 < found.year < 2_300 else today


def _at(day: date, hour: int, zone: ZoneInfo) -> datetime:
    local = datetime(day.year, day.month, day.day) + timedelta(hours=hour)  # noqa: DTZ001  on the wall clock
    return instant_of(local, zone)


def kept_of(given: Mapping[str, str], names: Sequence[str]) -> dict[str, Any]:
    """What of the address goes on to the next one."""
    return {name: given[name] for name in names if given.get(name)}
