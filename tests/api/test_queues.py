"""GET /api/v1/queues, /workers, /job-types and /metrics/throughput"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
import redis
from sqlalchemy import Engine

from console import clock, db
from console.jobs.refused import STREAM as REFUSED_STREAM
from console.jobs.rules import State
from console.jobs.tally import Tally
from console.presence import Presence
from console.tracking.events import STREAM_PREFIX
from console.workers.models import ObservedMinute, Worker
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
    totals = {name: sum(bucket[name] or 0 for bucket in body["data"]) for name in ("enqueued", "completed", "failed", "cancelled")}
    assert totals == {"enqueued": 4, "completed": 1, "failed": 1, "cancelled": 1}
    means = [bucket["mean_wait_ms"] for bucket in body["data"] if bucket["completed"] or bucket["failed"]]
    assert set(means) == {1_000.0}


def test_throughput_of_one_queue(support: Program, job: Job) -> None:
    job(State.COMPLETED)
    job(State.COMPLETED, queue="emails")
    body = support.get("/metrics/throughput?queue=emails").json
    assert sum(bucket["completed"] or 0 for bucket in body["data"]) == 1
    assert all(bucket["completed"] in (1, None) for bucket in body["data"])


def test_what_nobody_watched_is_not_given_as_nothing(support: Program, job: Job, time_machine: Any) -> None:
    time_machine.move_to(datetime(2026, 3, 1, 12, 30, 20, tzinfo=UTC), tick=False)
    watch(minutes_ago=50)
    job(State.COMPLETED, enqueued_at=clock.now() - timedelta(minutes=30))  # heard of later: nobody watched that minute
    watch(minutes_ago=1)
    found = [bucket["completed"] for bucket in support.get("/metrics/throughput?range=1h").json["data"]]
    assert [i for i, completed in enumerate(found) if completed is not None] == [9, 29, 58, 59]
    assert [found[i] for i in (9, 29, 58, 59)] == [0, 1, 0, 0]
    assert [i for i, n in enumerate(of_queue(support, "emails")) if n is not None] == [9, 29, 58, 59]
    wide = [bucket["completed"] for bucket in support.get("/metrics/throughput?range=6h").json["data"]]
    assert wide[-13:] == [None, None, 0, None, None, None, 1, None, None, None, None, 0, 0]


def of_queue(program: Program, queue: str) -> list[int | None]:
    buckets = program.get(f"/metrics/throughput?range=1h&queue={queue}").json["data"]
    return [bucket["completed"] for bucket in buckets]


def watch(minutes_ago: int) -> None:
    """A recorder was at work in that minute."""
    minute = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=minutes_ago)
    with db.writing() as session:
        session.add(ObservedMinute(minute_at=minute))


def test_how_the_recording_stands(support: Program, broker: redis.Redis) -> None:
    assert support.get("/metrics/recording").json == {
        "lag_ms": 0, "waiting": 0, "fullest": 0.0, "refused": 0, "alive": [],
    }
    Presence("recorder").say()
    broker.xadd(f"{STREAM_PREFIX}0", {"b": b""}, id=f"{clock.now_ms() - 90_000}-0")
    broker.xadd(REFUSED_STREAM, {"b": b""})
    found = support.get("/metrics/recording").json
    assert 90_000 <= found["lag_ms"] < 100_000
    assert (found["waiting"], found["refused"], len(found["alive"])) == (1, 1, 1)


def test_how_the_recording_stands_is_not_known_without_the_broker(
    support: Program, setting: Callable[[str, str], None]
) -> None:
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    problem(support.get("/metrics/recording"), 503)


@pytest.mark.parametrize(("query", "field"), [("range=2h", "range"), ("rang=1h", "rang"), ("queue=%00", "queue")])
def test_throughput_names_what_does_not_fit(support: Program, query: str, field: str) -> None:
    assert problem(support.get(f"/metrics/throughput?{query}"), 422)["errors"][0]["field"] == field


def test_latencies_are_percentiles_of_what_ended(support: Program, database: Engine) -> None:
    now_ms = clock.now_ms()
    tally = Tally()
    for ms in range(1, 101):
        tally.ended(State.COMPLETED, now_ms, "a.job", "emails", ms * 10, ms * 100)
    tally.ended(State.COMPLETED, now_ms - 7_200_000, "a.job", "emails", 9_000_000, 9_000_000)
    with db.writing() as session:
        tally.write(session)
    [found] = support.get("/metrics/latency").json["data"]
    assert found["queue"] == "emails"
    exact = {"wait_p50_ms": 500, "wait_p95_ms": 950, "runtime_p50_ms": 5_000, "runtime_p95_ms": 9_500}
    for name, ms in exact.items():
        assert found[name] == pytest.approx(ms, rel=0.03)
    [longer] = support.get("/metrics/latency?range=24h").json["data"]
    assert longer["wait_p95_ms"] == pytest.approx(960, rel=0.03)
