"""GET /api/v1/queues, /workers, /job-types and /metrics/throughput"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import jsonschema
import pytest
import redis

from console import clock, db
from console.jobs.rules import State
from console.workers.models import Worker
from tests.api.conftest import Program, problem

Job = Callable[..., str]


def add_worker(name: str, seen_ago: timedelta = timedelta(0), queues: str = '["default"]') -> None:
    now = clock.now()
    with db.writing() as session:
        session.add(
            Worker(
                name=name, boot_id=name, pid=1, concurrency=2, queues=queues, started_at=now - timedelta(hours=1),
                seen_at=now - seen_ago, stopped_at=None,
            )
        )


def test_queues_say_what_waits_and_who_serves_them(support: Program, job: Job, broker: redis.Redis) -> None:
    job(State.PENDING, enqueued_at=clock.now() - timedelta(minutes=5))
    job(State.PROCESSING)
    job(State.SCHEDULED)
    job(State.RETRYING)
    add_worker("celery@a")
    add_worker("celery@gone", timedelta(minutes=10))
    broker.lpush("default", "message")
    by_name = {queue["name"]: queue for queue in support.get("/queues").json["data"]}
    assert {"default", "emails", "heavy", "notifications"} <= by_name.keys()
    queue = by_name["default"]
    assert {name: queue[name] for name in ("depth", "pending", "processing", "scheduled", "consumers")} == {
        "depth": 1, "pending": 1, "processing": 1, "scheduled": 2, "consumers": 1,
    }
    assert 300_000 <= queue["oldest_wait_ms"] < 400_000
    assert by_name["emails"]["oldest_wait_ms"] is None


def test_workers_alive_and_gone(support: Program) -> None:
    add_worker("celery@gone", timedelta(minutes=10))
    add_worker("celery@a", queues='["default", "emails"]')
    found = support.get("/workers").json["data"]
    assert [(worker["name"], worker["alive"]) for worker in found] == [("celery@a", True), ("celery@gone", False)]
    assert found[0]["queues"] == ["default", "emails"]
    assert found[0]["seen_at"].endswith("Z")


def test_job_types_come_with_a_schema_of_their_payload(support: Program) -> None:
    by_name = {kind["name"]: kind for kind in support.get("/job-types").json["data"]}
    kind = by_name["tests.greet"]
    assert (kind["queue"], kind["description"]) == ("default", "Says hello.")
    assert kind["limits"] == {"max_attempts": 3, "timeout_s": 60, "retry_after_s": 90, "memory_mb": 256}
    jsonschema.validate({"name": "Ada"}, kind["payload_schema"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"times": 11}, kind["payload_schema"])


@pytest.mark.parametrize(("range_", "buckets", "grain_s"), [("1h", 60, 60), ("6h", 72, 300), ("24h", 96, 900), ("7d", 84, 7_200)])
def test_throughput_counts_every_job_once(
    support: Program, job: Job, range_: str, buckets: int, grain_s: int
) -> None:
    job(State.COMPLETED)
    job(State.FAILED)
    job(State.CANCELLED, queue="emails")
    job(State.PENDING)
    body = support.get(f"/metrics/throughput?range={range_}").json
    assert (len(body["data"]), body["grain_s"]) == (buckets, grain_s)
    totals = {name: sum(bucket[name] for bucket in body["data"]) for name in ("enqueued", "completed", "failed", "cancelled")}
    assert totals == {"enqueued": 4, "completed": 1, "failed": 1, "cancelled": 1}
    means = [bucket["mean_wait_ms"] for bucket in body["data"] if bucket["completed"] + bucket["failed"]]
    assert set(means) == {1_000.0}


def test_throughput_of_one_queue(support: Program, job: Job) -> None:
    job(State.COMPLETED)
    job(State.COMPLETED, queue="emails")
    body = support.get("/metrics/throughput?queue=emails").json
    assert sum(bucket["completed"] for bucket in body["data"]) == 1


@pytest.mark.parametrize(("query", "field"), [("range=2h", "range"), ("rang=1h", "rang"), ("queue=%00", "queue")])
def test_throughput_names_what_does_not_fit(support: Program, query: str, field: str) -> None:
    assert problem(support.get(f"/metrics/throughput?{query}"), 422)["errors"][0]["field"] == field
