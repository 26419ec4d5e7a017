"""Beats are killed at random moments while schedules come due every two seconds: no time is missed, none is doubled.

Counted from what the jobs wrote: each adds its id, and that follows from schedule and time. `CRASH_SECONDS` and
`CRASH_SCHEDULES` make it longer.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from console import clock, db
from console.actor import SYSTEM
from console.config import settings
from console.schedules import making, service
from console.schedules.definition import parse_definition
from console.schedules.models import Schedule, ScheduleFire
from console.schedules.rules import job_id_of
from tests.crash.conftest import Start, wait_for

SECONDS = int(os.environ.get("CRASH_SECONDS", "14"))
SCHEDULES = int(os.environ.get("CRASH_SCHEDULES", "30"))
EVERY = timedelta(seconds=2)


@pytest.mark.slow
def test_no_time_is_missed_or_doubled_while_beats_are_killed(start: Start, sqlite_database: Engine) -> None:
    seed = clock.now_ms()
    print(f"seed {seed}")  # shown when it fails
    chance = random.Random(seed)
    start("recorder")
    start("work", "--workers", "2")
    beats = [start("beat") for _ in range(3)]
    first = clock.from_ms((clock.now_ms() // 2_000 + 3) * 2_000)
    last = first + timedelta(seconds=SECONDS)
    said = {"type": "demo.mark", "kind": "every", "every": 2, "unit": "seconds", "overlap": "allow",
            "starts_at": first.isoformat(), "ends_at": last.isoformat()}  # fmt: skip
    with db.writing() as session:
        ids = [service.create_schedule(session, SYSTEM, parse_definition({"name": f"s{n}"} | said)) for n in range(SCHEDULES)]
    kills = 0
    while clock.now() < last:
        time.sleep(chance.uniform(0.1, 0.7))
        place = chance.randrange(3)
        beats[place].kill()
        beats[place].wait(10)
        beats[place] = start("beat")
        kills += 1
    times = [first + EVERY * n for n in range((last - first) // EVERY + 1)]
    expected = {job_id_of(one, at, making.TIME) for one in ids for at in times}
    marks = settings().files_dir / "demo.mark"

    def all_ran() -> bool:
        return marks.exists() and set(marks.read_text().split()) >= expected

    wait_for(all_ran)
    with db.reading() as session:
        late = session.scalars(select(ScheduleFire.at - ScheduleFire.nominal_at).where(ScheduleFire.trigger == "time"))
        print(f"{kills} kills, {len(expected)} times, latest {max(late)} late")
        assert session.scalar(select(func.count()).where(Schedule.state == "ended")) == SCHEDULES
        assert set(session.scalars(select(ScheduleFire.state).distinct())) == {"fired"}
    assert [one for one, n in Counter(marks.read_text().split()).items() if n > 1] == []
    assert set(marks.read_text().split()) == expected
