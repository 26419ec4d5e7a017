"""Actions in the background over the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.access.rules import Role
from console.jobs.rules import State
from tests.api.conftest import Program, problem
from tests.factories.actions import work

Job = Callable[..., str]
KEY = {"Idempotency-Key": "action-1"}


def state_of(program: Program, job_id: str) -> str:
    return str(program.get(f"/jobs/{job_id}").json["state"])


def test_one_is_begun_worked_on_and_listed(support: Program, job: Job) -> None:
    wanted, other = job(queue="emails"), job()
    body = {"kind": "retry", "queue": "emails", "name": "outage", "rate": 50}
    response = support.post("/actions", json=body)
    assert response.status_code == 201
    made = response.json
    assert (made["state"], made["estimate"], made["rate"], made["actor"]) == ("waiting", 1, 50.0, "token:of-support")
    assert made["can"] == ["pause", "rate", "stop"]
    assert made["filter"]["queue"] == "emails" and "queue emails" in made["jobs"]
    work()
    shown = support.get(f"/actions/{made['id']}").json
    assert (shown["state"], shown["done"], shown["made"], shown["can"]) == ("done", 1, {"PENDING": 1}, [])
    assert [state_of(support, one) for one in (wanted, other)] == ["FAILED", "RETRYABLE"]
    listed = support.get("/actions?limit=1").json
    assert [one["name"] for one in listed["data"]] == ["outage"]
    assert listed["next"] is None


def test_the_list_is_paged(support: Program) -> None:
    made = [support.post("/actions", json={"kind": "retry"}).json["id"] for _ in range(5)]
    first = support.get("/actions?limit=3").json
    second = support.get(f"/actions?limit=3&cursor={first['next']}").json
    assert [one["id"] for one in (*first["data"], *second["data"])] == made[::-1]
    assert second["next"] is None


def test_the_same_key_begins_one(support: Program, job: Job) -> None:
    job()
    first = support.post("/actions", json={"kind": "retry"}, headers=KEY)
    work()
    again = support.post("/actions", json={"kind": "retry"}, headers=KEY)
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(support.get("/actions").json["data"]) == 1
    problem(support.post("/actions", json={"kind": "retry", "rate": 1}, headers=KEY), 422)


def test_an_estimate_does_nothing(support: Program, job: Job) -> None:
    job()
    said = support.post("/actions/estimates", json={"kind": "retry", "rate": 0.5}).json
    assert (said["count"], said["exact"]) == (1, True)
    assert support.get("/actions").json["data"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"), ({"kind": "destroy"}, "kind"), ({"kind": "retry", "rate": 0}, "rate"),
        ({"kind": "retry", "rate": "5"}, "rate"), ({"kind": "retry", "trial": -1}, "trial"),
        ({"kind": "cancel"}, "confirm"), ({"kind": "cancel", "confirm": True, "trial": 3}, "trial"),
        ({"kind": "retry", "state": ["COMPLETED"]}, "state"), ({"kind": "retry", "pace": 3}, "pace"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(support: Program, job: Job, body: dict[str, object], field: str) -> None:
    assert problem(support.post("/actions", json=body), 422)["errors"][0]["field"] == field


def test_pause_rate_resume_and_stop(support: Program, job: Job) -> None:
    job()
    made = support.post("/actions", json={"kind": "retry", "rate": 0.01}).json["id"]
    for verb, state in (("pause", "paused"), ("resumption", "waiting"), ("stop", "stopped")):
        assert support.post(f"/actions/{made}/{verb}").json["state"] == state
    for verb in ("pause", "resumption", "stop", "undo"):
        problem(support.post(f"/actions/{made}/{verb}"), 409)
    problem(support("PUT", f"/actions/{made}/rate", json={"rate": 5}), 409)
    problem(support.post("/actions/nothing/stop"), 404)
    other = support.post("/actions", json={"kind": "retry"}).json["id"]
    assert support("PUT", f"/actions/{other}/rate", json={"rate": 5}).json["rate"] == 5
    assert support("PUT", f"/actions/{other}/rate", json={"rate": None}).json["rate"] is None
    problem(support("PUT", f"/actions/{other}/rate", json={"rate": 1e9}), 422)


def test_a_flush_is_undone(admin: Program, job: Job) -> None:
    gone = [job(), job(State.FAILED, payload=None)]
    made = admin.post("/actions", json={"kind": "flush", "confirm": True}).json["id"]
    work()
    problem(admin.get(f"/jobs/{gone[0]}"), 404)
    assert "undo" in admin.get(f"/actions/{made}").json["can"]
    assert admin.post(f"/actions/{made}/undo").json["state"] == "undoing"
    work()
    assert admin.get(f"/actions/{made}").json["restored"] == 2
    assert [state_of(admin, one) for one in gone] == ["RETRYABLE", "FAILED"]


def test_each_kind_needs_its_permission(program: Callable[..., Program], admin: Program, job: Job) -> None:
    job()
    support = program(Role.SUPPORT)
    flush = {"kind": "flush", "confirm": True}
    assert problem(support.post("/actions", json=flush), 403)["permission"] == "jobs.flush"
    assert problem(support.post("/actions/estimates", json={"kind": "flush"}), 403)["permission"] == "jobs.flush"
    made = admin.post("/actions", json=flush).json["id"]
    for verb in ("pause", "stop", "undo", "resumption"):
        problem(support.post(f"/actions/{made}/{verb}"), 403)
    problem(support("PUT", f"/actions/{made}/rate", json={"rate": 5}), 403)
    reader = program(Role.ADMIN, name="reader", scopes=["jobs.read"])
    assert reader.get(f"/actions/{made}").json["state"] == "waiting"
    assert problem(reader.post("/actions", json={"kind": "retry"}), 403)["permission"] == "jobs.retry"
