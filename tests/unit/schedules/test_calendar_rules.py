"""Calendar rules against a walk over every day, or every minute, written from the words of RFC 5545 (section 3.3.10):
each day of ten years is asked whether the rule's parts let it pass. It knows nothing of dateutil, nor of the code it tests.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from console.errors import InvalidInput
from console.schedules.definition import parse_definition
from console.schedules.rules import Timetable

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "America/Santiago", "Asia/Kolkata")
DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
YEARS = 10
EXAMPLES = int(os.environ.get("RULE_EXAMPLES", "12"))
LENGTH = 24 * HOUR
SUB_DAILY = ("HOURLY", "MINUTELY")
Parts = dict[str, Any]


def table(rule: str, zone: str, anchor: str) -> Timetable:
    return Timetable(parse_definition({
        "name": "x", "type": "x", "kind": "rrule", "rrule": rule, "timezone": zone, "anchor": anchor,
    }))  # fmt: skip


def text_of(parts: Parts) -> str:
    said = {name: value if isinstance(value, str | int) else ",".join(map(str, value)) for name, value in parts.items()}
    return ";".join(f"{name}={value}" for name, value in said.items())


# The walk: which wall-clock times a rule names.


def week_start(day: date, wkst: int) -> date:
    return day - timedelta(days=(day.weekday() - wkst) % 7)


def numbered(day: date, wkst: int) -> tuple[int, int]:
    """Week number, from the start and from the end: week one is the first that has four days of the year."""
    monday = week_start(day, wkst)
    year = (monday + 3 * DAY).year
    first, following = (week_start(date(one, 1, 4), wkst) for one in (year, year + 1))
    return (monday - first).days // 7 + 1, (monday - following).days // 7


def of_both_ends(at: int, length: int) -> tuple[int, int]:
    """A place from the start (1, 2, …) and from the end (-1, -2, …)."""
    return at, at - length - 1


def in_month(day: date) -> int:
    return ((day.replace(day=28) + 4 * DAY).replace(day=1) - DAY).day


def of_year(day: date) -> int:
    return day.toordinal() - date(day.year, 1, 1).toordinal() + 1


def in_year(day: date) -> int:
    return of_year(date(day.year, 12, 31))


def day_passes(day: date, parts: Parts, wkst: int) -> bool:
    """BYDAY with a number counts within the month, or within the year when a yearly rule names no month."""
    places = {
        "BYMONTH": lambda: (day.month,), "BYWEEKNO": lambda: numbered(day, wkst),
        "BYYEARDAY": lambda: of_both_ends(of_year(day), in_year(day)),
        "BYMONTHDAY": lambda: of_both_ends(day.day, in_month(day)),
    }  # fmt: skip
    if any(name in parts and not set(parts[name]).intersection(placed()) for name, placed in places.items()):
        return False
    if "BYDAY" not in parts:
        return True
    yearly = parts["FREQ"] == "YEARLY" and "BYMONTH" not in parts
    place, length = (of_year(day), in_year(day)) if yearly else (day.day, in_month(day))
    name = WEEKDAYS[day.weekday()]
    which = {name, f"{(place - 1) // 7 + 1}{name}", f"-{(length - place) // 7 + 1}{name}"}
    return bool(which & set(parts["BYDAY"]))


def with_days(parts: Parts, anchor: datetime) -> Parts:
    """What the rule leaves open is derived from its start."""
    found, freq = dict(parts), parts["FREQ"]
    if not {"BYDAY", "BYMONTHDAY", "BYYEARDAY"} & parts.keys():
        if freq == "WEEKLY" or "BYWEEKNO" in parts:
            found["BYDAY"] = [WEEKDAYS[anchor.weekday()]]
        elif freq in ("MONTHLY", "YEARLY"):
            found["BYMONTHDAY"] = [anchor.day]
            if freq == "YEARLY":
                found.setdefault("BYMONTH", [anchor.month])
    return found


def period_of(day: date, freq: str, wkst: int) -> int:
    if freq == "WEEKLY":
        return week_start(day, wkst).toordinal() // 7
    return {"YEARLY": day.year, "MONTHLY": day.year * 12 + day.month, "DAILY": day.toordinal()}[freq]


def named_times(parts: Parts, anchor: datetime) -> list[datetime]:
    """The wall-clock times of ten years, from every day of each interval that counts."""
    parts, freq, wkst = with_days(parts, anchor), parts["FREQ"], WEEKDAYS.index(parts.get("WKST", "MO"))
    named = (("BYHOUR", anchor.hour), ("BYMINUTE", anchor.minute), ("BYSECOND", anchor.second))
    times = [time(*one) for one in product(*(sorted(parts.get(name, [given])) for name, given in named))]
    first, found = period_of(anchor.date(), freq, wkst), {}
    day = date(anchor.year, 1, 1) - 7 * DAY
    while day < date(anchor.year + YEARS, 1, 1):
        period = period_of(day, freq, wkst)
        if period >= first and (period - first) % parts.get("INTERVAL", 1) == 0 and day_passes(day, parts, wkst):
            found.setdefault(period, []).extend(datetime.combine(day, one) for one in times)
        day += DAY
    return [one for each in found.values() for one in chosen(each, parts.get("BYSETPOS")) if one >= anchor]


def chosen(times: list[datetime], places: list[int] | None) -> list[datetime]:
    if places is None:
        return times
    return [one for at, one in enumerate(times, 1) if set(of_both_ends(at, len(times))) & set(places)]


# Which instants these are.


@cache
def offset_at(zone: str, at: datetime) -> timedelta:
    found = at.astimezone(ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


@cache
def around(zone: str, day: date) -> tuple[timedelta, timedelta]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return offset_at(zone, noon - 36 * HOUR), offset_at(zone, noon + 36 * HOUR)


@cache
def instants(zone: str, local: datetime) -> list[datetime]:
    """Every instant at which the wall clock shows a time."""
    naive = local.replace(tzinfo=UTC)
    return sorted(naive - offset for offset in {*around(zone, local.date())} if offset_at(zone, naive - offset) == offset)


def first_instant(zone: str, local: datetime) -> datetime:
    """When the wall clock first shows a time, or jumps over it: then each minute is looked at."""
    found = instants(zone, local)
    if found:
        return found[0]
    at = (local.replace(second=0) - max(around(zone, local.date()))).replace(tzinfo=UTC)
    while (at + offset_at(zone, at)).replace(tzinfo=None) <= local:
        at += MINUTE
    return at


@cache
def changes_of(zone: str) -> tuple[datetime, ...]:
    """The hours in which the clocks of a zone are changed."""
    at, end, found = datetime(2012, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC), []
    while at < end:
        if offset_at(zone, at) != offset_at(zone, at + DAY):
            found += [at + n * HOUR for n in range(24) if offset_at(zone, at + n * HOUR) != offset_at(zone, at + (n + 1) * HOUR)]
        at += DAY
    return tuple(found)


# What is tried.


def some(values: Any, most: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=1, max_size=most, unique=True)


def signed(most: int) -> st.SearchStrategy[int]:
    return st.integers(-most, most).filter(bool)


@st.composite
def rules(draw: st.DrawFn) -> Parts:
    """A rule of days that the RFC allows, and that it leaves no doubt about."""
    freq = draw(st.sampled_from(("YEARLY", "MONTHLY", "WEEKLY", "DAILY")))
    by_day = some(st.sampled_from(WEEKDAYS))
    numbered_day = some(st.builds("{}{}".format, signed(5), st.sampled_from(WEEKDAYS)))
    either = st.one_of(by_day, numbered_day)
    month_days, months = some(signed(31)), some(st.integers(1, 12))
    combinations: dict[str, list[dict[str, Any]]] = {
        "YEARLY": [{"BYMONTH": months}, {"BYDAY": either}, {"BYMONTH": months, "BYDAY": either}, {"BYYEARDAY": some(signed(366))},
                   {"BYMONTHDAY": month_days}, {"BYMONTH": months, "BYMONTHDAY": month_days, "BYDAY": by_day}, {},
                   {"BYWEEKNO": some(signed(53)), "BYDAY": by_day}, {"BYWEEKNO": some(signed(53))}],
        "MONTHLY": [{}, {"BYDAY": either}, {"BYMONTHDAY": month_days}, {"BYMONTHDAY": month_days, "BYDAY": by_day},
                    {"BYMONTH": months, "BYDAY": either}],
        "WEEKLY": [{}, {"BYDAY": by_day}, {"BYDAY": by_day, "BYMONTH": months}],
        "DAILY": [{}, {"BYDAY": by_day}, {"BYMONTHDAY": month_days}, {"BYMONTH": months, "BYDAY": by_day}],
    }  # fmt: skip
    parts: Parts = {"FREQ": freq}
    parts |= {name: draw(values) for name, values in draw(st.sampled_from(combinations[freq])).items()}
    for name, values in (("BYHOUR", some(st.integers(0, 23), 2)), ("BYMINUTE", some(st.integers(0, 59), 2)),
                         ("BYSECOND", some(st.integers(0, 59), 2)), ("WKST", st.sampled_from(WEEKDAYS))):  # fmt: skip
        parts |= {name: draw(values)} if draw(st.booleans()) else {}
    by_week = "BYWEEKNO" in parts  # to which year do a week's days belong? The RFC does not say
    parts |= {"INTERVAL": draw(st.integers(1, 5))} if not by_week and draw(st.booleans()) else {}
    has_by = any(name.startswith("BY") for name in parts)
    return parts | ({"BYSETPOS": draw(some(signed(4), 2))} if has_by and not by_week and draw(st.booleans()) else {})


def starts(zone: str, draw: Any) -> datetime:
    """A start far from a change of the clocks: whether it lies before or after would be the question."""
    anchor = draw(st.datetimes(*map(datetime.fromisoformat, ("2012-01-10", "2026-12-01")))).replace(microsecond=0)
    assume(len(set(around(zone, anchor.date()))) == 1)
    return anchor


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), st.sampled_from(ZONES), rules())
def test_a_rule_of_days_is_what_a_walk_over_ten_years_finds(data: st.DataObject, zone: str, parts: Parts) -> None:
    anchor = starts(zone, data.draw)
    begun = first_instant(zone, anchor)
    end = datetime(anchor.year + YEARS, 1, 1, tzinfo=UTC) - DAY
    found = sorted({first_instant(zone, one) for one in named_times(parts, anchor)})
    rule = table(text_of(parts), zone, begun.isoformat())
    asked = [begun - SECOND, *data.draw(st.lists(st.sampled_from(found), max_size=8) if found else st.just([]))]
    asked += data.draw(st.lists(st.integers(0, (end - begun) // SECOND).map(lambda n: begun + n * SECOND), max_size=8))
    changes = [at for at in changes_of(zone) if begun < at < end]
    for at in data.draw(st.lists(st.sampled_from(changes), max_size=4) if changes else st.just([])):
        asked += [at - DAY, at, at + 20 * MINUTE, at + HOUR, at + 90 * MINUTE, at + DAY]
    for at in asked:
        place = bisect_right(found, max(at, begun - SECOND))
        came = rule.after(at)
        if place < len(found) and found[place] < end:
            assert came == found[place], (text_of(parts), at)
        else:
            assert came is None or came >= end, (text_of(parts), at)


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(
    data=st.data(), zone=st.sampled_from(ZONES), freq=st.sampled_from(SUB_DAILY), every=st.integers(1, 100),
    minutes=st.one_of(st.none(), some(st.integers(0, 59))), hours=st.one_of(st.none(), some(st.integers(0, 4))),
    weekdays=st.one_of(st.none(), some(st.sampled_from(WEEKDAYS), 5)), offset=st.integers(0, 1_000),
)  # fmt: skip
def test_a_rule_within_the_day_is_what_a_walk_over_every_minute_finds(
    data: st.DataObject, zone: str, freq: str, every: int, minutes: list[int] | None, hours: list[int] | None,
    weekdays: list[str] | None, offset: int,
) -> None:  # fmt: skip
    """The wall clock counts from the start; an hour that comes twice has its runs twice, one that is skipped has none."""
    anchor = starts(zone, data.draw)
    begun = first_instant(zone, anchor)
    changes = [at for at in changes_of(zone) if at > begun + 3 * DAY][:20] or [begun + 1_000 * DAY]
    start = (data.draw(st.sampled_from(changes)) - timedelta(minutes=offset)).replace(second=0)
    parts = {"FREQ": freq, "INTERVAL": every} | {
        name: value for name, value in (("BYMINUTE", minutes), ("BYHOUR", hours), ("BYDAY", weekdays)) if value is not None
    }  # fmt: skip
    step = HOUR if freq == "HOURLY" else MINUTE
    floor = anchor.replace(minute=0, second=0) if freq == "HOURLY" else anchor.replace(second=0)
    at_minutes = minutes if minutes is not None or freq == "MINUTELY" else [anchor.minute]
    found = []
    for n in range(LENGTH // MINUTE):
        at = start + n * MINUTE + timedelta(seconds=anchor.second)
        local = (at + offset_at(zone, start + n * MINUTE)).replace(tzinfo=None)
        fits = (at_minutes is None or local.minute in at_minutes) and (hours is None or local.hour in hours)
        if fits and (weekdays is None or WEEKDAYS[local.weekday()] in weekdays) and (local - floor) // step % every == 0:
            found.append(at)
    assert runs_of(text_of(parts), zone, begun, start) == found, text_of(parts)


def runs_of(rule: str, zone: str, begun: datetime, start: datetime) -> list[datetime]:
    """Of a rule that is refused, since it never fires, none: every 2 hours from one o'clock on, at midnight."""
    try:
        asked = table(rule, zone, begun.isoformat())
    except InvalidInput as error:
        if "empty set" not in error.detail:
            raise
        return []
    return [one.nominal_at for one in asked.runs(start - SECOND, 3_000, start + LENGTH)]


# The changes of the clocks, worked out by hand: zone, wall-clock time, and the instant at which it runs.
CHANGES = (
    ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00"), ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
    ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:00"), ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
    ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30"), ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
    ("America/Sao_Paulo", "2018-11-04T00:30", "2018-11-04T03:00"), ("America/Sao_Paulo", "2018-02-17T23:30", "2018-02-18T01:30"),
    ("America/Santiago", "2026-09-06T00:30", "2026-09-06T04:00"), ("America/Santiago", "2026-04-04T23:30", "2026-04-05T02:30"),
    ("Asia/Kolkata", "2026-03-29T02:30", "2026-03-28T21:00"),
)  # fmt: skip


@pytest.mark.parametrize(("zone", "local", "instant"), CHANGES)
def test_a_fixed_time_runs_once_when_the_clocks_change(zone: str, local: str, instant: str) -> None:
    wall, at = datetime.fromisoformat(local), datetime.fromisoformat(instant).replace(tzinfo=UTC)
    at_time = f"BYHOUR={wall.hour};BYMINUTE={wall.minute};BYSECOND=0"
    said: list[dict[str, Any]] = [{"kind": "cron", "cron": f"{wall.minute} {wall.hour} * * *"},
                                  {"kind": "cron", "cron": f"0 {wall.minute} {wall.hour} {wall.day} * *"}]  # fmt: skip
    said += [{"kind": "rrule", "rrule": f"{rule};{at_time}", "anchor": "2010-01-01T12:00:00Z"} for rule in (
        "FREQ=DAILY", f"FREQ=MONTHLY;BYMONTHDAY={wall.day}", f"FREQ=YEARLY;BYMONTH={wall.month};BYMONTHDAY={wall.day}",
        f"FREQ=WEEKLY;BYDAY={WEEKDAYS[wall.weekday()]}")]  # fmt: skip
    for one in said:
        rule = Timetable(parse_definition({"name": "x", "type": "x", "timezone": zone} | one))
        runs = [run.nominal_at for run in rule.runs(at - 12 * HOUR, 9, at + 12 * HOUR)]
        assert runs == [at], one
        assert rule.after(at) != at


@pytest.mark.parametrize("rule", [
    "FREQ=WEEKLY;BYDAY=2MO", "FREQ=DAILY;BYDAY=-1FR", "FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO", "FREQ=WEEKLY;BYMONTHDAY=3",
    "FREQ=MONTHLY;BYYEARDAY=3", "FREQ=DAILY;BYWEEKNO=3", "FREQ=DAILY;BYSETPOS=1", "FREQ=MONTHLY;BYMONTHDAY=0",
    "FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=YEARLY;BYMONTH=13", "FREQ=DAILY;BYHOUR=24", "FREQ=DAILY;BYMINUTE=60",
    "FREQ=DAILY;BYSECOND=61", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "FREQ=MONTHLY;BYDAY=6MO", "FREQ=YEARLY;BYYEARDAY=367",
    "FREQ=YEARLY;BYWEEKNO=54", "FREQ=YEARLY;BYDAY=54MO", "FREQ=DAILY;BYHOUR=1,,2", "FREQ=DAILY;WKST=XX", "FREQ=DAILY;BYHOUR=²",
])  # fmt: skip
def test_what_the_rfc_forbids_is_refused_and_not_taken_for_something_else(rule: str) -> None:
    with pytest.raises(InvalidInput, match="rrule"):
        table(rule, "UTC", "2026-01-01T00:00:00Z")


def test_an_old_start_costs_nothing() -> None:
    """dateutil alone walks from the start: 76 ms for each year of quarter-hours."""
    rule = table("FREQ=MINUTELY;INTERVAL=15", "Europe/Berlin", "1970-01-01T00:00:00Z")
    runs = list(stepped(rule, datetime(2026, 6, 1, tzinfo=UTC), 200))
    assert runs[-1] == datetime(2026, 6, 1, tzinfo=UTC) + 200 * 15 * MINUTE


def stepped(rule: Timetable, at: datetime, n: int) -> Iterator[datetime]:
    for _ in range(n):
        found = rule.after(at)
        assert found is not None
        at = found
        yield at


@pytest.mark.parametrize(("until", "last"), [
    ("20260603T063000Z", "2026-06-03T06:30"), ("20260603T062959Z", "2026-06-02T06:30"),
    ("20260603T083000", "2026-06-03T06:30"), ("20260603", "2026-06-03T06:30"), ("20260602", "2026-06-02T06:30"),
])  # fmt: skip
def test_until_is_the_last_time_that_counts(until: str, last: str) -> None:
    rule = table(f"FREQ=DAILY;UNTIL={until}", "Europe/Berlin", "2026-06-01T06:30:00Z")
    runs = [run.nominal_at for run in rule.runs(datetime(2026, 5, 1, tzinfo=UTC), 9)]
    assert runs[0] == datetime(2026, 6, 1, 6, 30, tzinfo=UTC)
    assert runs[-1] == datetime.fromisoformat(last).replace(tzinfo=UTC)
