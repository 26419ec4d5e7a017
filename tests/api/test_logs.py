"""What a job logged, by the API: in pages, of one attempt or all, and to be followed."""

from __future__ import annotations

import json
from collections.abc import Callable

import redis

from console.jobs.rules import State
from console.tracking.events import USAGE_KEY
from tests.api.conftest import Program
from tests.factories.logs import make_log


def logged(job_id: str, first: int, n: int, *, attempt: int = 1, **more: int) -> None:
    make_log(job_id, first, *(f"{attempt}:{number}" for number in range(first, first + n)), attempt=attempt, **more)


def test_all_lines_come_once_in_pages_of_any_size(admin: Program, job: Callable[..., str]) -> None:
    made = job()
    logged(made, 1, 7)
    logged(made, 8, 1)
    logged(made, 20, 5)
    logged(made, 1, 3, attempt=1, run=1)
    logged(made, 1, 4, attempt=2)
    expected = [(1, 0, n) for n in (*range(1, 9), *range(20, 25))] + [(1, 1, n) for n in (1, 2, 3)]
    expected += [(2, 0, n) for n in (1, 2, 3, 4)]
    for limit in (1, 2, 3, 5, 500):
        found, cursor = [], ""
        while cursor is not None:
            answer = admin.get(f"/jobs/{made}/logs?limit={limit}&cursor={cursor}").json
            assert len(answer["data"]) <= limit
            found += [(line["attempt"], line["run"], line["number"]) for line in answer["data"]]
            assert [line["left_out"] for line in answer["data"] if line["number"] == 20] in ([], [11])
            cursor = answer["next"]
        assert found == expected
    one = admin.get(f"/jobs/{made}/logs?attempt=1.1").json
    assert [line["message"] for line in one["data"]] == ["1:1", "1:2", "1:3"]
    assert one["data"][0]["level"] == "INFO"


def test_from_a_level_on_nothing_is_missed_however_rare(admin: Program, job: Callable[..., str]) -> None:
    made = job()
    for first in range(1, 100):
        logged(made, first, 1, level=40 if first % 33 == 0 else 10)
    found, cursor = [], ""
    while cursor is not None:
        answer = admin.get(f"/jobs/{made}/logs?level=ERROR&limit=10&cursor={cursor}").json
        found += [line["number"] for line in answer["data"]]
        cursor = answer["next"]
    assert found == [33, 66, 99]


def test_a_running_job_can_be_followed(admin: Program, job: Callable[..., str]) -> None:
    made = job(State.PROCESSING)
    assert admin.get(f"/jobs/{made}/logs").json == {"data": [], "next": None, "last": None}
    logged(made, 1, 2)
    first = admin.get(f"/jobs/{made}/logs").json
    assert (len(first["data"]), first["next"], first["last"]) == (2, None, "1.0.2")
    assert admin.get(f"/jobs/{made}/logs?cursor={first['last']}").json["data"] == []
    logged(made, 3, 2)
    second = admin.get(f"/jobs/{made}/logs?cursor={first['last']}").json
    assert [line["number"] for line in second["data"]] == [3, 4]


def test_a_job_that_is_not_there_and_nonsense(admin: Program, job: Callable[..., str]) -> None:
    assert admin.get("/jobs/none/logs").status_code == 404
    made = job()
    for query in ("cursor=abc", "cursor=-1.0", "attempt=1", "level=LOUD", "limit=501", "cursor=999999999999.0.1"):
        assert admin.get(f"/jobs/{made}/logs?{query}").status_code == 422, query


def test_a_running_job_says_what_it_uses(admin: Program, job: Callable[..., str], broker: redis.Redis) -> None:
    made = job(State.PROCESSING)
    assert admin.get(f"/jobs/{made}").json["usage"] is None
    told = {"memory": 1_000, "peak": 2_000, "cpu": 12.5, "shared": True, "pid": 42, "at_ms": 1_700_000_000_000}
    broker.set(USAGE_KEY.format(made), json.dumps(told))
    assert admin.get(f"/jobs/{made}").json["usage"] == {
        "memory": 1_000, "peak": 2_000, "cpu": 12.5, "is_shared": True, "pid": 42, "at": "2023-11-14T22:13:20.000Z",
        "limit": 256 << 20,
    }
