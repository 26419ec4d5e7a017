"""Times at which nothing fires: dates, spans of dates, or an iCalendar file. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from console.schedules.ical import spans_of
from console.schedules.recurrence import instant_of, wrong, zone_of

MAX_TEXT = 500_000
MAX_SPANS = 5_000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Blackouts:
    """Spans that do not touch each other, in order, as milliseconds of their beginnings and ends."""

    spans: tuple[tuple[datetime, datetime], ...] = ()

    def end_of(self, at: datetime) -> datetime | None:
        """When the blackout ends that holds this time; None: it is none."""
        place = bisect_right(self.spans, at, key=lambda span: span[0]) - 1
        return self.spans[place][1] if place >= 0 and at < self.spans[place][1] else None


NONE = Blackouts()


@lru_cache(maxsize=256)
def read_blackouts(texts: tuple[str, ...], timezone: str, year: int) -> Blackouts:
    """What several calendars say together, in a zone; repeated events around that year. Raises `InvalidInput`."""
    zone, found = zone_of(timezone), []
    for text in texts:
        found += _spans(text, zone, datetime(year, 1, 1, tzinfo=zone))
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return Blackouts(tuple(merged))


def _spans(text: str, zone: ZoneInfo, around: datetime) -> list[tuple[datetime, datetime]]:
    if len(text) > MAX_TEXT:
        raise wrong("text", f"Use at most {MAX_TEXT:,} characters.")
    is_calendar = text.lstrip().upper().startswith("BEGIN:VCALENDAR")
    found: list[tuple[datetime, datetime]] = []
    for span in spans_of(text, zone, around) if is_calendar else _of_lines(text, zone):
        found.append(span)
        if len(found) > MAX_SPANS:
            raise wrong("text", f"Use at most {MAX_SPANS:,} dates or events.")
    return found


def _of_lines(text: str, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    for number, line in enumerate(text.splitlines(), 1):
        said = line.partition("#")[0].split(maxsplit=1)
        if not said:
            continue
        first, _, last = said[0].partition("..")
        try:
            start, end = _local(first), _local(last or first)
        except ValueError:
            example = "2026-12-25, 2026-12-24..2027-01-01 or 2026-12-24T18:00..2026-12-26T06:00"
            raise wrong("text", f"Line {number}: write dates like {example}.") from None
        span = (instant_of(_midnight(start), zone), instant_of(_midnight(end, ends=True), zone))
        if span[0] >= span[1]:
            raise wrong("text", f"Line {number}: the end has to come after the beginning.")
        yield span


def _local(text: str) -> date | datetime:
    if "T" in text:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            raise ValueError(text)
        return at
    return date.fromisoformat(text)


def _midnight(at: date | datetime, *, ends: bool = False) -> datetime:
    """A wall-clock time; of a date that ends a span, the midnight after it."""
    if isinstance(at, datetime):
        return at.replace(tzinfo=None)
    return datetime(at.year, at.month, at.day) + (_DAY if ends else timedelta())  # noqa: DTZ001  on the wall clock
