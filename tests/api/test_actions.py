"""Retry, cancel and flush over the API."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import redis

from console import db
from console.access.idempotency import IdempotencyKey
from console.audit.models import AuditEntry
from console.jobs.models import JobCount
from console.jobs.rules import State
from tests.api.conftest import Program, problem

Job = Callable[..., str]
KEY = {"Idempotency-Key": "retry-1"}


def state_of(program: Program, job_id: str) -> str:
    return str(program.get(f"/jobs/{job_id}").json["state"])


def test_retry_makes_a_new_job(support: Program, job: Job, broker: redis.Redis) -> None:
    old = job()
    response = support.post(f"/jobs/{old}/retry")
    assert response.status_code == 201
    new = response.json["job"]
    assert (new["retry_of"], new["state"]) == (old, "PENDING")
    assert support.get(f"/jobs/{old}").json["retried_as"] == new["id"]
    assert broker.llen("default") == 1
    said = problem(support.post(f"/jobs/{old}/retry"), 409)
    assert new["id"] in said["detail"]


def test_retry_again_with_the_key_gives_the_first_answer(support: Program, job: Job, broker: redis.Redis) -> None:
    old = job()
    first = support.post(f"/jobs/{old}/retry", headers=KEY)
    again = support.post(f"/jobs/{old}/retry", headers=KEY)
    assert (again.status_code, again.json) == (201, first.json)
    assert broker.llen("default") == 1
    problem(support.post(f"/jobs/{job()}/retry", headers=KEY), 422)


def test_retry_of_what_did_not_fail_is_refused(support: Program, job: Job) -> None:
    assert "COMPLETED" in problem(support.post(f"/jobs/{job(State.COMPLETED)}/retry"), 409)["detail"]
    assert "not kept" in problem(support.post(f"/jobs/{job(State.FAILED, payload=None)}/retry"), 409)["detail"]
    problem(support.post("/jobs/unknown/retry"), 404)


def test_cancel_ends_what_waits(support: Program, job: Job) -> None:
    body = support.post(f"/jobs/{job(State.SCHEDULED)}/cancellation").json
    assert (body["was"], body["job"]["state"]) == ("SCHEDULED", "CANCELLED")


def test_cancel_asks_the_worker_to_stop_what_runs(support: Program, job: Job, broker: redis.Redis) -> None:
    job_id = job(State.PROCESSING)
    body = support.post(f"/jobs/{job_id}/cancellation").json
    assert (body["was"], body["job"]["state"]) == ("PROCESSING", "PROCESSING")
    assert broker.zscore("celeriac:revoked", job_id) is not None


def test_cancel_of_what_has_ended_is_refused(support: Program, job: Job) -> None:
    problem(support.post(f"/jobs/{job(State.COMPLETED)}/cancellation"), 409)


def test_retries_retry_what_matches(support: Program, job: Job, broker: redis.Redis) -> None:
    wanted, other, done = job(queue="emails"), job(), job(State.COMPLETED, queue="emails")
    assert support.post("/jobs/retries", json={"queue": "emails"}).json == {"count": 1}
    assert [state_of(support, job_id) for job_id in (wanted, other, done)] == ["FAILED", "RETRYABLE", "COMPLETED"]
    assert broker.llen("emails") == 1


def test_retries_never_touch_a_state_that_was_not_meant(support: Program, job: Job) -> None:
    job()
    assert support.post("/jobs/retries", json={"state": ["COMPLETED"]}).json == {"count": 0}


def test_retries_up_to_a_limit(support: Program, job: Job) -> None:
    for _ in range(5):
        job()
    assert support.post("/jobs/retries", json={"limit": 2}).json == {"count": 2}
    assert support.post("/jobs/retries", json={}).json == {"count": 3}


def test_retries_again_with_the_key_give_the_first_number(support: Program, job: Job) -> None:
    job()
    assert support.post("/jobs/retries", json={}, headers=KEY).json == {"count": 1}
    job()
    assert support.post("/jobs/retries", json={}, headers=KEY).json == {"count": 1}
    assert support.post("/jobs/retries", json={}).json == {"count": 1}


def test_retries_go_on_where_an_interrupted_request_stopped(support: Program, job: Job) -> None:
    job()
    support.post("/jobs/retries", json={}, headers=KEY)
    with db.writing() as session:  # as after a crash between two batches
        row = session.query(IdempotencyKey).one()
        row.complete, row.answer = False, json.dumps(json.loads(row.answer) | {"done": 500})
    assert support.post("/jobs/retries", json={}, headers=KEY).json == {"count": 500}


def test_cancellations_cancel_what_waits(support: Program, job: Job) -> None:
    waiting = [job(State.PENDING), job(State.SCHEDULED), job(State.RETRYING)]
    others = [job(State.PROCESSING), job(State.COMPLETED)]
    assert support.post("/jobs/cancellations", json={}).json == {"count": 3}
    assert {state_of(support, job_id) for job_id in waiting} == {"CANCELLED"}
    assert [state_of(support, job_id) for job_id in others] == ["PROCESSING", "COMPLETED"]


def test_flush_has_to_be_confirmed(admin: Program, job: Job) -> None:
    job()
    for body in ({}, {"confirm": False}, {"confirm": "true"}, {"confirm": 1}):
        assert problem(admin.post("/jobs/flushes", json=body), 422)["errors"][0]["field"] == "confirm"
    assert admin.post("/jobs/flushes", json={"confirm": True}).json == {"count": 1}


def test_flush_deletes_failed_jobs_only(admin: Program, job: Job) -> None:
    gone = [job(), job(State.FAILED)]
    kept = [job(State.COMPLETED), job(State.PENDING), job(queue="emails")]
    assert admin.post("/jobs/flushes", json={"confirm": True, "queue": "default"}).json == {"count": 2}
    for job_id in gone:
        problem(admin.get(f"/jobs/{job_id}"), 404)
    assert [state_of(admin, job_id) for job_id in kept] == ["COMPLETED", "PENDING", "RETRYABLE"]
    with db.reading() as session:
        counts: Counter[tuple[str, str]] = Counter()
        for row in session.query(JobCount):
            counts[row.queue, row.state] += row.n
    assert +counts == {("default", "COMPLETED"): 1, ("default", "PENDING"): 1, ("emails", "RETRYABLE"): 1}


def test_everything_is_audited_as_the_token(admin: Program, job: Job) -> None:
    admin.post(f"/jobs/{job()}/retry")
    admin.post(f"/jobs/{job(State.PENDING)}/cancellation")
    admin.post("/jobs/flushes", json={"confirm": True})
    with db.reading() as session:
        entries = session.query(AuditEntry).filter(AuditEntry.action.like("jobs.%")).order_by(AuditEntry.id).all()
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("jobs.retry", "token:of-admin"), ("jobs.cancel", "token:of-admin"), ("jobs.flush", "token:of-admin"),
    ]
