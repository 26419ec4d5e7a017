"""Events of an iCalendar file as spans of time, with what RFC 5545 takes out of a series and puts into it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from icalendar import Calendar

from console.errors import InvalidInput
from console.schedules.calendar_rule import CalendarRule
from console.schedules.recurrence import instant_of, wrong

Span = tuple[datetime, datetime]
BACK, AHEAD = timedelta(days=400), timedelta(days=366 * 5)
"""So far from its change repeated events of a calendar are worked out."""
MAX_REPEATS = 5_000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Event:
    """One VEVENT. Days last from midnight to midnight of the zone, however long that is; other spans so many seconds.

    `zone`: its own, or for times without one that of the schedule.
    """

    name: str
    start: datetime
    length: timedelta
    is_day: bool
    zone: ZoneInfo
    rules: tuple[str, ...]
    more: tuple[Any, ...]
    left_out: frozenset[datetime | date] = field(default_factory=frozenset)

    def span(self, start: datetime, length: timedelta | None = None) -> Span:
        """From one of its beginnings to its end."""
        if not self.is_day:
            return start, start + (self.length if length is None else length)
        local = start.astimezone(self.zone).replace(tzinfo=None)
        return start, instant_of(local + (self.length if length is None else length), self.zone)

    def has(self, start: datetime) -> bool:
        """Whether that beginning was not taken out."""
        return start not in self.left_out and start.astimezone(self.zone).date() not in self.left_out


def spans_of(text: str, zone: ZoneInfo, around: datetime) -> Iterator[Span]:
    """All events of the file, repeated ones around that time. Raises `InvalidInput`."""
    try:
        read = Calendar.from_ical(text, multiple=True)
    except (ValueError, KeyError, IndexError) as error:
        raise wrong("text", f"The iCalendar text cannot be read: {str(error)[:200]}.") from None
    if len(read) < text.upper().count("BEGIN:VCALENDAR"):  # the library leaves out what has no end
        raise wrong("text", "The iCalendar text breaks off: END:VCALENDAR is missing.")
    events = [event for one in read for event in one.walk("VEVENT")]
    moved = _moved(events)
    for event in events:
        name = str(event.get("SUMMARY", ""))[:60]
        try:
            found = _read(event, name, zone, moved)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise wrong("text", f"The event {name!r} has no times that can be read: {str(error)[:100]}.") from None
        if str(event.get("STATUS", "")).upper() != "CANCELLED":
            yield from _spans(found, around)


def _moved(events: list[Any]) -> Mapping[str, list[Any]]:
    """Of each series, the beginnings that have an event of their own: that one says when they are, or that not."""
    found: dict[str, list[Any]] = defaultdict(list)
    for event in events:
        if "RECURRENCE-ID" in event and "UID" in event:
            found[str(event["UID"])].append(event["RECURRENCE-ID"])
    return found


def _read(event: Any, name: str, zone: ZoneInfo, moved: Mapping[str, list[Any]]) -> _Event:
    if "EXRULE" in event:
        raise wrong("text", f"The event {name!r} has an EXRULE, which is out of use. Give the dates as EXDATE.")
    begun = _known(event["DTSTART"], name)
    is_day = not isinstance(begun, datetime)
    own = cast(ZoneInfo, begun.tzinfo) if isinstance(begun, datetime) and begun.tzinfo else zone
    start = _instant(begun, own)
    is_series = "RECURRENCE-ID" not in event
    said = [one.dt for value in _listed(event.get("EXDATE")) for one in value.dts]
    said += [_known(one, name) for one in moved.get(str(event.get("UID")), ())] if is_series else []
    return _Event(
        name, start, _length(event, begun, own), is_day, own,
        tuple(rule.to_ical().decode() for rule in _listed(event.get("RRULE"))),
        tuple(one.dt for value in _listed(event.get("RDATE")) for one in value.dts),
        frozenset(_left_out(at, own, is_day=is_day) for at in said),
    )  # fmt: skip


def _length(event: Any, begun: date | datetime, zone: ZoneInfo) -> timedelta:
    if "DTEND" in event:
        end = _known(event["DTEND"], "")
        if isinstance(begun, datetime) or isinstance(end, datetime):
            return max(timedelta(), _instant(end, zone) - _instant(begun, zone))
        return max(timedelta(), end - begun)
    if "DURATION" in event:
        return max(timedelta(), cast(timedelta, event["DURATION"].dt))
    return timedelta() if isinstance(begun, datetime) else _DAY


def _left_out(at: date | datetime, zone: ZoneInfo, *, is_day: bool) -> date | datetime:
    """A beginning that is taken out: a day, when the event lasts for days or only the day was given."""
    if not isinstance(at, datetime):
        return at
    return at.date() if is_day else _instant(at, zone)


def _spans(event: _Event, around: datetime) -> Iterator[Span]:
    if event.has(event.start):
        yield event.span(event.start)
    for rule in event.rules:
        for at in _repeated(event, rule, around):
            if event.has(at):
                yield event.span(at)
    for one in event.more:
        start, end = one if isinstance(one, tuple) else (one, None)
        at = _instant(start, event.zone)
        if event.has(at):
            length = end if isinstance(end, timedelta) or end is None else _instant(end, event.zone) - at
            yield event.span(at, length)


def _repeated(event: _Event, rule: str, around: datetime) -> Iterator[datetime]:
    """The beginnings after the first. What is taken out counts in COUNT."""
    text, count = _without_count(rule)
    at: datetime | None = event.start if count else max(event.start, around - BACK)
    try:
        recurrence = CalendarRule(text, event.zone, event.start)
        for _ in range((count or MAX_REPEATS + 1) - 1):
            at = recurrence.after(at) if at else None
            if at is None or at > around + AHEAD:
                return
            yield at
    except InvalidInput as error:
        raise wrong("text", f"The event {event.name!r}: {error.detail}") from None


def _without_count(text: str) -> tuple[str, int]:
    parts = text.split(";")
    [count] = [part[6:] for part in parts if part.upper().startswith("COUNT=")] or ["0"]
    return ";".join(part for part in parts if not part.upper().startswith("COUNT=")), min(int(count), MAX_REPEATS + 1)


def _known(value: Any, name: str) -> date | datetime:
    """A time of the file, whose zone is known."""
    at = cast(date | datetime, value.dt)
    zone = value.params.get("TZID")
    if zone and isinstance(at, datetime) and at.tzinfo is None:
        raise wrong("text", f"The event {name!r} is in the time zone {str(zone)[:60]!r}, which nobody knows.")
    return at


def _instant(at: date | datetime, zone: ZoneInfo) -> datetime:
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day)  # noqa: DTZ001  on the wall clock
    return at.astimezone(UTC) if at.tzinfo is not None else instant_of(at, zone)


def _listed(value: Any) -> list[Any]:
    """A property that may stand there never, once or several times."""
    return [] if value is None else value if isinstance(value, list) else [value]
