"""GET /api/v1/jobs and /api/v1/jobs/{id}"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from console import clock
from console.jobs.rules import State
from tests.api.conftest import Program, problem

Job = Callable[..., str]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def ids(program: Program, query: str) -> list[str]:
    response = program.get(f"/jobs{query}")
    assert response.status_code == 200, response.text
    return [job["id"] for job in response.json["data"]]


def test_a_job_has_what_programs_rely_on(support: Program, job: Job) -> None:
    job_id = job()
    body = support.get("/jobs").json
    assert body["next"] is None
    [found] = body["data"]
    assert {name: found[name] for name in ("id", "type", "queue", "state", "attempts", "progress")} == {
        "id": job_id, "type": "tests.greet", "queue": "default", "state": "RETRYABLE", "attempts": 1, "progress": None,
    }
    assert found["error"] == {
        "type": "ValueError", "message": "no such name", "reason": "exception", "explanation": "The job raised an error.",
    }
    for name in ("enqueued_at", "started_at", "finished_at"):
        assert INSTANT.fullmatch(found[name])


def test_a_job_that_ended_well_or_was_cancelled_has_no_error(support: Program, job: Job) -> None:
    job(State.COMPLETED)
    job(State.CANCELLED, reason="expired")
    by_state = {found["state"]: found for found in support.get("/jobs").json["data"]}
    assert by_state["COMPLETED"]["error"] is None
    assert (by_state["CANCELLED"]["error"], by_state["CANCELLED"]["reason"]) == (None, "expired")


def test_pages_follow_each_other_without_gap_or_repeat(support: Program, job: Job) -> None:
    now = clock.now()
    made = [job(enqueued_at=now - timedelta(seconds=i // 2)) for i in range(7)]  # pairs share their instant
    seen, cursor = [], ""
    for size in (2, 2, 2, 1):
        assert cursor is not None
        body = support.get(f"/jobs?limit=2&cursor={cursor}").json
        assert len(body["data"]) == size
        seen += [found["id"] for found in body["data"]]
        cursor = body["next"]
    assert cursor is None
    assert sorted(seen) == sorted(made)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?state=COMPLETED", {"completed"}),
        ("?state=failed", {"failed", "retryable"}),
        ("?state=retryable,COMPLETED", {"retryable", "completed"}),
        ("?state=RETRYABLE&state=COMPLETED", {"retryable", "completed"}),
        ("?queue=emails", {"emails"}),
        ("?type=emails.send", {"emails"}),
        ("?text=grace", {"emails"}),
        ("?queue=emails&state=FAILED", set()),
        ("?before=2020-01-02T00:00:00Z", {"old"}),
        ("?before=2020-01-02T02:00:00+02:00", {"old"}),  # the + of an offset, not escaped
        ("?after=2020-01-01T00:00:00Z&before=2020-01-02T00:00:00%2B00:00", {"old"}),
        ("?internal=true&queue=celeriac", {"internal"}),
        ("", {"completed", "failed", "retryable", "emails", "old"}),
    ],
)
def test_filters(support: Program, job: Job, query: str, expected: set[str]) -> None:
    made = {
        job(State.COMPLETED): "completed",
        job(State.FAILED): "failed",
        job(): "retryable",
        job(State.PENDING, queue="emails", type="emails.send", payload='{"args": [], "kwargs": {"to": "Grace"}}'): "emails",
        job(State.PENDING, enqueued_at=clock.from_ms(1_577_836_800_000)): "old",
        job(State.COMPLETED, queue="celeriac", internal=True): "internal",
    }
    assert {made[job_id] for job_id in ids(support, query)} == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?limit=0", "limit"), ("?limit=501", "limit"), ("?limit=many", "limit"), ("?stat=FAILED", "stat"),
        ("?state=BROKEN", "state"), ("?before=yesterday", "before"), ("?before=2026-01-01T00:00:00", "before"),
        ("?after=0001-01-01T00:00:00%2B14:00", "after"), ("?cursor=xyz", "cursor"), ("?text=%00", "text"),
        ("?cursor=MTc2MDAwMDAwMDAwMDoA", "cursor"), ("?queue=a&queue=b", "queue"), ("?internal=perhaps", "internal"),
    ],
)
def test_what_does_not_fit_is_named(support: Program, query: str, field: str) -> None:
    body = problem(support.get(f"/jobs{query}"), 422)
    assert body["errors"][0]["field"].partition(".")[0] == field
    assert field in body["detail"]


def test_an_unknown_parameter_is_told_the_known_ones(support: Program) -> None:
    assert "cursor" in problem(support.get("/jobs?page=2"), 422)["errors"][0]["message"]


def test_one_job_tells_everything(support: Program, job: Job) -> None:
    job_id = job(tags='["nightly"]', progress=40, progress_note="half", parent_id="p", root_id="r", group_id="g", chord_id="c", unique_key="k")
    body = support.get(f"/jobs/{job_id}").json
    assert body["payload"] == {"args": [], "kwargs": {"name": "Ada", "times": 1}}
    assert body["timeline"][0]["kind"] == "failed"
    assert body["failed_attempts"][0]["error"]["type"] == "ValueError"
    assert body["failed_attempts"][0]["traceback"].startswith("Traceback")
    assert body["traceback"].startswith("Traceback")
    assert (body["tags"], body["progress"], body["progress_note"]) == (["nightly"], 40, "half")
    assert (body["parent_id"], body["root_id"], body["unique_key"]) == ("p", "r", "k")
    assert (body["group_id"], body["chord_id"]) == ("g", "c")
    assert support.get(f"/jobs/{job(State.COMPLETED)}").json["result"] == "hello"


def test_an_id_of_another_application_may_hold_anything_printable(support: Program, job: Job) -> None:
    job(id="a/b c?é")
    assert support.get("/jobs/a/b%20c%3F%C3%A9").json["id"] == "a/b c?é"


@pytest.mark.parametrize("job_id", ["unknown", "%00", "a%0Ab", "x" * 3_000, "%ff"])
def test_no_such_job(support: Program, job_id: str) -> None:
    problem(support.get(f"/jobs/{job_id}"), 404)
