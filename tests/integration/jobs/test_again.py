"""A job's work done once more: with another payload, after any end, and never twice for one click."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from sqlalchemy import Engine

from console import db
from console.actor import Actor
from console.audit.queries import entries_of
from console.errors import Conflict, InvalidInput, NotFound
from console.jobs import again, queries, registry
from console.jobs.models import JobStatus
from console.jobs.redaction import HIDDEN
from console.jobs.rules import ENDED, State
from tests.factories.jobs import GREET, make_job

SUE = Actor("sue@example.com", "support")
ENVELOPE = {"headers": {}, "body": "W10=", "content_type": "application/json", "encoding": "utf-8"}


@pytest.fixture(autouse=True)
def ready(database: Engine, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._types, GREET.name, GREET)


@pytest.fixture
def job() -> Callable[..., str]:
    def make(state: State = State.RETRYABLE, **columns: Any) -> str:
        with db.writing() as session:
            return make_job(session, state, **columns).id

    return make


def do(verb: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    with db.writing() as session:
        return verb(session, SUE, *arguments, **more)


def row_of(job_id: str) -> JobStatus:
    with db.reading() as session:
        row = session.get_one(JobStatus, job_id)
        assert row.payload  # loaded while the session lives
        return row


def sent(broker: redis.Redis, queue: str = "default") -> list[Any]:
    """What waits on a queue: id and arguments."""
    messages = [json.loads(raw) for raw in broker.lrange(queue, 0, -1)]
    return [(one["headers"]["id"], json.loads(base64.b64decode(one["body"]))[:2]) for one in messages]


def counts() -> dict[State, int]:
    with db.reading() as session:
        return queries.count_by_state(session, queries.JobFilter())


def audited(job_id: str) -> list[Any]:
    with db.reading() as session:
        return [(entry.action, entry.detail) for entry in entries_of(session, "job", job_id)]


def test_a_retry_with_another_payload(job: Callable[..., str], broker: redis.Redis) -> None:
    old = job()
    new = do(again.retry_with, old, {"kwargs": {"name": "Bob", "times": 2}})
    assert (row_of(old).state, row_of(old).retried_as, row_of(new).retry_of) == (State.FAILED, new, old)
    assert json.loads(row_of(old).payload or "")["kwargs"]["name"] == "Ada"
    assert json.loads(row_of(new).payload or "") == {"args": [], "kwargs": {"name": "Bob", "times": 2}}
    assert sent(broker) == [(new, [[], {"name": "Bob", "times": 2}])]
    assert counts() == {State.FAILED: 1, State.PENDING: 1}
    [(action, detail)] = audited(old)
    assert (action, detail["retried_as"]) == ("jobs.edit", new)
    assert '-     "name": "Ada",' in detail["changes"]
    with pytest.raises(Conflict, match="retried already"):
        do(again.retry_with, old, {"kwargs": {"name": "Eve"}})
    assert len(sent(broker)) == 1


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"kwargs": {"name": "x" * 60}}, "payload.name"), ({"kwargs": {"nonsense": 1}}, "payload.nonsense"),
        ({"args": [1], "kwargs": {}}, "args"), ({"kwargs": []}, "payload"), ({"nonsense": 1}, "payload"),
    ],
)
def test_it_has_to_fit_the_schema(job: Callable[..., str], broker: redis.Redis, payload: Any, field: str) -> None:
    old = job()
    with pytest.raises(InvalidInput) as refused:
        do(again.retry_with, old, payload)
    assert [problem["field"] for problem in refused.value.errors] == [field]
    assert row_of(old).state == State.RETRYABLE
    assert sent(broker) == []


def test_who_does_not_see_a_secret_keeps_it_and_the_audit_log_does_not_tell(
    job: Callable[..., str], broker: redis.Redis
) -> None:
    old = job(type="shop.pay", payload=json.dumps({"args": [], "kwargs": {"token": "s3cret", "amount": 1}}))
    new = do(again.retry_with, old, {"args": [], "kwargs": {"token": HIDDEN, "amount": 2}})
    assert sent(broker) == [(new, [[], {"token": "s3cret", "amount": 2}])]
    assert "s3cret" not in str(audited(old))
    other = job(type="shop.pay", payload=json.dumps({"args": [], "kwargs": {"token": "s3cret"}}))
    do(again.retry_with, other, {"args": [], "kwargs": {"token": "another"}})
    assert [detail["changes"] for _, detail in audited(other)] == [["… only values that are hidden differ"]]


def test_a_message_with_more_than_a_payload_is_not_edited(job: Callable[..., str]) -> None:
    old = job(type="shop.pay", message=json.dumps(ENVELOPE))
    with pytest.raises(Conflict, match="more than a payload"):
        do(again.retry_with, old, {"kwargs": {"x": 1}})
    assert do(again.run_again, old)


@pytest.mark.parametrize("state", sorted(ENDED - {State.RETRYABLE}))
def test_any_job_that_has_ended_runs_again(job: Callable[..., str], broker: redis.Redis, state: State) -> None:
    old = job(state, tags='["a"]', priority=3, root_id="first")
    before = counts()
    new = do(again.run_again, old)
    row = row_of(new)
    assert (row.state, row.retry_of, row.root_id, row.tags, row.priority, row.max_attempts) == (
        State.PENDING, old, "first", '["a"]', 3, 3
    )
    assert (row_of(old).state, row_of(old).retried_as) == (state, None)
    assert sent(broker, "default\x06\x163") == [(new, [[], {"name": "Ada", "times": 1}])]
    assert counts() == before | {State.PENDING: 1}
    assert audited(old) == [("jobs.again", {"ran_as": new})]


def test_a_failed_one_that_runs_again_is_retried(job: Callable[..., str]) -> None:
    old = job()
    new = do(again.run_again, old)
    assert row_of(old).retried_as == new


def test_one_click_is_one_job(job: Callable[..., str], broker: redis.Redis) -> None:
    old = job(State.COMPLETED)
    first = do(again.run_again, old, key="k")
    assert do(again.run_again, old, key="k") == first
    assert do(again.run_again, old, key="other") != first
    assert len(sent(broker)) == 2


@pytest.mark.parametrize("state", sorted(set(State) - ENDED))
def test_what_has_not_ended_does_not_run_twice(job: Callable[..., str], state: State) -> None:
    with pytest.raises(Conflict, match="not ended"):
        do(again.run_again, job(state))


def test_what_cannot_be_sent_is_refused(job: Callable[..., str]) -> None:
    with pytest.raises(Conflict, match="not kept"):
        do(again.run_again, job(State.COMPLETED, payload=None))
    with pytest.raises(Conflict, match="observed application"):
        do(again.run_again, job(State.COMPLETED, source="shop"))
    with pytest.raises(NotFound):
        do(again.run_again, "nowhere")


def test_what_python_takes_for_json_is_none(job: Callable[..., str]) -> None:
    with pytest.raises(InvalidInput, match="no JSON"):
        do(again.retry_with, job(type="shop.pay"), {"kwargs": {"x": float("nan")}})
