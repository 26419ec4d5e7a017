"""What an iCalendar file takes out of a series and puts into it, against dateutil, which knows EXDATE and RDATE too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from console.errors import InvalidInput
from console.schedules.blackouts import read_blackouts

BERLIN = ZoneInfo("Europe/Berlin")


def calendar(*events: str) -> str:
    body = "".join(f"BEGIN:VEVENT\r\n{event.strip()}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{body}END:VCALENDAR\r\n"


def spans(text: str, zone: str = "Europe/Berlin", until: str = "2026-12-31") -> list[str]:
    """As the clocks of the zone show them, of 2026."""
    tz = ZoneInfo(zone)
    found = [tuple(at.astimezone(tz) for at in span) for span in read_blackouts((text,), zone, 2026).spans]
    return [f"{start:%m-%d %H:%M}..{end:%m-%d %H:%M}" for start, end in found if start.year == 2026 and f"{start:%Y-%m-%d}" <= until]


WEEKLY = "UID:w\nDTSTART;TZID=Europe/Berlin:20260302T200000\nDURATION:PT2H\nRRULE:FREQ=WEEKLY;COUNT=5"


@pytest.mark.parametrize(("more", "left"), [
    ("EXDATE;TZID=Europe/Berlin:20260309T200000", ["03-02", "03-16", "03-23", "03-30"]),
    ("EXDATE;TZID=Europe/Berlin:20260309T200000,20260330T200000", ["03-02", "03-16", "03-23"]),
    ("EXDATE;TZID=Europe/Berlin:20260309T200000\nEXDATE:20260330T180000Z", ["03-02", "03-16", "03-23"]),  # summer time by then
    ("EXDATE:20260309T200000", ["03-02", "03-16", "03-23", "03-30"]),  # no zone: the event's
    ("EXDATE;VALUE=DATE:20260309", ["03-02", "03-16", "03-23", "03-30"]),
    ("EXDATE;TZID=Europe/Berlin:20260302T200000", ["03-09", "03-16", "03-23", "03-30"]),  # the first one
    ("EXDATE;TZID=Europe/Berlin:20260309T203000", ["03-02", "03-09", "03-16", "03-23", "03-30"]),  # no beginning of it
    ("RDATE;TZID=Europe/Berlin:20260303T200000", ["03-02", "03-03", "03-09", "03-16", "03-23", "03-30"]),
    ("STATUS:CANCELLED", []),
])  # fmt: skip
def test_what_is_taken_out_of_a_series_is_no_blackout(more: str, left: list[str]) -> None:
    assert [span[:5] for span in spans(calendar(f"{WEEKLY}\n{more}"))] == left


def test_one_of_a_series_is_moved_and_one_is_cancelled() -> None:
    moved = "UID:w\nRECURRENCE-ID;TZID=Europe/Berlin:20260309T200000\nDTSTART;TZID=Europe/Berlin:20260310T080000\nDURATION:PT1H"
    gone = "UID:w\nRECURRENCE-ID:20260316T190000Z\nDTSTART:20260316T190000Z\nSTATUS:CANCELLED"
    other = "UID:x\nRECURRENCE-ID:20260323T190000Z\nDTSTART:20260323T190000Z\nSTATUS:CANCELLED"
    assert spans(calendar(WEEKLY, moved, gone, other)) == [
        "03-02 20:00..03-02 22:00", "03-10 08:00..03-10 09:00", "03-23 20:00..03-23 22:00", "03-30 20:00..03-30 22:00"]


def test_whole_days_of_a_series_go_from_midnight_to_midnight_and_can_be_taken_out() -> None:
    days = "UID:d\nDTSTART;VALUE=DATE:20260327\nRRULE:FREQ=DAILY;UNTIL=20260330\nEXDATE;VALUE=DATE:20260328"
    assert spans(calendar(days)) == ["03-27 00:00..03-28 00:00", "03-29 00:00..03-31 00:00"]  # the 29th has 23 hours
    as_outlook = days.replace("EXDATE;VALUE=DATE:20260328", "EXDATE:20260328T000000")
    assert spans(calendar(as_outlook)) == spans(calendar(days))


def test_a_series_repeats_by_the_clocks_of_its_own_zone() -> None:
    lunch = "UID:l\nDTSTART;TZID=America/New_York:20260306T120000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4"
    # America's clocks change on the 8th, Berlin's not: 18:00 becomes 17:00.
    assert [span[6:11] for span in spans(calendar(lunch))] == ["18:00", "18:00", "17:00", "17:00"]


def test_periods_and_several_calendars_in_one_file() -> None:
    period = "UID:p\nDTSTART:20260601T100000Z\nDTEND:20260601T110000Z\nRDATE;VALUE=PERIOD:20260602T100000Z/PT3H,20260603T100000Z/20260603T101500Z"
    text = calendar(period) + calendar("UID:q\nDTSTART;VALUE=DATE:20260610")
    assert spans(text, "UTC") == [
        "06-01 10:00..06-01 11:00", "06-02 10:00..06-02 13:00", "06-03 10:00..06-03 10:15", "06-10 00:00..06-11 00:00"]


@pytest.mark.parametrize(("event", "words"), [
    ("DTSTART;TZID=Mars/Base:20260301T100000\nDURATION:PT1H", "nobody knows"),
    ("DTSTART:20260301T100000Z\nEXRULE:FREQ=DAILY", "EXRULE"),
    ("DTSTART:20260301T100000Z\nRRULE:FREQ=SECONDLY", "FREQ must be"),
    ("DTSTART:20260301T100000Z\nEXDATE:soon", "times that can be read"),
    ("SUMMARY:x", "times that can be read"),
])  # fmt: skip
def test_what_cannot_be_honoured_is_refused_and_named(event: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_blackouts((calendar(f"SUMMARY:x\n{event}".removeprefix("SUMMARY:x\nSUMMARY")),), "UTC", 2026)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(("FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "FREQ=DAILY;INTERVAL=3", "FREQ=MONTHLY;BYMONTHDAY=2,-1")),
       st.sets(st.integers(0, 120), max_size=6), st.sets(st.integers(0, 120), max_size=3))
def test_like_dateutil(rule: str, out: set[int], more: set[int]) -> None:
    start = datetime(2026, 1, 2, 9, 30)  # noqa: DTZ001  on the wall clock
    days = lambda which: [f"{start + timedelta(days=n):%Y%m%dT%H%M%S}" for n in sorted(which)]  # noqa: E731
    lines = [f"DTSTART:{start:%Y%m%dT%H%M%S}", f"RRULE:{rule};UNTIL=20260601T000000"]
    lines += [f"EXDATE:{','.join(days(out))}"] if out else []
    lines += [f"RDATE:{','.join(days(more))}"] if more else []
    expected = rrulestr("\n".join(lines), forceset=True, dtstart=start).between(start, start + timedelta(days=100), inc=True)
    if start not in expected and 0 not in out:  # dateutil leaves out a beginning that the rule does not fit; RFC 5545 has it
        expected = [start, *expected]
    found = read_blackouts((calendar("\n".join(["UID:h", *lines, "DURATION:PT1M"])),), "Europe/Berlin", 2026).spans
    local = [at.astimezone(BERLIN).replace(tzinfo=None) for at, _ in found]
    assert [at for at in local if at <= start + timedelta(days=100)] == expected
    assert all(at.tzinfo is UTC for at, _ in found)
