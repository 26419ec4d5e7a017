"""What heartbeats prove."""

from __future__ import annotations

from typing import Any

import pytest

from console.observe.rules import Gap, Pulse, silent_after_s


def beat(at: float, processed: int, active: int = 0) -> dict[str, Any]:
    return {"timestamp": at, "processed": processed, "active": active, "freq": 2.0, "pid": 7}


def test_events_that_come_after_the_heartbeat_that_counts_them_are_not_missing() -> None:
    pulse = Pulse.first(beat(10, 5), 0)
    found = []
    for number in range(1, 6):
        at = 10 + 2 * number
        found.append(pulse.beat(beat(at, 5 + number), 0))
        pulse.started(at - 0.1)  # sent in a group, and so later than the heartbeat
        pulse.ended(at - 0.05)
    assert found == [None] * 5


def test_what_is_missing_twice_is_missed_and_told_once() -> None:
    pulse = Pulse.first(beat(10, 0), 0)
    found = [pulse.beat(beat(10 + 2 * number, 4), 0) for number in range(1, 6)]
    assert [one[2] if one else None for one in found] == [None, None, 4, None, None]


def test_an_end_that_is_missing_counts_though_its_start_was_seen() -> None:
    pulse = Pulse.first(beat(10, 0), 0)
    pulse.started(11)
    told = [pulse.beat(beat(10 + 2 * number, 1), 0) for number in range(1, 5)]
    assert [jobs for one in told if one for jobs in one[2:]] == [1]


@pytest.mark.parametrize(("freq", "silent"), [(2, 10), (5, 15), (30, 60), (600, 60)])
def test_a_worker_counts_as_dead_within_a_minute(freq: float, silent: float) -> None:
    assert silent_after_s(freq) == silent


def test_gaps_of_one_source_that_touch_are_one() -> None:
    lost = Gap("shop", 1_000, 20_000, "connection")
    assert lost.takes(Gap("shop", 21_000, 24_000, "counted", "shop/w", 3))
    assert not lost.takes(Gap("other", 21_000, 24_000, "counted"))
    assert not lost.takes(Gap("shop", 21_000, 24_000, "no_events", "shop/w", 3))
    assert not lost.takes(Gap("shop", 90_000, 91_000, "connection"))
