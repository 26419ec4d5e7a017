"""Which of the times that have come fire, by the catch-up policy, and which were missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.schedules.definition import parse_definition
from console.schedules.rules import MAX_SLOTS, Claim, Timetable

NOW = datetime(2026, 6, 1, 12, 0, 5, tzinfo=UTC)


def claim(ago: timedelta, **said: Any) -> Claim:
    definition = parse_definition({"name": "x", "type": "x", "kind": "every", "every": 10, "unit": "minutes"} | said)
    table = Timetable(definition)
    begins = table.after(NOW - ago)
    assert begins is not None
    return table.claim(begins, NOW, definition)


def test_in_time_one_fires_whatever_the_policy() -> None:
    for policy in ("skip", "last", "all"):
        found = claim(timedelta(minutes=1), catch_up=policy)
        assert found.fire == [NOW.replace(second=0)] and found.missed is None
        assert found.next_at == NOW.replace(second=0) + timedelta(minutes=10)


def test_within_a_minute_all_of_them_are_late_not_missed() -> None:
    assert len(claim(timedelta(seconds=55), every=5, unit="seconds").fire) == 11


@pytest.mark.parametrize(
    ("policy", "fire", "missed"), [("skip", 1, 6), ("last", 1, 6), ("all", 7, 0)]
)
def test_after_an_hour(policy: str, fire: int, missed: int) -> None:
    found = claim(timedelta(hours=1, minutes=5), catch_up=policy)
    assert (len(found.fire), found.missed.slots if found.missed else 0) == (fire, missed)
    assert found.fire[-1] == NOW.replace(second=0)


def test_all_keeps_to_its_window_and_cap() -> None:
    found = claim(timedelta(hours=5), catch_up="all", catch_up_window_s=7_200, catch_up_cap=3)
    assert len(found.fire) == 3 and found.missed and found.missed.slots == 27
    assert found.fire[-1] == NOW.replace(second=0)


@pytest.mark.parametrize("policy", ["skip", "last", "all"])
def test_more_than_can_be_counted_is_said_to_be_and_takes_no_time(policy: str) -> None:
    found = claim(timedelta(days=400), catch_up=policy, every=1, unit="seconds", catch_up_cap=5)
    assert found.missed is not None and not found.missed.is_exact and found.missed.slots >= MAX_SLOTS - 1
    assert found.next_at is not None and found.next_at <= NOW + timedelta(seconds=1)
    assert len(found.fire) <= MAX_SLOTS


def test_the_cap_holds_when_the_window_has_more_than_one_claim_can_look_at() -> None:
    found = claim(timedelta(hours=12), catch_up="all", every=1, unit="seconds", catch_up_cap=50)
    assert found.fire == [NOW - timedelta(seconds=n) for n in range(49, -1, -1)]
    assert found.next_at == NOW + timedelta(seconds=1) and found.missed and not found.missed.is_exact
