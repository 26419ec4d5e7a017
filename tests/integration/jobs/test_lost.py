"""Which running jobs count as lost, and what becomes of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import Engine

from console import clock, db
from console.jobs import due, registry, rules
from console.jobs.models import StreamCheckpoint
from console.jobs.registry import JobType
from console.jobs.rules import State
from console.tracking.events import Event, Kind
from console.workers.models import Worker
from tests.factories.jobs import GREET, Greeting, make_job

ONCE = JobType(name="tests.once", queue="default", schema=Greeting, limits=GREET.limits, acks_late=False)


@pytest.fixture(autouse=True)
def types(monkeypatch: pytest.MonkeyPatch, database: Engine, broker: redis.Redis) -> None:
    for kind in (GREET, ONCE):
        monkeypatch.setitem(registry._types, kind.name, kind)


def lost(seen_s_ago: float, started_s_ago: float = 100, boot_s_ago: float = 1_000, **columns: Any) -> list[Event]:
    """What a sweep reports of one running job and its worker."""
    now = clock.now()
    with db.writing() as session:
        session.add(
            Worker(
                name="celery@here", boot_id="1", pid=1, concurrency=1, queues="[]",
                started_at=now - timedelta(seconds=boot_s_ago), seen_at=now - timedelta(seconds=seen_s_ago),
                stopped_at=columns.pop("stopped_at", None),
            )
        )
        make_job(session, State.PROCESSING, id="it", started_at=now - timedelta(seconds=started_s_ago), **columns)
    with db.reading() as session:
        return list(due.lost_events(session, now))


def test_a_living_workers_jobs_are_let_be() -> None:
    assert lost(seen_s_ago=30) == []


def test_a_job_that_comes_back_waits_again() -> None:
    [event] = lost(seen_s_ago=41)
    assert (event.kind, event.job_id) == (Kind.LOST, "it")


@pytest.mark.parametrize("columns", [{"type": "tests.once"}, {"type": "shop.pack", "max_attempts": None}])
def test_a_job_that_does_not_come_back_fails(columns: dict[str, Any]) -> None:
    [event] = lost(seen_s_ago=41, **columns)
    assert (event.kind, event.data["reason"]) == (Kind.FAILED, "worker_lost")


def test_a_job_of_our_own_that_this_beat_has_no_code_for_comes_back() -> None:
    [event] = lost(seen_s_ago=41, type="tests.of_a_newer_version", max_attempts=3)
    assert event.kind == Kind.LOST


def test_a_new_process_of_the_same_name_did_not_begin_it() -> None:
    [event] = lost(seen_s_ago=0, started_s_ago=30, boot_s_ago=11, type="tests.once")
    assert event.kind == Kind.FAILED


def test_a_new_process_has_time_to_ship_what_the_old_one_left() -> None:
    assert lost(seen_s_ago=0, started_s_ago=30, boot_s_ago=9, type="tests.once") == []


def test_what_the_worker_still_wrote_down_itself_stands() -> None:
    """The sweep says FAILED; then the spool of the killed worker arrives, with the end that the job really had."""
    [event] = lost(seen_s_ago=41, type="tests.once")
    row = rules.Row("it")
    rules.apply(row, event)
    rules.apply(row, Event(Kind.SUCCEEDED, "it", event.at_ms + 1, event.run, event.retries, {"runtime_ms": 5}))
    rules.settle(row)
    assert row.state == State.COMPLETED


def test_a_second_sweep_says_the_same_so_that_nothing_is_doubled() -> None:
    [first] = lost(seen_s_ago=41)
    with db.reading() as session:
        [second] = due.lost_events(session, clock.now())
    assert first.pack() == second.pack()


class TestIsCurrent:
    """Whether what workers say is recorded at once."""

    def is_current(self) -> bool:
        with db.reading() as session:
            return due.is_current(session)

    def test_when_nothing_was_ever_said(self) -> None:
        assert self.is_current()

    def test_not_while_the_recorder_is_behind(self, broker: redis.Redis) -> None:
        now_ms = clock.now_ms()
        with db.writing() as session:
            session.add(StreamCheckpoint(stream="celeriac:events:0", last_id=f"{now_ms - 6_000}-0", moved_at=None))
        broker.xadd("celeriac:events:0", {"b": b""}, id=f"{now_ms}-0")
        assert not self.is_current()
        with db.writing() as session:
            session.get_one(StreamCheckpoint, "celeriac:events:0").last_id = f"{now_ms - 1_000}-0"
        assert self.is_current()

    def test_when_all_is_recorded_and_trimmed(self, broker: redis.Redis) -> None:
        entry = broker.xadd("celeriac:events:0", {"b": b""}).decode()  # type: ignore[union-attr]
        broker.xtrim("celeriac:events:0", maxlen=0)
        assert not self.is_current()
        with db.writing() as session:
            session.add(StreamCheckpoint(stream="celeriac:events:0", last_id=entry, moved_at=None))
        assert self.is_current()
