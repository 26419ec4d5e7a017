"""POST /api/v1/jobs"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from flask import Flask

from console import clock, db
from console.access.idempotency import IdempotencyKey
from console.audit.models import AuditEntry
from console.jobs.models import JobStatus
from tests.api.conftest import Program, problem

KEY = {"Idempotency-Key": "0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f"}


def stored() -> list[JobStatus]:
    with db.reading() as session:
        return session.query(JobStatus).order_by(JobStatus.id).all()


def test_a_job_is_kept_and_queued(admin: Program, broker: redis.Redis) -> None:
    response = admin.post("/jobs", json={"type": "tests.greet", "payload": {"name": "Grace"}})
    assert response.status_code == 201
    [job_id] = response.json["ids"]
    job = response.json["job"]
    assert (job["id"], job["state"], job["queue"]) == (job_id, "PENDING", "default")
    assert admin.get(f"/jobs/{job_id}").json["payload"]["kwargs"] == {"name": "Grace", "times": 1}
    assert broker.llen("default") == 1


def test_every_option_counts(admin: Program, broker: redis.Redis) -> None:
    at = clock.now() + timedelta(hours=1)
    body = {
        "type": "tests.greet", "queue": "heavy", "priority": 3, "at": at.isoformat(), "unique_key": "k", "tags": ["a", "b"],
    }
    response = admin.post("/jobs", json=body)
    assert response.status_code == 201, response.text
    job = response.json["job"]
    assert (job["state"], job["queue"], job["priority"], job["tags"]) == ("SCHEDULED", "heavy", 3, ["a", "b"])
    assert job["due_at"] == at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert broker.llen("heavy") == 0
    again = admin.post("/jobs", json=body)
    assert (again.status_code, again.json["ids"]) == (200, [job["id"]])


def test_a_unique_key_makes_no_second_job_and_says_so(admin: Program, broker: redis.Redis) -> None:
    body = {"type": "tests.greet", "unique_key": "nightly"}
    first, second = (admin.post("/jobs", json=body) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json["ids"] == first.json["ids"]
    replayed = [admin.post("/jobs", json=body, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in replayed] == [200, 200]
    assert len(stored()) == 1
    assert broker.llen("default") == 1


def test_a_delay_makes_it_wait(admin: Program) -> None:
    job = admin.post("/jobs", json={"type": "tests.greet", "delay": 60}).json["job"]
    assert job["state"] == "SCHEDULED"
    assert job["due_at"] is not None


def test_many_equal_ones_at_once(admin: Program, broker: redis.Redis) -> None:
    body = admin.post("/jobs", json={"type": "tests.greet", "count": 25}).json
    assert len(set(body["ids"])) == 25
    assert body["job"] is None
    assert broker.llen("default") == 25


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "type"), ({"type": ""}, "type"), ({"type": "unknown"}, "type"), ({"type": 5}, "type"),
        ({"type": "tests.greet", "payload": []}, "payload"), ({"type": "tests.greet", "payload": None}, "payload"),
        ({"type": "tests.greet", "payload": {"names": "x"}}, "payload.names"),
        ({"type": "tests.greet", "payload": {"times": 11}}, "payload.times"),
        ({"type": "tests.greet", "count": 0}, "count"), ({"type": "tests.greet", "count": 10_001}, "count"),
        ({"type": "tests.greet", "count": "5"}, "count"), ({"type": "tests.greet", "count": True}, "count"),
        ({"type": "tests.greet", "delay": -1}, "delay"), ({"type": "tests.greet", "delay": 1e18}, "delay"),
        ({"type": "tests.greet", "delay": 1, "at": "2999-01-01T00:00:00Z"}, "at"),
        ({"type": "tests.greet", "at": "2999-01-01T00:00:00Z"}, "at"), ({"type": "tests.greet", "at": "soon"}, "at"),
        ({"type": "tests.greet", "at": 5}, "at"), ({"type": "tests.greet", "priority": 10}, "priority"),
        ({"type": "tests.greet", "queue": ""}, "queue"), ({"type": "tests.greet", "queue": "a\u0000b"}, "queue"),
        ({"type": "tests.greet", "unique_key": "k\u0000"}, "unique_key"),
        ({"type": "tests.greet", "unique_key": "k", "count": 2}, "unique_key"),
        ({"type": "tests.greet", "tags": ["x"] * 21}, "tags"), ({"type": "tests.greet", "tags": [""]}, "tags"),
        ({"type": "tests.greet", "priorty": 1}, "priorty"), ([], "body"), (None, "body"), ("x", "body"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_made(admin: Program, body: Any, field: str) -> None:
    response = admin.post("/jobs", data=json.dumps(body), content_type="application/json")
    said = problem(response, 422)
    assert field in [error["field"].removesuffix(".0") for error in said["errors"]], said
    assert stored() == []


@pytest.mark.parametrize(
    "data", [b"", b"{", b"{'a': 1}", b"\xff", b'{"type": NaN}', b"[" * 10_000, b'{"type": "\\ud800"}', b"9" * 5_000]
)
def test_what_is_no_json_is_refused(admin: Program, data: bytes) -> None:
    problem(admin.post("/jobs", data=data, content_type="application/json"), 400)


def test_other_media_types_are_refused(admin: Program) -> None:
    problem(admin.post("/jobs", data="type=tests.greet", content_type="application/x-www-form-urlencoded"), 415)


def test_a_body_that_is_too_large_is_refused(admin: Program) -> None:
    problem(admin.post("/jobs", data=b" " * (17 * 1024 * 1024), content_type="application/json"), 413)


def test_is_audited_as_the_token(admin: Program) -> None:
    admin.post("/jobs", json={"type": "tests.greet"})
    with db.reading() as session:
        entry = session.query(AuditEntry).filter_by(action="jobs.dispatch").one()
    assert entry.actor == "token:of-admin"


class TestIdempotencyKey:
    """A request that comes again is answered again, and done once."""

    def test_the_same_request_gets_the_first_answer(self, admin: Program, broker: redis.Redis) -> None:
        first = admin.post("/jobs", json={"type": "tests.greet", "count": 2}, headers=KEY)
        again = admin.post("/jobs", data=b'{ "count": 2, "type": "tests.greet" }', content_type="application/json", headers=KEY)
        assert (again.status_code, again.json) == (201, first.json)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first.headers
        assert len(stored()) == 2
        assert broker.llen("default") == 2

    def test_another_request_with_the_key_is_refused(self, admin: Program) -> None:
        admin.post("/jobs", json={"type": "tests.greet"}, headers=KEY)
        said = problem(admin.post("/jobs", json={"type": "tests.greet", "count": 2}, headers=KEY), 422)
        assert said["errors"][0]["field"] == "Idempotency-Key"
        assert len(stored()) == 1

    def test_another_token_has_keys_of_its_own(self, admin: Program, program: Callable[..., Program]) -> None:
        other = program("admin", name="other")
        for caller in (admin, other):
            assert caller.post("/jobs", json={"type": "tests.greet"}, headers=KEY).status_code == 201
        assert len(stored()) == 2

    def test_a_refused_request_leaves_the_key_free(self, admin: Program) -> None:
        problem(admin.post("/jobs", json={"type": "tests.greet", "payload": {"times": 0}}, headers=KEY), 422)
        assert admin.post("/jobs", json={"type": "tests.greet"}, headers=KEY).status_code == 201

    def test_is_forgotten_after_a_day(self, admin: Program) -> None:
        admin.post("/jobs", json={"type": "tests.greet"}, headers=KEY)
        with db.writing() as session:
            session.query(IdempotencyKey).one().created_at = clock.now() - timedelta(hours=25)
        admin.post("/jobs", json={"type": "tests.greet", "count": 3}, headers=KEY)
        assert len(stored()) == 4

    @pytest.mark.parametrize("key", ["", "two words", "x" * 256, "é"])
    def test_what_cannot_be_a_key_is_refused(self, admin: Program, key: str) -> None:
        problem(admin.post("/jobs", json={"type": "tests.greet"}, headers={"Idempotency-Key": key}), 422)

    def test_duplicates_at_the_same_time_dispatch_once(self, admin: Program, app: Flask) -> None:
        answers: list[tuple[int, Any]] = []
        start = threading.Barrier(8)

        def call() -> None:
            start.wait()
            response = admin.post("/jobs", json={"type": "tests.greet"}, headers=KEY)
            answers.append((response.status_code, response.json["ids"]))

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        [made] = stored()
        assert answers == [(201, [made.id])] * 8
