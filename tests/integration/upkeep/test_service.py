"""Upkeep is dispatched once per period, however many beats there are."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from console import clock, db
from console.jobs.models import JobStatus
from console.jobs.rules import State
from console.upkeep import service
from console.upkeep.models import Upkeep
from console.upkeep.service import EVERY, FIRST_AFTER, RETENTION


@pytest.fixture(autouse=True)
def types(broker: object) -> None:
    import tasks  # noqa: F401  registers the job types


def dispatch(after: timedelta = timedelta()) -> list[str]:
    with db.writing() as session:
        return service.dispatch_due(session, clock.now() + after)


def jobs() -> list[JobStatus]:
    with db.reading() as session:
        return list(session.scalars(select(JobStatus)))


def next_at() -> timedelta:
    with db.reading() as session:
        return session.get_one(Upkeep, RETENTION).next_at - clock.now()


def test_the_first_time_it_is_only_planned(database: Engine) -> None:
    assert dispatch() == []
    assert jobs() == []
    assert FIRST_AFTER - timedelta(minutes=1) < next_at() <= FIRST_AFTER


def test_when_it_is_due_a_job_of_ours_is_dispatched_and_the_next_time_is_set(database: Engine) -> None:
    dispatch()
    assert dispatch(FIRST_AFTER) == [RETENTION]
    [job] = jobs()
    assert (job.type, job.queue, job.internal, job.unique_key) == (RETENTION, "celeriac", True, RETENTION)
    assert next_at() > timedelta(minutes=59)
    assert dispatch(FIRST_AFTER) == []


def test_many_beats_dispatch_one(database: Engine) -> None:
    dispatch()
    barrier = threading.Barrier(6)
    claimed: list[str] = []

    def beat() -> None:
        barrier.wait(10)
        claimed.extend(dispatch(FIRST_AFTER))

    beats = [threading.Thread(target=beat) for _ in range(6)]
    for thread in beats:
        thread.start()
    for thread in beats:
        thread.join(30)
    assert claimed == [RETENTION]
    assert len(jobs()) == 1


def test_while_one_has_not_ended_there_is_no_second_one(database: Engine) -> None:
    dispatch()
    dispatch(FIRST_AFTER)
    assert dispatch(FIRST_AFTER + EVERY[RETENTION]) == [RETENTION]
    assert len(jobs()) == 1


def test_a_run_that_did_not_get_done_brings_the_next_one_forward_never_back(database: Engine) -> None:
    dispatch()
    dispatch(FIRST_AFTER)
    with db.writing() as session:
        service.again_at(session, RETENTION, clock.now() + timedelta(seconds=5))
    assert next_at() <= timedelta(seconds=5)
    with db.writing() as session:
        service.again_at(session, RETENTION, clock.now() + timedelta(days=1))
    assert next_at() <= timedelta(seconds=5)


def test_what_nobody_dispatches_is_overdue(database: Engine) -> None:
    dispatch()
    with db.writing() as session:
        assert service.overdue(session) == {}
        session.get_one(Upkeep, RETENTION).next_at = clock.now() - timedelta(hours=5)
    with db.reading() as session:
        assert service.overdue(session)[RETENTION] >= timedelta(hours=5)
        assert service.has_due(session, clock.now())


def test_beat_dispatches_it_and_a_worker_that_consumes_all_queues_takes_it(database: Engine) -> None:
    import tasks
    from console.commands.work import ALL_QUEUES
    from console.jobs.registry import INTERNAL_QUEUE
    from tasks.beat import DueScheduler

    assert INTERNAL_QUEUE in ALL_QUEUES.split(",")
    dispatch()
    with db.writing() as session:
        session.get_one(Upkeep, RETENTION).next_at = clock.now()
    beat = DueScheduler(app=tasks.app, lazy=True)
    beat._upkeep()
    assert [(job.type, job.state) for job in jobs()] == [(RETENTION, State.PENDING)]
    beat._upkeep()
    assert len(jobs()) == 1


def test_nobody_is_offered_to_dispatch_it(sqlite_database: Engine) -> None:
    from console.access.service import create_token
    from console.actor import SYSTEM
    from console.app import create_app
    from console.web import database as web_database

    with db.writing() as session:
        token = create_token(session, SYSTEM, "t", "admin")
    app = create_app()
    answer = app.test_client().get("/api/v1/job-types", headers={"Authorization": f"Bearer {token}"})
    with app.app_context():
        web_database.engine().dispose()
    types = [one["name"] for one in answer.json["data"]]
    assert "demo.noop" in types
    assert RETENTION not in types
