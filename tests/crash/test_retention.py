"""A worker is killed while it removes old jobs: what is left goes with the next run, and the counts are right."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from sqlalchemy import Engine, func, insert, select, update

from console import clock, db, ids
from console.jobs.models import JobCount, JobStatus
from console.jobs.rules import State
from console.jobs.tally import Tally
from console.schedules import builtin
from console.schedules.models import Schedule
from console.upkeep.service import RETENTION
from tests.crash.conftest import Start, wait_for

OLD, NEW = 60_000, 500


def fill(number: int, age: timedelta) -> None:
    """So many completed jobs; how they came to be does not matter here."""
    at = clock.now() - age
    rows = [
        {
            "id": ids.new_id(),
            "type": f"t{n % 7}",
            "queue": f"q{n % 3}",
            "state": State.COMPLETED,
            "attempts": 1,
            "enqueued_at": at + timedelta(milliseconds=n),
            "finished_at": at + timedelta(milliseconds=n + 5),
            "internal": False,
            "run": 0,
            "ver": 1,
            "sver": 1,
            "fver": 1,
            "pver": 0,
            "timeline": "[]",
        }
        for n in range(number)
    ]
    tally = Tally()
    for row in rows:
        tally.moved(None, (row["type"], row["queue"], row["state"]))
    builtin.ensure()
    with db.writing() as session:
        session.execute(insert(JobStatus), rows)
        tally.write(session)


def stored() -> int:
    with db.reading() as session:
        of_others = JobStatus.internal.is_(False)
        return session.scalar(select(func.count()).select_from(JobStatus).where(of_others)) or 0


def test_what_a_killed_run_left_goes_with_the_next_one(start: Start, sqlite_database: Engine) -> None:
    fill(OLD, timedelta(days=8))
    fill(NEW, timedelta(days=1))
    builtin.ensure()
    with db.writing() as session:
        session.execute(update(Schedule).where(Schedule.type == RETENTION).values(due_at=clock.now()))
    start("recorder")
    start("beat")
    worker = start("work", "--queue", "celeriac", "--workers", "1")
    wait_for(lambda: stored() < OLD + NEW)
    worker.kill()
    worker.wait(20)
    after_kill = stored()
    assert NEW < after_kill < OLD + NEW
    start("work", "--queue", "celeriac", "--workers", "1", "--name", "other@%h")
    wait_for(lambda: stored() == NEW, 120)
    with db.reading() as session:
        rows = session.execute(
            select(JobStatus.type, JobStatus.queue, JobStatus.state).where(JobStatus.internal.is_(False))
        )
        there = Counter(tuple(row) for row in rows)
        told = session.execute(
            select(JobCount.type, JobCount.queue, JobCount.state, func.sum(JobCount.n))
            .where(JobCount.queue != "celeriac")
            .group_by(JobCount.type, JobCount.queue, JobCount.state)
            .having(func.sum(JobCount.n) != 0)
        )
        assert {(row[0], row[1], row[2]): int(row[3]) for row in told} == there
    wait_for(lambda: last_run().state == State.COMPLETED)
    assert last_run().run >= 1
    assert last_run().progress == 100


def last_run() -> JobStatus:
    with db.reading() as session:
        [job] = session.scalars(select(JobStatus).where(JobStatus.type == RETENTION))
        return job
