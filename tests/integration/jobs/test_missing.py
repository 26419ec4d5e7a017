"""A waiting job whose message the broker lost is published again; one that waits or is held is left alone."""

from __future__ import annotations

import json
from datetime import timedelta

import redis
from sqlalchemy import Engine

from console import clock, db
from console.actor import SYSTEM
from console.broker import valkey as port
from console.broker.celery_app import UNACKED_KEY
from console.jobs import due, missing, queries, service
from console.jobs.filters import JobFilter
from console.jobs.registry import job_type
from console.jobs.rules import State
from tests.factories.jobs import make_job

LATER = timedelta(minutes=2)


def dispatched(count: int = 1) -> list[str]:
    import tasks  # noqa: F401  registers the job types

    with db.writing() as session:
        return service.dispatch(session, SYSTEM, job_type("demo.noop"), {}, count=count)


def found() -> dict[str, int]:
    with db.reading() as session:
        return missing.find_missing(session, port.broker(), clock.now() + LATER)


def test_a_lost_message_is_published_again_once(database: Engine, broker: redis.Redis) -> None:
    [job_id] = dispatched()
    assert found() == {}
    broker.delete("default")
    lost = found()
    assert list(lost) == [job_id]
    with db.writing() as session:
        assert missing.publish_again(session, lost, clock.now()) == 1
    with db.writing() as session:
        assert missing.publish_again(session, lost, clock.now()) == 0
    due.publish_due()
    [message] = broker.lrange("default", 0, -1)
    assert json.loads(message)["headers"]["id"] == job_id
    assert found() == {}
    with db.reading() as session:
        assert missing.NOTE in [moment.note for moment in queries.get_job(session, job_id).timeline]


def test_a_held_message_is_not_missing(database: Engine, broker: redis.Redis) -> None:
    dispatched()
    broker.hset(UNACKED_KEY, "a-tag", json.dumps([json.loads(broker.rpop("default")), "", "default"]))
    assert found() == {}


def test_in_a_queue_that_moves_only_what_was_passed_over_is_missing(database: Engine, broker: redis.Redis) -> None:
    [lost] = dispatched()
    broker.delete("default")
    begun = clock.now_ms()
    while clock.now_ms() == begun:
        pass
    dispatched(3)
    assert list(found()) == [lost]


def test_a_job_that_starts_meanwhile_is_left_alone(database: Engine, broker: redis.Redis) -> None:
    dispatched()
    broker.delete("default")
    changed = {job_id: ver + 1 for job_id, ver in found().items()}
    with db.writing() as session:
        assert missing.publish_again(session, changed, clock.now()) == 0


def test_a_job_past_its_limit_that_nobody_holds_runs_again(database: Engine, broker: redis.Redis) -> None:
    import tasks  # noqa: F401  registers the job types

    with db.writing() as session:
        job = make_job(session, State.PROCESSING, type="demo.noop", started_at=clock.now())
        job_id = job.id
    with db.reading() as session:
        assert missing.find_missing(session, port.broker(), clock.now() + timedelta(seconds=50)) == {}
    lost = found()
    assert list(lost) == [job_id]
    with db.writing() as session:
        assert missing.publish_again(session, lost, clock.now()) == 1
    due.publish_due()
    assert broker.llen("default") == 1
    with db.reading() as session:
        assert queries.count_by_state(session, JobFilter()) == {State.PENDING: 1}
