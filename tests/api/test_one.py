"""What the API shows of, and does to, one job."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import redis

from console import clock, db
from console.audit.queries import entries_of
from console.jobs.models import JobAttempt
from console.jobs.rules import State
from tests.api.conftest import Program, problem
from tests.factories.logs import make_log

SECRET = json.dumps({"args": [], "kwargs": {"user": {"password": "hunter2"}, "n": 1}})


def audited(job_id: str) -> list[str]:
    with db.reading() as session:
        return [entry.action for entry in entries_of(session, "job", job_id)]


def test_secrets_are_for_tokens_that_may_and_ask(
    admin: Program, support: Program, program: Callable[..., Program], job: Callable[..., str]
) -> None:
    made = job(State.COMPLETED, payload=SECRET, result='{"token": "hunter2"}', arguments="{'password': 'hunter2'}")
    for one in (admin, support):
        answer = one.get(f"/jobs/{made}")
        assert "hunter2" not in answer.text
        assert answer.get_json()["hidden"] == ["kwargs.user.password", "result.token"]
    problem(support.post(f"/jobs/{made}/disclosure"), 403)
    narrow = program("admin", name="narrow", scopes=["jobs.read"])
    problem(narrow.post(f"/jobs/{made}/disclosure"), 403)
    assert audited(made) == []
    answer = admin.post(f"/jobs/{made}/disclosure").get_json()
    assert (answer["payload"]["kwargs"]["user"]["password"], answer["hidden"]) == ("hunter2", [])
    assert audited(made) == ["jobs.disclose"]
    problem(admin.post("/jobs/nowhere/disclosure"), 404)


def test_what_is_hidden_is_hidden_in_what_the_job_says(
    admin: Program, support: Program, job: Callable[..., str]
) -> None:
    made = job(State.RETRYING, payload=SECRET, error_type="Denied", error_message="Denied: hunter2", traceback="hunter2!")
    with db.writing() as session:
        session.add(
            JobAttempt(job_id=made, run=0, attempt=1, state="FAILED", finished_at=clock.now(), traceback="hunter2!",
                       error_message="Denied: hunter2")
        )  # fmt: skip
    make_log(made, 1, "signed in with hunter2")
    for one, path in product((admin, support), ("", "/attempts", "/logs")):
        text = one.get(f"/jobs/{made}{path}").text
        assert ("hunter2" in text, "[hidden]" in text) == (False, True), path
    answer = admin.post(f"/jobs/{made}/disclosure").get_json()
    assert (answer["error"]["message"], answer["failed_attempts"][0]["traceback"]) == ("Denied: hunter2", "hunter2!")


def test_a_guess_at_what_is_hidden_is_refused(
    admin: Program, support: Program, program: Callable[..., Program], job: Callable[..., str]
) -> None:
    made = job(State.RETRYABLE, payload=SECRET)
    guess = "args.user.password:hunter2"
    narrow = program("admin", name="narrow", scopes=["jobs.read", "jobs.retry"])
    for one in (support, narrow):
        for answer in (
            one.get(f"/jobs?q={guess}"),
            one.post("/jobs/retries", json={"q": guess}),
            one.post("/jobs/exports", json={"q": guess}),
            one.post("/actions", json={"kind": "retry", "q": guess}),
            one.post("/actions/estimates", json={"kind": "retry", "q": guess}),
        ):
            assert problem(answer, 422)["errors"][0]["field"] == "q"
            assert "args.user.password holds what is hidden from you" in answer.text
    assert [one["id"] for one in admin.get(f"/jobs?q={guess}").get_json()["data"]] == [made]


def test_all_attempts_in_pages(support: Program, job: Callable[..., str]) -> None:
    made = job(State.RETRYING)
    with db.writing() as session:
        session.add_all(
            JobAttempt(job_id=made, run=0, attempt=n, state="RETRYING", finished_at=clock.now(), traceback="x" * 50_000)
            for n in range(1, 46)
        )
    assert len(support.get(f"/jobs/{made}").get_json()["failed_attempts"]) == 20
    seen, cursor = [], ""
    while cursor is not None:
        answer = support.get(f"/jobs/{made}/attempts?limit=20&cursor={cursor}").get_json()
        seen += [item["attempt"] for item in answer["data"]]
        assert all(len(item["traceback"]) == 50_000 for item in answer["data"])
        cursor = answer["next"]
    assert seen == list(range(45, 0, -1))
    problem(support.get("/jobs/nowhere/attempts"), 404)
    problem(support.get(f"/jobs/{made}/attempts?cursor=nonsense"), 422)


def test_an_edited_retry(support: Program, job: Callable[..., str], broker: redis.Redis) -> None:
    made = job()
    refused = problem(support.post(f"/jobs/{made}/edited-retry", json={"kwargs": {"name": 5}}), 422)
    assert refused["errors"][0]["field"] == "payload.name"
    problem(support.post(f"/jobs/{made}/edited-retry", json={}), 422)
    request: dict[str, Any] = {"json": {"kwargs": {"name": "Bob"}}, "headers": {"Idempotency-Key": "k"}}
    first = support.post(f"/jobs/{made}/edited-retry", **request)
    assert first.status_code == 201
    assert support.post(f"/jobs/{made}/edited-retry", **request).get_json() == first.get_json()
    problem(support.post(f"/jobs/{made}/edited-retry", json={"kwargs": {"name": "Bob"}}), 409)
    assert broker.llen("default") == 1
    assert support.get(f"/jobs/{made}").get_json()["retried_as"] == first.get_json()["job"]["id"]


def test_run_again(support: Program, job: Callable[..., str], broker: redis.Redis) -> None:
    made = job(State.COMPLETED)
    first = support.post(f"/jobs/{made}/again", headers={"Idempotency-Key": "k"})
    again = support.post(f"/jobs/{made}/again", headers={"Idempotency-Key": "k"})
    assert (first.status_code, first.get_json()["job"]["retry_of"]) == (201, made)
    assert again.get_json() == first.get_json()
    assert broker.llen("default") == 1
    problem(support.post(f"/jobs/{job(State.PROCESSING)}/again"), 409)


@pytest.mark.parametrize("body", [{"at": "2031-03-01T12:00:00Z"}, {"delay": 60}, {"now": True}])
def test_another_time(support: Program, job: Callable[..., str], body: dict[str, Any]) -> None:
    made = job(State.SCHEDULED)
    answer = support.post(f"/jobs/{made}/schedule", json=body)
    assert answer.status_code == 200
    assert answer.get_json()["job"]["due_at"] is not None
    assert audited(made) == ["jobs.reschedule"]


@pytest.mark.parametrize("body", [{}, {"at": "2031-03-01T12:00:00Z", "now": True}, {"delay": -1}, {"at": "soon"}, {"x": 1}])
def test_a_time_has_to_be_told(support: Program, job: Callable[..., str], body: dict[str, Any]) -> None:
    problem(support.post(f"/jobs/{job(State.SCHEDULED)}/schedule", json=body), 422)


def test_another_queue(support: Program, job: Callable[..., str]) -> None:
    made = job(State.SCHEDULED)
    answer = support.post(f"/jobs/{made}/queue", json={"queue": "other"}).get_json()
    assert (answer["was"], answer["job"]["queue"]) == ("default", "other")
    problem(support.post(f"/jobs/{made}/queue", json={"queue": "other"}), 409)
    problem(support.post(f"/jobs/{made}/queue", json={"queue": ""}), 422)


def test_letters_that_are_none(support: Program, job: Callable[..., str]) -> None:
    made = job(payload='{"args": [], "kwargs": {"name": "\\ud800x"}}')
    assert support.get(f"/jobs/{made}").status_code == 200
