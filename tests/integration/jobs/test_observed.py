"""A recorder says once a minute that it is at work, busy or idle."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from sqlalchemy import Engine, select

from console import clock, db
from console.jobs.observed import KEPT_FOR, Watch
from console.jobs.recorder import Recorder
from console.workers.models import ObservedMinute

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def watched() -> list[datetime]:
    with db.reading() as session:
        return list(session.scalars(select(ObservedMinute.minute_at).order_by(ObservedMinute.minute_at)))


def test_each_minute_once_however_many_say_so(database: Engine, time_machine: Any) -> None:
    first, second = Watch(), Watch()
    for seconds in (0, 20, 59, 60, 61, 180):
        time_machine.move_to(NOON + timedelta(seconds=seconds), tick=False)
        first.keep()
        second.keep()
    assert watched() == [NOON, NOON + timedelta(minutes=1), NOON + timedelta(minutes=3)]


def test_what_is_too_old_is_forgotten(database: Engine, time_machine: Any) -> None:
    for at in (NOON, NOON + timedelta(minutes=1), NOON + KEPT_FOR + timedelta(minutes=1)):
        time_machine.move_to(at, tick=False)
        Watch().keep()
    assert watched() == [NOON + timedelta(minutes=1), NOON + KEPT_FOR + timedelta(minutes=1)]


def test_an_idle_recorder_says_so(database: Engine, broker: redis.Redis) -> None:
    recorder = Recorder()
    began = clock.now() - timedelta(minutes=1)
    thread = threading.Thread(target=recorder.run)
    thread.start()
    try:
        limit = clock.monotonic() + 10
        while not watched():
            assert clock.monotonic() < limit
            time.sleep(0.05)
    finally:
        recorder.stopping.set()
        thread.join(10)
    assert watched()[0] > began
