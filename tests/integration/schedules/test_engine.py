"""What beat does with schedules: once per time, in any number of beats, on both databases."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import func, select, update

from console import clock, db, signals
from console.actor import SYSTEM
from console.errors import Conflict, InvalidInput
from console.jobs.models import JobStatus
from console.jobs.rules import State
from console.schedules import blackout_calendars as calendars
from console.schedules import coming, engine, queries, service, trouble
from console.schedules.definition import parse_definition
from console.schedules.lists import ScheduleFilter, counts_up_to, list_schedules
from console.schedules.models import Schedule, ScheduleFire
from console.schedules.queries import Backfill

pytestmark = pytest.mark.usefixtures("database", "broker", "tasks_app")


@pytest.fixture
def tasks_app() -> None:
    import tasks.types  # noqa: F401


def make(name: str = "often", **given: Any) -> str:
    values = {"type": "demo.noop", "kind": "every", "every": 1, "anchor": "2100-01-01T00:00:00Z", "overlap": "allow"} | given
    with db.writing() as session:
        return service.create_schedule(session, SYSTEM, parse_definition({"name": name, **values}))


def put(schedule_id: str, at: datetime) -> None:
    with db.writing() as session:
        session.execute(update(Schedule).where(Schedule.id == schedule_id).values(nominal_at=at, due_at=at))


def jobs() -> list[JobStatus]:
    with db.reading() as session:
        return list(session.scalars(select(JobStatus).order_by(JobStatus.id)))


def fires(schedule_id: str) -> list[tuple[str, int]]:
    with db.reading() as session:
        found, _ = queries.list_fires(session, schedule_id)
        return [(one.state, one.slots) for one in reversed(found)]


def tens(ago: float) -> datetime:
    return clock.from_ms((clock.now_ms() - int(ago * 1000)) // 10_000 * 10_000)


def test_a_time_that_no_beat_has_claimed_yet_fires_before_a_change() -> None:
    edited, blacked_out = make("edited", every=10, unit="seconds"), make("kept", blackouts=[])
    with db.writing() as session:
        calendars.save_calendar(session, SYSTEM, "nights", "2020-01-01", add=["kept"])
    for one in (edited, blacked_out):
        put(one, tens(5))
    with db.writing() as session:
        changed = parse_definition(queries.get_schedule(session, edited).definition.described() | {"note": "another"})
        service.edit_schedule(session, SYSTEM, edited, changed)
        calendars.save_calendar(session, SYSTEM, "nights", "2020-01-01..2999-01-01")
        service.edit_schedule(session, SYSTEM, edited, changed.model_copy(update={"note": "at once again"}))
    assert [fires(one) for one in (edited, blacked_out)] == [[("fired", 1)]] * 2
    assert len(jobs()) == 2 and engine.fire_due() == 0


def test_many_beats_make_one_job_for_each_time() -> None:
    ids = [make(f"s{n}") for n in range(40)]
    at = tens(5)
    for one in ids:
        put(one, at)
    beats = [threading.Thread(target=lambda: [engine.fire_due(7) for _ in range(12)]) for _ in range(3)]
    [beat.start() for beat in beats]
    [beat.join() for beat in beats]
    assert len(jobs()) == 40
    put(ids[0], at)  # as if a backup of the cursor had come back
    assert engine.fire_due() == 1 and len(jobs()) == 40


def test_a_row_that_cannot_be_used_is_flagged_and_stops_no_other() -> None:
    bad, good = make("bad"), make("good")
    put(bad, tens(20))
    put(good, tens(5))
    with db.writing() as session:
        session.execute(update(Schedule).where(Schedule.id == bad).values(definition="{"))
    engine.fire_due()
    assert len(jobs()) == 1
    with db.reading() as session:
        row = session.get_one(Schedule, bad)
        assert row.problem and row.due_at and row.due_at > clock.now()


def test_a_payload_that_fits_no_longer_is_told_and_stops_no_other() -> None:
    bad, good = make("bad", type="demo.sleep", payload={"seconds": 0}), make("good")
    for one in (bad, good):
        put(one, tens(5))
    with db.writing() as session:
        row = session.get_one(Schedule, bad)
        row.definition = row.definition.replace('"seconds":0', '"seconds":"much"')
    engine.fire_due()
    assert [job.type for job in jobs()] == ["demo.noop"]
    assert fires(bad) == [("skipped", 1)]


@pytest.mark.parametrize("catch_up", ["skip", "last", "all"])
def test_catch_up_after_downtime(catch_up: str) -> None:
    one = make(catch_up=catch_up, anchor=None, unit="minutes", every=10, catch_up_window_s=86_400)
    past = clock.from_ms(clock.now_ms() // 600_000 * 600_000) - timedelta(minutes=295 + 5)
    put(one, past)
    engine.fire_due()
    made = len(jobs())
    noted = sum(slots for state, slots in fires(one) if state == "missed")
    fresh = (clock.now() - clock.from_ms(clock.now_ms() // 600_000 * 600_000)).total_seconds() < 60
    assert made + noted == 31
    assert made in {"skip": {int(fresh)}, "last": {1}, "all": {31}}[catch_up]


def test_overlap_skips_queues_or_cancels() -> None:
    kept = {name: make(name, overlap=name, every=10, unit="seconds", anchor=None) for name in ("skip", "queue", "cancel")}
    for one in kept.values():
        put(one, tens(25))
    engine.fire_due()
    assert fires(kept["skip"])[0] == ("fired", 1) and ("skipped", 1) in fires(kept["skip"])
    assert [state for state, _ in fires(kept["queue"])][:2] == ["fired", "waiting"]
    assert fires(kept["cancel"])[-1] == ("fired", 1) and ("skipped", 1) in fires(kept["cancel"])
    with db.writing() as session:
        session.execute(update(JobStatus).values(state=State.COMPLETED))
    assert engine.start_waiting() == 1
    assert [state for state, _ in fires(kept["queue"])][:2] == ["fired", "fired"]


def test_a_pause_ends_at_its_time_and_what_fell_into_it_does_not_run() -> None:
    one = make()
    with db.writing() as session:
        service.pause_schedule(session, SYSTEM, one, "inventory", clock.now() + timedelta(milliseconds=300))
    time.sleep(0.31)
    engine.fire_due()
    assert jobs() == []
    with db.reading() as session:
        view = queries.get_schedule(session, one)
    assert (view.state, view.pause_reason) == ("active", "") and view.due_at and view.due_at > clock.now()


def test_a_run_that_takes_too_long_is_flagged() -> None:
    one = make(finish_within_s=1)
    put(one, tens(5))
    engine.fire_due()
    with db.writing() as session:
        session.execute(update(ScheduleFire).values(finish_by=clock.now() - timedelta(seconds=1)))
    assert engine.watch() == 1
    with db.reading() as session:
        [fire], _ = queries.list_fires(session, one)
        view = queries.get_schedule(session, one)
        [listed], _ = list_schedules(session, ScheduleFilter(flagged=True))
    assert fire.overdue and fire.job_id == jobs()[0].id
    assert (view.overdue, view.troubled, listed.id) == (1, True, one)


def test_a_job_that_ended_in_time_is_not_flagged_nor_one_of_which_nobody_knows_yet(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make(finish_within_s=60)
    put(one, tens(5))
    engine.fire_due()
    with db.writing() as session:
        session.execute(update(ScheduleFire).values(finish_by=clock.now() - timedelta(seconds=1)))
    monkeypatch.setattr(engine.due, "is_current", lambda _: False)  # the recorder is behind
    assert engine.watch() == 0
    monkeypatch.undo()
    ended = clock.now() - timedelta(seconds=5)
    with db.writing() as session:
        session.execute(update(JobStatus).values(state=State.COMPLETED, finished_at=ended))
    assert engine.watch() == 0
    with db.reading() as session:
        assert not queries.get_schedule(session, one).troubled
        assert list_schedules(session, ScheduleFilter(flagged=True)) == ([], None)


def test_a_missed_time_flags_its_schedule_is_announced_and_a_subscriber_that_fails_ends_nothing() -> None:
    told: list[tuple[str, int]] = []

    def fails(name: str, **_: Any) -> None:
        raise RuntimeError(name)

    def hears(name: str, slots: int) -> None:
        told.append((name, slots))

    one, fine = make(catch_up="skip", unit="minutes", every=10, anchor=None), make("fine")
    put(one, clock.from_ms(clock.now_ms() // 600_000 * 600_000) - timedelta(minutes=20))
    with signals.schedule_missed.connected_to(fails), signals.schedule_missed.connected_to(hears):
        assert engine.fire_due() == 1
    with db.reading() as session:
        view = queries.get_schedule(session, one)
        flagged, _ = list_schedules(session, ScheduleFilter(flagged=True))
        assert trouble.missed_since(session, clock.now() - timedelta(hours=1)) == view.missed >= 2
        assert not queries.get_schedule(session, fine).troubled
    assert view.troubled and [found.id for found in flagged] == [one] and told == [("often", view.missed)]


def test_run_now_and_backfill_are_recorded_and_do_not_move_the_cursor() -> None:
    one = make(payload={}, kind="cron", cron="*/10 * * * *")
    with db.reading() as session:
        before = queries.get_schedule(session, one).next_at
    start = clock.now() - timedelta(hours=2)
    with db.writing() as session:
        service.run_schedule(session, SYSTEM, one)
        wanted = Backfill(start, clock.now())
        assert len(service.backfill_schedule(session, SYSTEM, one, wanted)) == 12
        assert service.backfill_schedule(session, SYSTEM, one, wanted) == []  # each of them ran
        with pytest.raises(InvalidInput, match="more than 1,000"):
            service.backfill_schedule(session, SYSTEM, one, Backfill(start - timedelta(days=60), clock.now()))
    with db.reading() as session:
        assert queries.get_schedule(session, one).next_at == before
    assert len(jobs()) == 13


def test_who_looked_at_an_older_state_changes_nothing() -> None:
    one = make()
    definition = parse_definition({"name": "renamed", "type": "demo.noop", "kind": "cron", "cron": "@daily"})
    with db.writing() as session:
        service.edit_schedule(session, SYSTEM, one, definition, rev=0)
    with db.writing() as session, pytest.raises(Conflict):
        service.edit_schedule(session, SYSTEM, one, definition.model_copy(update={"name": "x"}), rev=0)
    with db.writing() as session:
        service.restore_version(session, SYSTEM, one, 1)
    with db.reading() as session:
        versions = queries.list_versions(session, one)
        assert [(v.ver, v.why) for v in versions] == [(3, "restore of version 1"), (2, "edit"), (1, "create")]
        assert versions[1].changes["name"] == ["often", "renamed"]
        assert [found.name for found in list_schedules(session, ScheduleFilter(text="OFT"))[0]] == ["often"]
        assert queries.last_fires(session, [one]) == {one: []}
        assert counts_up_to(session)["active"] == 1
        week = clock.now() + timedelta(days=7)
        assert coming.heat(session, clock.now()).hottest == 0
        assert queries.coming_runs(session, clock.now(), week) == queries.Window([], True)
        century = clock.now() + timedelta(days=36_525)
        assert len(queries.coming_runs(session, clock.now(), century, limit=30).runs) == 30


def test_the_time_it_stands_for_reaches_the_payload_and_the_largest_number_of_runs_ends_it() -> None:
    one = make(type="elsewhere.report", payload={"day": "$scheduled_at"}, max_runs=1, queue="reports")
    at = tens(5)
    put(one, at)
    engine.fire_due()
    with db.reading() as session:
        payload = session.scalar(select(JobStatus.payload))
        assert session.scalar(select(Schedule.state)) == "ended"
        assert session.scalar(select(func.count()).select_from(Schedule).where(Schedule.due_at.is_not(None))) == 0
    assert json.loads(payload or "")["kwargs"]["day"] == at.isoformat().replace("+00:00", "Z")


def test_coming_runs_of_several_come_in_order_and_say_when_there_are_more() -> None:
    make("a", kind="cron", cron="*/10 * * * *", anchor=None)
    make("b", kind="cron", cron="5-59/10 * * * *", anchor=None)
    with db.reading() as session:
        window = queries.coming_runs(session, clock.now(), clock.now() + timedelta(days=1), limit=6)
        heat = coming.heat(session, clock.now())
    times = [one.run.nominal_at for one in window.runs]
    assert times == sorted(times) and {one.name for one in window.runs} == {"a", "b"} and not window.is_complete
    assert heat.is_complete and heat.runs == 288 and heat.hottest == 1


def test_what_never_fires_is_refused() -> None:
    with pytest.raises(InvalidInput, match="never fires"):
        make(kind="rrule", rrule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", anchor="2026-01-01T00:00:00Z")
    with pytest.raises(InvalidInput, match="payload"):
        make(type="demo.sleep", payload={"seconds": "much"})
