"""All times of a window at once are those that are found one after the other."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console import clock
from console.schedules.blackouts import NONE, read_blackouts
from console.schedules.definition import parse_definition
from console.schedules.rules import Timetable

BLACKOUT = read_blackouts(("2026-03-27T22:00..2026-03-28T03:00\n2026-03-30",), "Europe/Berlin", 2026)
RULES: tuple[dict[str, Any], ...] = (
    {"kind": "cron", "cron": "*/7 * * * *"}, {"kind": "cron", "cron": "30 2 * * *"}, {"kind": "cron", "cron": "5,50 */3 * * 1-5"},
    {"kind": "cron", "cron": "0 9 L * 2"}, {"kind": "cron", "cron": "0 9 27 * 5", "cron_days": "and"}, {"kind": "cron", "cron": "*/20 * 6 * * *"},
    {"kind": "every", "every": 7, "unit": "minutes"}, {"kind": "every", "every": 11, "unit": "hours", "anchor": "2026-03-27T01:00:07Z"},
    {"kind": "rrule", "rrule": "FREQ=HOURLY", "anchor": "2026-03-01T00:00:00Z"}, {"kind": "once", "at": "2026-03-28T01:00:00Z"},
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(RULES), st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kolkata")), st.integers(0, 5 * 1440), st.integers(1, 2880),
       st.booleans(), st.booleans(), st.sampled_from((0, 1, 900)))
def test_all_at_once_is_one_after_the_other(
    rule: dict[str, Any], zone: str, begin: int, length: int, is_bounded: bool, is_dark: bool, jitter: int
) -> None:
    start = datetime(2026, 3, 26, tzinfo=clock.EPOCH.tzinfo) + timedelta(minutes=begin, seconds=13)  # clocks change on the 29th
    end = start + timedelta(minutes=length)
    bounds = {"starts_at": "2026-03-27T00:00:00Z", "ends_at": "2026-03-28T09:00:00Z"} if is_bounded else {}
    definition = parse_definition({"name": "x", "type": "y", "timezone": zone, "jitter_s": jitter} | rule | bounds)
    table = Timetable(definition, "key", BLACKOUT if is_dark else NONE)
    expected = table.runs(start - timedelta(milliseconds=1), 100_000, end)
    times = table.between(start, end, 100_000)
    assert times == [clock.to_ms(run.nominal_at) for run in expected]
    assert table.between(start, end, 3) == times[:3]
    assert table.jittered(times, "key") == [clock.to_ms(run.due_at) for run in expected]


@pytest.mark.parametrize("begin", [-1, 0, 1])
def test_an_interval_begins_at_its_anchor(begin: int) -> None:
    anchor = datetime(2026, 3, 1, tzinfo=clock.EPOCH.tzinfo)
    table = Timetable(parse_definition({"name": "x", "type": "y", "kind": "every", "every": 1, "unit": "hours", "anchor": anchor}))
    first = table.between(anchor + timedelta(seconds=begin), anchor + timedelta(days=1), 1)
    assert first == [clock.to_ms(anchor + timedelta(hours=max(0, begin)))]
