"""`q` of the API, /api/v1/searches and /api/v1/jobs/exports"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.jobs.rules import State
from tests.api.conftest import Program, problem

Job = Callable[..., str]
OF_42 = '{"args":[],"kwargs":{"user_id":42}}'


def test_a_search_lists_and_acts_on_the_same_jobs(support: Program, job: Job) -> None:
    wanted = job(payload=OF_42)
    other = job()
    assert [found["id"] for found in support.get("/jobs?q=state:failed+args.user_id:42").json["data"]] == [wanted]
    assert support.post("/jobs/retries", json={"q": "args.user_id:42"}).json == {"count": 1}
    states = {found["id"]: found["state"] for found in support.get("/jobs?q=state:failed").json["data"]}
    assert states == {wanted: "FAILED", other: "RETRYABLE"}


def test_a_search_and_the_parameters_beside_it(support: Program, job: Job) -> None:
    job(queue="emails")
    job(State.COMPLETED, queue="emails")
    assert len(support.get("/jobs?q=queue:emails&state=FAILED&text=name").json["data"]) == 1
    refused = problem(support.get("/jobs?q=queue:emails&queue=default"), 422)
    assert refused["errors"][0]["field"] == "q"


@pytest.mark.parametrize("path", ["/jobs/retries", "/jobs/cancellations", "/jobs/exports"])
def test_what_is_not_understood_does_nothing(support: Program, job: Job, path: str) -> None:
    job()
    job(State.PENDING)
    refused = problem(support.post(path, json={"q": "quue:x"}), 422)
    assert refused["errors"][0]["field"] == "q"
    assert {found["state"] for found in support.get("/jobs").json["data"]} == {"RETRYABLE", "PENDING"}


def test_a_search_is_kept_replaced_listed_and_deleted(support: Program, admin: Program) -> None:
    made = support.post("/searches", json={"name": "mails", "q": "queue:emails  after:2h"})
    assert (made.status_code, made.json["q"], made.json["owner"]) == (201, "queue:emails after:2h", "token:of-support")
    assert admin.get("/searches").json["data"] == []
    again = support.post("/searches", json={"name": "mails", "q": "after:3h", "shared": True})
    assert (again.status_code, again.json["id"]) == (200, made.json["id"])
    assert [found["q"] for found in admin.get("/searches").json["data"]] == ["after:3h"]
    theirs = admin.post("/searches", json={"name": "mails", "q": "x", "shared": True}).json["id"]
    problem(support("DELETE", f"/searches/{theirs}"), 403)
    assert admin("DELETE", f"/searches/{made.json['id']}").json == {"name": "mails"}
    problem(support("DELETE", f"/searches/{made.json['id']}"), 404)
    problem(support.post("/searches", json={"name": " ", "q": "x"}), 422)


def test_an_export_is_a_job(support: Program, job: Job) -> None:
    import tasks  # noqa: F401

    answer = support.post("/jobs/exports", json={"q": "args.user_id:42", "format": "json"})
    assert answer.status_code == 201
    assert answer.json["job"]["type"] == "heavy.export_jobs"
    problem(support.post("/jobs/exports", json={"format": "xlsx"}), 422)
