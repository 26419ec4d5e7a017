"""Bulk actions with real beats and workers: killed, doubled, and stopped by what the jobs do."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import redis
from sqlalchemy import select

from console import clock, db
from console.actions import service
from console.actions.rules import Kind
from console.audit.service import SYSTEM
from console.config import settings
from console.jobs.filters import JobFilter
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.crash.conftest import Start, counts, dispatch, wait_for
from tests.factories.actions import action, begin
from tests.factories.jobs import make_job

JOBS = 600


def failed(n: int, job_type: str, payload: str = '{"args":[],"kwargs":{}}') -> list[str]:
    """Jobs of that type that failed for good."""
    with db.writing() as session:
        return [make_job(session, type=job_type, payload=payload).id for _ in range(n)]


def retried() -> Counter[str]:
    """How often each job was retried."""
    with db.reading() as session:
        return Counter(session.scalars(select(JobStatus.retry_of).where(JobStatus.retry_of.is_not(None))))


def ran(path: Path) -> Counter[str]:
    """How often each of the jobs that leave a mark ran."""
    return Counter(path.read_text().split()) if path.exists() else Counter()


def test_beats_that_are_killed_while_they_work_retry_each_job_once(start: Start, broker: redis.Redis) -> None:
    """Two beats and two people who asked for the same; whoever works is killed again and again."""
    wanted = failed(JOBS, "demo.mark")
    start("work"), start("recorder")
    made = [begin(rate=100, name="first"), begin(rate=100, name="second")]
    beats = [start("beat"), start("beat")]
    for kills in range(4):
        wait_for(lambda more=(kills + 1) * 60: len(retried()) > more, 60)
        time.sleep(random.uniform(0, 0.3))
        victim = beats.pop(0)
        victim.kill()
        victim.wait()
        beats.append(start("beat"))
    wait_for(lambda: not any(action(one).is_open for one in made), 90)
    assert retried() == Counter(wanted)
    assert sum(action(one).done for one in made) == JOBS
    marks = settings().files_dir / "demo.mark"
    wait_for(lambda: len(ran(marks)) == JOBS, 60)
    wait_for(lambda: counts() == {State.FAILED: JOBS, State.COMPLETED: JOBS}, 30)
    assert set(ran(marks).values()) == {1}


def test_a_flush_and_its_undoing_survive_kills(start: Start) -> None:
    wanted = failed(JOBS, "demo.noop")
    beat = start("beat")
    made = begin(Kind.FLUSH, JobFilter(), rate=200)
    wait_for(lambda: action(made).done > 100, 30)
    beat.kill()
    beat.wait()
    start("beat")
    wait_for(lambda: action(made).state == "done", 60)
    assert (action(made).done, counts()) == (JOBS, {})
    with db.writing() as session:
        service.undo_action(session, SYSTEM, made)
    wait_for(lambda: action(made).state == "undone", 30)
    assert counts() == {State.RETRYABLE: JOBS}
    with db.reading() as session:
        assert set(session.scalars(select(JobStatus.id))) == set(wanted)


def test_of_a_type_that_still_fails_no_more_than_the_trial_is_run(start: Start) -> None:
    failed(200, "demo.fail", '{"args":[],"kwargs":{"message":"still broken"}}')
    for command in ("work", "beat", "recorder"):
        start(command)
    made = begin(trial=10, pass_percent=80)
    wait_for(lambda: not action(made).is_open, 60)
    assert (action(made).state, action(made).done) == ("stopped", 10)
    assert "The trial failed" in action(made).outcome
    assert len(retried()) == 10


def test_of_a_type_that_works_again_all_are_run_after_the_trial(start: Start) -> None:
    failed(200, "demo.noop")
    for command in ("work", "beat", "recorder"):
        start(command)
    made = begin(trial=10)
    wait_for(lambda: not action(made).is_open, 60)
    assert (action(made).state, action(made).done) == ("done", 200)
    wait_for(lambda: counts() == {State.FAILED: 200, State.COMPLETED: 200}, 30)


def test_it_works_when_no_worker_lives_and_what_is_due_is_not_late(start: Start, broker: redis.Redis) -> None:
    failed(30_000, "demo.noop")
    start("beat")
    later = [dispatch("demo.noop", {}, delay_s=delay)[0] for delay in (3, 4, 5, 6)]
    due = clock.now_ms() + 3_000
    made = begin()
    late: list[int] = []

    def all_left() -> bool:
        with db.reading() as session:
            states = session.scalars(select(JobStatus.state).where(JobStatus.id.in_(later))).all()
        left = sum(state == State.PENDING for state in states)
        late.extend([clock.now_ms() - due - 1_000 * len(late)] * (left - len(late)))
        return left == len(later)

    wait_for(all_left, 30)
    wait_for(lambda: action(made).state == "done", 60)
    assert action(made).done == 30_000
    assert broker.llen("default") == 30_000 + len(later)
    assert max(late) < 1_500, late


