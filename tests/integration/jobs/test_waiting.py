"""Another time, another queue: for jobs that wait, in one step, and never run twice for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import Engine

from console import clock, db
from console.actor import Actor
from console.audit.queries import entries_of
from console.broker import valkey as port
from console.errors import Conflict, InvalidInput, NotFound, Unavailable
from console.jobs import due, queries, registry, service, waiting
from console.jobs.models import JobStatus
from console.jobs.rules import State
from console.jobs.service import DispatchOptions
from tests.factories.jobs import GREET, make_job

SUE = Actor("sue@example.com", "support")


@pytest.fixture(autouse=True)
def ready(database: Engine, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._types, GREET.name, GREET)


def make(state: State, **columns: Any) -> str:
    with db.writing() as session:
        return make_job(session, state, **columns).id


def dispatched(**options: Any) -> str:
    with db.writing() as session:
        return service.dispatch(session, SUE, GREET, {}, DispatchOptions(**options))[0]


def do(verb: Callable[..., Any], *arguments: Any) -> Any:
    with db.writing() as session:
        return verb(session, SUE, *arguments)


def row_of(job_id: str) -> JobStatus:
    with db.reading() as session:
        return session.get_one(JobStatus, job_id)


def waiting_on(broker: redis.Redis, queue: str) -> list[str]:
    return [json.loads(raw)["headers"]["id"] for raw in broker.lrange(queue, 0, -1)]


def counted(queue: str) -> int:
    with db.reading() as session:
        return sum(queries.count_by_state(session, queries.JobFilter(queue=queue)).values())


@pytest.mark.parametrize("state", waiting.PLANNED)
def test_another_time(state: State) -> None:
    job_id, at = make(state), clock.now() + timedelta(days=2)
    do(waiting.reschedule, job_id, at)
    assert row_of(job_id).due_at == clock.from_ms(clock.to_ms(at))
    with db.reading() as session:
        [entry] = entries_of(session, "job", job_id)
    assert (entry.action, entry.detail["at"]) == ("jobs.reschedule", at.isoformat())


@pytest.mark.parametrize("state", waiting.PLANNED)
def test_now(state: State, broker: redis.Redis) -> None:
    job_id = make(state)
    do(waiting.reschedule, job_id, None)
    due.publish_due()
    due.publish_due()
    assert waiting_on(broker, "default") == [job_id]
    assert row_of(job_id).state == State.PENDING
    with pytest.raises(Conflict, match="waits for a worker"):
        do(waiting.reschedule, job_id, None)


@pytest.mark.parametrize("state", sorted(set(State) - set(waiting.PLANNED)))
def test_what_waits_for_no_time_has_none(state: State) -> None:
    with pytest.raises(Conflict):
        do(waiting.reschedule, make(state), None)


def test_a_retry_that_its_worker_holds_stays_there() -> None:
    job_id = make(State.RETRYING, due_at=None)
    for verb, argument in ((waiting.reschedule, None), (waiting.move, "other")):
        with pytest.raises(Conflict, match="worker holds it"):
            do(verb, job_id, argument)


def test_far_away_and_nowhere() -> None:
    with pytest.raises(InvalidInput):
        do(waiting.reschedule, make(State.SCHEDULED), clock.now() + timedelta(days=9_999))
    with pytest.raises(NotFound):
        do(waiting.reschedule, "nowhere", None)


@pytest.mark.parametrize("state", waiting.PLANNED)
def test_what_waits_for_its_time_moves_and_runs_from_there(state: State, broker: redis.Redis) -> None:
    job_id = make(state)
    assert do(waiting.move, job_id, "other") == "default"
    do(waiting.reschedule, job_id, None)
    due.publish_due()
    assert (waiting_on(broker, "default"), waiting_on(broker, "other")) == ([], [job_id])
    assert (counted("default"), counted("other")) == (0, 1)


@pytest.mark.parametrize("priority", [None, 5])
def test_a_waiting_message_moves(broker: redis.Redis, priority: int | None) -> None:
    others = [dispatched(priority=priority) for _ in range(3)]
    job_id = dispatched(priority=priority)
    others += [dispatched(priority=priority) for _ in range(3)]
    assert do(waiting.move, job_id, "other") == "default"
    assert set(waiting_on(broker, port.queue_key("default", priority))) == set(others)
    assert waiting_on(broker, port.queue_key("other", priority)) == [job_id]
    [raw] = broker.lrange(port.queue_key("other", priority), 0, -1)
    assert json.loads(raw)["properties"]["delivery_info"]["routing_key"] == "other"
    assert row_of(job_id).queue == "other"
    with pytest.raises(Conflict, match="already"):
        do(waiting.move, job_id, "other")


def test_one_that_a_worker_has_taken_stays(broker: redis.Redis) -> None:
    job_id = dispatched()
    broker.rpop("default")
    with pytest.raises(Conflict, match="worker has taken it"):
        do(waiting.move, job_id, "other")
    assert (row_of(job_id).queue, counted("other"), waiting_on(broker, "other")) == ("default", 0, [])


def test_with_the_broker_away_nothing_changes(broker: redis.Redis, setting: Callable[[str, str], None]) -> None:
    job_id = dispatched()
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    with pytest.raises(Unavailable):
        do(waiting.move, job_id, "other")
    assert row_of(job_id).queue == "default"


def test_many_at_once_move_it_once(broker: redis.Redis) -> None:
    job_id = dispatched()
    moved, refused = [], []

    def one(queue: str) -> None:
        try:
            moved.append((do(waiting.move, job_id, queue), queue))
        except Conflict:
            refused.append(queue)

    threads = [threading.Thread(target=one, args=(f"q{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    places = [queue for queue in ("default", *(f"q{n}" for n in range(6))) if waiting_on(broker, queue)]
    assert places == [row_of(job_id).queue]
    assert len(moved) + len(refused) == 6
    assert {was for was, _ in moved} | set(places) == {"default", *(queue for _, queue in moved)}, "each from where it was"
    assert len(waiting_on(broker, places[0])) == 1


@pytest.mark.parametrize("queue", ["", " ", "x" * 256, "a\nb"])
def test_a_queue_has_a_name(queue: str) -> None:
    with pytest.raises(InvalidInput):
        do(waiting.move, make(State.SCHEDULED), queue)


@pytest.mark.parametrize("state", [State.PROCESSING, State.COMPLETED, State.RETRYABLE])
def test_what_does_not_wait_does_not_move(state: State) -> None:
    with pytest.raises(Conflict, match="does not wait"):
        do(waiting.move, make(state), "other")


def test_it_is_found_deep_in_a_long_queue_or_said_not_to_be(broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "MOVE_WITHIN", 20)
    ids = [dispatched() for _ in range(60)]
    for place in (0, 19, 40, 59):
        do(waiting.move, ids[place], "other")
    assert len(waiting_on(broker, "other")) == 4
    with pytest.raises(Conflict):
        do(waiting.move, ids[28], "other")
