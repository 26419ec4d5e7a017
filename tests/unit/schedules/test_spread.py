"""What begins together, and how it is spread."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.schedules import outlook
from console.schedules.definition import parse_definition
from console.schedules.heat import Heat, heat_of
from console.schedules.outlook import Planned, look_ahead, rule_of
from console.schedules.rules import Timetable
from console.schedules.spread import MAX_MOVED, Way, digest_of, spread, suggested_window

START = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def planned(n: int, queue: str = "default", fixed: str = "", **said: Any) -> Planned:
    text = parse_definition({"name": f"s{n:03}", "type": "t", **said}).to_json()
    return Planned(f"id-{n:03}", f"s{n:03}", "t", queue, text, rule_of(json.loads(text)), fixed=fixed)


def hourly(count: int, first: int = 0, **said: Any) -> list[Planned]:
    return [planned(first + n, **({"kind": "cron", "cron": "0 * * * *"} | said)) for n in range(count)]


def heat(plans: list[Planned], total: int | None = None) -> Heat:
    return heat_of(look_ahead(plans, {}, START, START + DAY, total), START, START + DAY, 300)


def changed(plans: list[Planned], way: Way, over_s: int) -> list[Planned]:
    moves, _ = spread(plans, way, over_s)
    by_id = {move.plan.id: move.plan.changed(move.after, START) for move in moves}
    return [by_id.get(one.id, one) for one in plans]


def test_runs_are_counted_by_step_second_and_queue() -> None:
    found = heat([*hourly(12), *hourly(3, 20, queue="heavy"), planned(50, kind="every", every=10, unit="minutes")])
    assert len(found.buckets) == 288 and found.runs == 15 * 24 + 144
    assert (found.buckets[0].runs, found.buckets[0].most, dict(found.buckets[0].queues)) == (16, 16, {"default": 13, "heavy": 3})
    assert [one.runs for one in found.buckets[1:4]] == [0, 1, 0]
    assert found.crowded == 24 and found.collisions[0].runs == 16 and len(found.collisions) == 20
    assert found.collisions[0].queues == {"default": 13, "heavy": 3}
    assert (found.peak.second, found.peak.second_at, found.peak.minute) == (16, START, 16)


def test_a_sample_stands_for_all_and_says_so() -> None:
    found = heat(hourly(5), total=50)
    assert found.buckets[0].runs == 50 and found.collisions[0].runs == 50 and not found.is_complete


def test_every_schedule_is_looked_at_as_it_fires_itself() -> None:
    plans = [
        planned(1, kind="cron", cron="*/20 * * * *", jitter_s=700), planned(2, kind="every", every=50, unit="minutes"),
        planned(3, kind="rrule", rrule="FREQ=HOURLY;INTERVAL=5", anchor=START), planned(4, kind="once", at=START + DAY / 2),
        planned(5, kind="cron", cron="7 3 * * *", timezone="Asia/Kolkata"),
    ]  # fmt: skip
    dues = []
    for one in plans:
        table = Timetable(parse_definition(json.loads(one.definition)), one.id)
        dues += [run.due_at for run in table.runs(START - timedelta(hours=1), 500, START + DAY) if START <= run.due_at < START + DAY]
    found = look_ahead(plans, {}, START, START + DAY)
    assert sorted(at for group in found.groups for at in group.dues for _ in group.members) == sorted(int(at.timestamp() * 1000) for at in dues)


def test_what_ends_begins_later_or_cannot_be_used() -> None:
    (one,), (late,), (dark,) = hourly(1), hourly(1, 2), hourly(1, 3, blackouts=["unknown"])
    import dataclasses

    plans = [dataclasses.replace(one, left=3), dataclasses.replace(late, begins=START + timedelta(hours=20, minutes=1)), dark]
    assert heat(plans).runs == 3 + 3


@pytest.mark.parametrize("said", [{"kind": "cron", "cron": "0 * * * *"}, {"kind": "cron", "cron": "@hourly"}, {"kind": "every", "every": 2, "unit": "hours"},
                                  {"kind": "cron", "cron": "*/30 * * * *"}, {"kind": "cron", "cron": "15,45 8-17 * * MON-FRI"}])
@pytest.mark.parametrize("way", Way)
def test_spreading_takes_the_peak_away_and_no_run(said: dict[str, Any], way: Way) -> None:
    plans = hourly(60, **said)
    before, after = heat(plans), heat(changed(plans, way, 1_800))
    assert before.peak.second == 60
    assert after.peak.minute <= (12 if way is Way.JITTER else 5)
    assert abs(after.runs - before.runs) <= 60  # one of each may cross the edge of the window
    again = digest_of(spread(plans, way, 1_800)[0])
    assert again == digest_of(spread(list(reversed(plans)), way, 1_800)[0])


def test_what_cannot_be_moved_stays_and_says_why() -> None:
    plans = [
        planned(1, kind="cron", cron="0 * * * *", fixed="the file shop owns it"), planned(2, kind="once", at=START),
        planned(3, kind="cron", cron="0 * * * *", jitter_s=1_800), planned(4, kind="rrule", rrule="FREQ=HOURLY", anchor=START),
        planned(5, kind="cron", cron="* * * * *"), planned(6, kind="cron", cron="*/15 2 * * *"), planned(7, kind="cron", cron="59 * * * *"),
    ]  # fmt: skip
    moves, stays = spread(plans, Way.JITTER, 900)
    assert {one.plan.id: one.why for one in stays} == {
        "id-001": "the file shop owns it", "id-002": "it runs once, at a time that somebody chose", "id-003": "it has a jitter of 1800 s",
        "id-005": "it runs more often than every 900 s; a shift can move it"}
    assert {move.plan.id: move.after.jitter_s for move in moves} == {"id-004": 900, "id-006": 450, "id-007": 900}
    moves, stays = spread(plans, Way.SHIFT, 900)
    assert moves == [spread(plans, Way.SHIFT, 900)[0][0]] and moves[0].plan.id == "id-003"
    assert {one.plan.id for one in stays if "use jitter" in one.why} == {"id-004", "id-005", "id-006"}


def test_work_is_bounded_and_what_was_not_looked_at_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlook, "MOST", 1_000)
    plans = [planned(n, kind="cron", cron=f"*/{n} * * * *") for n in range(1, 10)]
    found = heat(plans)
    assert (found.looked, found.total, found.is_complete) == (2, 9, False)
    assert found.runs == pytest.approx((720 + 240) * 9 / 2, abs=300), "what would be cut off half-way is as if it were not seen"
    monkeypatch.undo()
    assert heat([planned(1, kind="every", every=1, unit="seconds")]).buckets[-1].runs == 300


def test_so_many_at_once_and_a_window_that_fits() -> None:
    moves, stays = spread(hourly(MAX_MOVED + 5), Way.JITTER, 600)
    assert len(moves) == MAX_MOVED and len(stays) == 5
    assert [suggested_window(n, Way.JITTER) for n in (10, 30, 31, 200, 10_000)] == [60, 60, 300, 900, 3_600]
    assert [suggested_window(n, Way.SHIFT) for n in (5, 10, 80, 10_000)] == [60, 300, 1_800, 3_600]
