"""When rules fire, against a walk over every minute that knows nothing of how they are computed, in five zones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.errors import InvalidInput
from console.schedules.blackouts import read_blackouts
from console.schedules.definition import Definition, parse_definition
from console.schedules.rules import Timetable, job_id_of
from console.schedules.words import explain

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata")
MINUTE = timedelta(minutes=1)


def definition(**said: Any) -> Definition:
    return parse_definition({"name": "x", "type": "demo.noop"} | said)


def cron(text: str, zone: str = "UTC", **more: Any) -> Timetable:
    return Timetable(definition(kind="cron", cron=text, timezone=zone, **more))


def local(table: Timetable, start: datetime, n: int) -> list[str]:
    return [f"{run.local:%m-%d %H:%M:%S%z}" for run in table.runs(start, n)]


@cache
def changes_of(zone: str) -> tuple[datetime, ...]:
    """When the clocks of a zone change, over ten years, to the minute."""
    tz, found = ZoneInfo(zone), []
    at = datetime(2024, 1, 1, tzinfo=UTC)
    while at < datetime(2034, 1, 1, tzinfo=UTC):
        if at.astimezone(tz).utcoffset() != (at + timedelta(hours=1)).astimezone(tz).utcoffset():
            found.append(at)
        at += timedelta(hours=1)
    return tuple(found)


def walk(zone: str, minutes: set[int] | None, hours: set[int] | None, days: Any, start: datetime, end: datetime) -> list[datetime]:
    """Every minute is asked: a star follows the clock as it goes; of a fixed time each day has each wall minute once,
    the first time the clock shows it, or when the clock has jumped over it."""
    tz = ZoneInfo(zone)
    fits = lambda at: (minutes is None or at.minute in minutes) and (hours is None or at.hour in hours) and days(at.date())  # noqa: E731
    is_fixed = minutes is not None and hours is not None
    found = []
    before = (start - MINUTE).astimezone(tz).replace(tzinfo=None)
    seen = set(shown(start - timedelta(hours=4), start - MINUTE, tz)) if is_fixed else set()
    for at in every_minute(start, end):
        now = at.astimezone(tz).replace(tzinfo=None)
        if not is_fixed:
            if fits(now):
                found.append(at)
        else:
            jumped = list(naive_minutes(before + MINUTE, now)) if now > before + MINUTE else []
            if any(fits(one) for one in jumped) or (fits(now) and now not in seen):
                found.append(at)
            seen |= {*jumped, now}
        before = now
    return found


def every_minute(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += MINUTE


def shown(start: datetime, end: datetime, tz: ZoneInfo) -> Iterator[datetime]:
    return (at.astimezone(tz).replace(tzinfo=None) for at in every_minute(start, end + MINUTE))


def naive_minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    return every_minute(start, end)


PARTS = st.sets(st.integers(0, 59), min_size=1, max_size=3)
HOURS = st.one_of(st.none(), st.sets(st.integers(0, 4), min_size=1, max_size=3))


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES), minutes=st.one_of(st.none(), PARTS), hours=HOURS,
    weekday=st.one_of(st.none(), st.integers(0, 6)), month_day=st.one_of(st.none(), st.integers(1, 31)),
    is_and=st.booleans(), where=st.integers(0, 1_000), offset=st.integers(0, 1_500),
)  # fmt: skip
def test_cron_is_what_a_walk_over_every_minute_finds(
    zone: str, minutes: set[int] | None, hours: set[int] | None, weekday: int | None, month_day: int | None,
    is_and: bool, where: int, offset: int,
) -> None:
    changes = changes_of(zone) or (datetime(2026, 3, 29, tzinfo=UTC),)
    start = changes[where % len(changes)] - timedelta(minutes=offset)
    end = start + timedelta(days=2)

    def days(at: date) -> bool:
        by_week, by_month = at.isoweekday() % 7 == weekday, at.day == month_day
        if weekday is None or month_day is None:
            return (weekday is None or by_week) and (month_day is None or by_month)
        return (by_week and by_month) if is_and else (by_week or by_month)

    said = [",".join(map(str, sorted(part))) if part is not None else "*" for part in (minutes, hours)]
    text = " ".join([*said, "*" if month_day is None else str(month_day), "*", "*" if weekday is None else str(weekday)])
    table = cron(text, zone, cron_days="and" if is_and else "or")
    runs = [run.nominal_at for run in table.runs(start - timedelta(milliseconds=1), 5_000, end)]
    assert runs == walk(zone, minutes, hours, days, start, end), text


@settings(max_examples=40, deadline=None)
@given(
    zone=st.sampled_from(ZONES), hour=st.integers(0, 4), minute=st.sampled_from((0, 15, 30, 45)),
    where=st.integers(0, 1_000), years=st.integers(0, 9),
)
def test_a_calendar_rule_that_says_the_same_as_cron_fires_as_cron(
    zone: str, hour: int, minute: int, where: int, years: int
) -> None:
    changes = changes_of(zone) or (datetime(2026, 3, 29, tzinfo=UTC),)
    start = changes[where % len(changes)] - timedelta(days=3)
    anchor = datetime(2015 + years, 1, 31, 12, tzinfo=UTC)
    rule = Timetable(definition(
        kind="rrule", rrule=f"FREQ=DAILY;BYHOUR={hour};BYMINUTE={minute};BYSECOND=0", timezone=zone,
        anchor=anchor.isoformat(),
    ))  # fmt: skip
    begun = max(start, anchor)
    assert [run.nominal_at for run in rule.runs(begun, 8)] == [
        run.nominal_at for run in cron(f"{minute} {hour} * * *", zone).runs(begun, 8)
    ]


SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["30 2 * * *", "0 30 2 * * *"])
def test_a_skipped_time_runs_right_after_the_gap_and_a_repeated_one_once(text: str) -> None:
    assert local(cron(text, "Europe/Berlin"), SPRING, 2) == ["03-29 03:00:00+0200", "03-30 02:30:00+0200"]
    assert local(cron(text, "Europe/Berlin"), AUTUMN, 2) == ["10-25 02:30:00+0200", "10-26 02:30:00+0100"]
    second_pass = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert local(cron(text, "Europe/Berlin"), second_pass, 1) == ["10-26 02:30:00+0100"]


@pytest.mark.parametrize("said", [
    {"kind": "cron", "cron": "*/15 * * * *"}, {"kind": "every", "every": 15},
    {"kind": "rrule", "rrule": "FREQ=MINUTELY;INTERVAL=15", "anchor": "2020-01-01T00:00:00Z"},
])  # fmt: skip
@pytest.mark.parametrize("around", [SPRING, AUTUMN])
def test_stars_and_intervals_have_no_hole_and_no_double(said: dict[str, Any], around: datetime) -> None:
    runs = [run.nominal_at for run in Timetable(definition(timezone="Europe/Berlin", **said)).runs(around, 140)]
    assert {later - one for one, later in pairwise(runs)} == {timedelta(minutes=15)}


def test_nicknames_question_marks_and_ranges_over_the_end() -> None:
    assert local(cron("@daily"), SPRING, 1) == ["03-29 00:00:00+0000"]
    assert local(cron("0 22-1 ? * *"), SPRING, 5)[:4] == [f"03-{day} {hour}:00:00+0000" for day, hour in
                                                          (("28", "22"), ("28", "23"), ("29", "00"), ("29", "01"))]
    assert local(cron("0 0 * * FRI-MON"), SPRING, 3) == ["03-29 00:00:00+0000", "03-30 00:00:00+0000", "04-03 00:00:00+0000"]


@pytest.mark.parametrize("said", [
    {"kind": "cron", "cron": "0 0 30 2 *"}, {"kind": "cron", "cron": "60 * * * *"}, {"kind": "cron", "cron": "x"},
    {"kind": "cron", "cron": "@reboot"}, {"kind": "rrule", "rrule": "FREQ=SECONDLY", "anchor": "2026-01-01T00:00:00Z"},
    {"kind": "rrule", "rrule": "FREQ=DAILY;COUNT=3", "anchor": "2026-01-01T00:00:00Z"}, {"kind": "once"},
    {"kind": "every"}, {"kind": "cron", "cron": "* * * * *", "timezone": "Mars/Base"},
])  # fmt: skip
def test_what_cannot_be_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Timetable(definition(**said))


@pytest.mark.parametrize("rule", ["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30"])
def test_a_rule_that_never_fires_ends(rule: str) -> None:
    assert Timetable(definition(kind="rrule", rrule=rule, anchor="2026-01-01T00:00:00Z")).after(SPRING) is None


def test_jitter_is_always_the_same_and_never_reaches_the_next_time() -> None:
    table = Timetable(definition(kind="every", every=10, unit="seconds", jitter_s=3_600), "a")
    dues = [run.due_at for run in table.runs(SPRING, 200)]
    assert dues == [run.due_at for run in table.runs(SPRING, 200)] == sorted(set(dues))
    assert all(timedelta() <= run.due_at - run.nominal_at < timedelta(seconds=10) for run in table.runs(SPRING, 200))


CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20201225
DTEND;VALUE=DATE:20201227
RRULE:FREQ=YEARLY
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize("text", [CALENDAR, "2026-12-25..2026-12-26  # Christmas"])
def test_nothing_fires_in_a_blackout(text: str) -> None:
    kept = read_blackouts((text,), "Europe/Berlin", 2026)
    table = Timetable(definition(kind="cron", cron="0 9 * * *", timezone="Europe/Berlin"), "", kept)
    assert local(table, datetime(2026, 12, 24, tzinfo=UTC), 2) == ["12-24 09:00:00+0100", "12-27 09:00:00+0100"]


@pytest.mark.parametrize("said", ["tomorrow", "2026-12-26..2026-12-24", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\n"])
def test_a_calendar_that_cannot_be_read_is_refused(said: str) -> None:
    with pytest.raises(InvalidInput):
        read_blackouts((said,), "UTC", 2026)


@pytest.mark.parametrize(("said", "words"), [
    ({"kind": "cron", "cron": "30 2 * * 1-5"}, "At 02:30 on Monday through Friday (UTC)"),
    ({"kind": "cron", "cron": "0 12 13 * 5", "cron_days": "and"}, "At 12:00 on the 13th day of every month, but only on Friday (UTC)"),
    ({"kind": "every", "every": 1, "unit": "hours"}, "Every hour"),
    ({"kind": "rrule", "rrule": "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "anchor": "2026-01-01T09:00:00Z"},
     "Every month on the last weekday at 09:00 (UTC)"),
    ({"kind": "once", "at": "2026-12-01T10:00:00Z"}, "Once, on Tue 01 Dec 2026 10:00 (UTC)"),
])  # fmt: skip
def test_words(said: dict[str, Any], words: str) -> None:
    assert explain(definition(**said)) == words


def test_ids_are_the_same_for_the_same_time_and_in_order_of_time() -> None:
    one, other = (job_id_of("s", at, "time") for at in (SPRING, AUTUMN))
    assert one == job_id_of("s", SPRING, "time") and one < other and one[14] == "7"
    assert job_id_of("s", SPRING, "manual") != one
