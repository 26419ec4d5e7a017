"""Beats are killed at random moments while very many schedules come due: no time is missed, none is doubled.

Counted from what the jobs wrote: each adds its id, and that follows from schedule and time. `CRASH_SCHEDULES`,
`CRASH_EVERY` (seconds), `CRASH_KILLS` and `CRASH_DATABASE` make it another one; docs/howto/schedule-jobs.md says which.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from console import clock, db, presence
from console.actor import SYSTEM
from console.config import settings
from console.schedules import making, service
from console.schedules.definition import parse_definition
from console.schedules.models import Schedule, ScheduleFire
from console.schedules.rules import job_id_of
from tests.crash.conftest import Start, counts, wait_for

SCHEDULES = int(os.environ.get("CRASH_SCHEDULES", "200"))
EVERY = timedelta(seconds=int(os.environ.get("CRASH_EVERY", "3")))
KILLS = int(os.environ.get("CRASH_KILLS", "8"))
BEATS = 3
PATIENCE_S = 30.0
"""When nothing has run for so long, the rest will not come: until then what waits is worked off."""


@pytest.fixture
def crash_database(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(f"{os.environ.get('CRASH_DATABASE', 'sqlite')}_database")


@pytest.mark.slow
def test_no_time_is_missed_or_doubled_while_beats_are_killed(start: Start) -> None:
    seed = clock.now_ms()
    print(f"seed {seed}")  # shown when it fails
    start("recorder")
    start("work", "--workers", "2")
    beats = [start("beat") for _ in range(BEATS)]
    wait_for(lambda: all(map(works, beats)))
    every_ms = EVERY // timedelta(milliseconds=1)
    first = clock.from_ms((clock.now_ms() // every_ms + 2 + SCHEDULES * 10 // every_ms) * every_ms)
    ids = make(first)
    time.sleep((first - clock.now()).total_seconds())
    kill_at_random(beats, start, random.Random(seed))
    last = clock.from_ms(clock.now_ms() // every_ms * every_ms)
    expected = {job_id_of(one, at, making.TIME) for one in ids for at in grid(first, last)}
    later = {job_id_of(one, at, making.TIME) for one in ids for at in grid(last + EVERY, last + EVERY * 100)}
    wait_for(lambda: all_are_past(last))
    with db.writing() as session:
        session.execute(update(Schedule).where(Schedule.id.in_(ids)).values(state="paused", nominal_at=None, due_at=None))
    wait_until_ran(expected)
    with db.reading() as session:
        late = session.scalar(select(func.max(ScheduleFire.at - ScheduleFire.nominal_at)))
        assert set(session.scalars(select(ScheduleFire.state).distinct())) == {"fired"}
    print(f"{KILLS} kills, {len(expected):,} times of {len(ids):,} schedules, latest {late} ms late")
    done = Counter(ran())
    assert [one for one, n in done.items() if n > 1] == []
    assert done.keys() <= expected | later


def make(first: datetime) -> list[str]:
    """The schedules, all due at the same times."""
    said = {"type": "demo.mark", "kind": "every", "every": EVERY.seconds, "unit": "seconds", "overlap": "allow", "catch_up": "all",
            "starts_at": first.isoformat()}  # fmt: skip
    with db.writing() as session:
        return [service.create_schedule(session, SYSTEM, parse_definition({"name": f"s{n}"} | said)) for n in range(SCHEDULES)]


def kill_at_random(beats: list[subprocess.Popen[bytes]], start: Start, chance: random.Random) -> None:
    """Kills those that work, at any moment, also that of a claim; another one is started in its place."""
    for _ in range(KILLS):
        time.sleep(chance.uniform(0, 1))
        wait_for(lambda: any(map(works, beats)))
        place = chance.choice([n for n, beat in enumerate(beats) if works(beat)])
        beats[place].kill()
        beats[place].wait(10)
        beats[place] = start("beat")


def works(beat: subprocess.Popen[bytes]) -> bool:
    return f"{socket.gethostname()}:{beat.pid}" in presence.alive("beat")


def grid(first: datetime, last: datetime) -> list[datetime]:
    return [first + EVERY * n for n in range((last - first) // EVERY + 1)]


def all_are_past(last: datetime) -> bool:
    with db.reading() as session:
        return (session.scalar(select(func.min(Schedule.nominal_at))) or last) > last


def wait_until_ran(expected: set[str]) -> None:
    left, limit = len(expected) + 1, clock.monotonic()
    while left:
        now = len(expected.difference(ran()))
        limit = clock.monotonic() + PATIENCE_S if now < left else limit
        left = now
        assert clock.monotonic() < limit, f"{left} of {len(expected)} times did not run: {counts()}"
        time.sleep(0.2)


def ran() -> list[str]:
    """The ids that jobs wrote; a line may be half there."""
    marks = settings().files_dir / "demo.mark"
    return marks.read_text().rpartition("\n")[0].split() if marks.exists() else []
