"""`/metrics`, read as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from console import __version__, clock, db
from console.broker.valkey import queue_key
from console.jobs import store
from console.jobs.histogram import Histogram, bucket_of
from console.jobs.models import JobRollup
from console.jobs.rules import State
from console.metrics.catalogue import BUCKETS_S, FAMILIES
from console.observe.status import SourceStatus
from console.presence import Presence
from console.tracking.events import STREAM_PREFIX, Event, Kind
from console.workers.models import Worker
from tests.api.conftest import Program, problem

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(admin: Program) -> Samples:
    """Every sample by its name and labels; the text is one that Prometheus' own parser takes."""
    response = ask(admin)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: Samples = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def ask(program: Program) -> Any:
    return program._app.test_client().get("/metrics", headers=program.headers)


def of(samples: Samples, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one name, by the values of their labels in the order of the labels' names."""
    return {tuple(value for _, value in labels): n for (found, labels), n in samples.items() if found == name}


def test_without_a_token_the_answer_says_how_to_come_in(app: Flask) -> None:
    for headers in ({}, {"Authorization": "Bearer cel_nonsense"}):
        response = app.test_client().get("/metrics", headers=headers)
        problem(response, 401)
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="celeriac"'


def test_a_token_needs_the_permission_and_no_other_one(program: Callable[..., Program]) -> None:
    reader = program("admin", scopes=["metrics.read"])
    assert ask(reader).status_code == 200
    problem(reader.get("/jobs"), 403)
    assert problem(ask(program("support")), 403)["permission"] == "metrics.read"


def test_a_person_with_a_session_has_pages_not_metrics(app: Flask) -> None:
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "somebody"
    assert client.get("/metrics").status_code == 401


def test_jobs_are_counted_by_state_and_outcome(admin: Program, job: Callable[..., str]) -> None:
    job(State.COMPLETED)
    job(State.COMPLETED, queue="emails", type="mail.send")
    job(State.RETRYABLE)
    job(State.PENDING, enqueued_at=clock.now() - timedelta(seconds=90))
    job(State.COMPLETED, queue="celeriac")
    found = scrape(admin)
    assert of(found, "celeriac_jobs") == {
        ("default", "COMPLETED"): 1,
        ("emails", "COMPLETED"): 1,
        ("default", "RETRYABLE"): 1,
        ("default", "PENDING"): 1,
    }
    assert of(found, "celeriac_jobs_enqueued_total") == {("default",): 3, ("emails",): 1}
    ended = of(found, "celeriac_jobs_ended_total")
    assert (ended["completed", "default"], ended["failed", "default"], ended["completed", "emails"]) == (1, 1, 1)
    assert of(found, "celeriac_type_jobs_ended_total")["completed", "mail.send"] == 1
    assert 90 <= of(found, "celeriac_queue_oldest_seconds")["default",] < 120
    assert of(found, "celeriac_info") == {(__version__,): 1}
    assert set(of(found, "celeriac_scrape_errors").values()) == {0}


def test_histograms_are_cumulative_and_complete(admin: Program, job: Callable[..., str]) -> None:
    for _ in range(3):
        job(State.COMPLETED)  # 1 s of waiting, 2 s of running
    found = scrape(admin)
    buckets = {labels["le"]: n for labels, n in _buckets(found, "celeriac_job_runtime_seconds")}
    assert len(buckets) == len(BUCKETS_S) + 1
    assert (buckets["1.0"], buckets["2.5"], buckets["+Inf"]) == (0, 3, 3)
    assert of(found, "celeriac_job_runtime_seconds_count") == {("default",): 3}
    assert of(found, "celeriac_job_runtime_seconds_sum") == {("default",): 6}
    assert of(found, "celeriac_job_wait_seconds_sum") == {("default",): 3}


def _buckets(found: Samples, name: str) -> Iterator[tuple[dict[str, str], float]]:
    return ((dict(labels), n) for (sample, labels), n in found.items() if sample == f"{name}_bucket")


@pytest.mark.parametrize("bound_s", BUCKETS_S)
def test_each_bound_is_right_within_the_error_of_what_is_stored(bound_s: float) -> None:
    from console.metrics.exposition import cumulated

    bound_ms = bound_s * 1_000
    for duration_ms in {int(bound_ms * 0.96), int(bound_ms * 0.5), int(bound_ms * 1.04) + 1, int(bound_ms * 2)}:
        told = dict(cumulated(Histogram({bucket_of(duration_ms): 5})))[str(float(bound_s))]
        assert told == (5 if duration_ms < bound_ms else 0), duration_ms


def test_counters_do_not_go_back_when_old_days_are_removed(admin: Program, job: Callable[..., str]) -> None:
    from console.upkeep import retention

    long_ago = clock.now() - timedelta(days=500)
    for _ in range(3):
        job(State.COMPLETED, enqueued_at=long_ago, finished_at=long_ago)
    job(State.COMPLETED)
    before = scrape(admin)
    assert retention.run().removed["COMPLETED", "tests.greet"] == 3
    with db.reading() as session:
        assert not session.query(JobRollup).where(JobRollup.grain == "day", JobRollup.at < long_ago).all()
    after = scrape(admin)
    kept = ("celeriac_jobs_enqueued_total", "celeriac_jobs_ended_total", "celeriac_type_jobs_ended_total")
    for name in (*kept, "celeriac_job_wait_seconds_bucket", "celeriac_job_runtime_seconds_sum"):
        assert of(after, name) == of(before, name)
    assert (
        of(before, "celeriac_jobs")["default", "COMPLETED"],
        of(after, "celeriac_jobs")["default", "COMPLETED"],
    ) == (4, 1)


def test_what_waits_in_the_broker_is_told_by_queue_and_priority(admin: Program, broker: redis.Redis) -> None:
    broker.lpush(queue_key("emails", 0), "a", "b")
    broker.lpush(queue_key("emails", 6), "c")
    depths = of(scrape(admin), "celeriac_queue_depth")
    assert (depths["0", "emails"], depths["6", "emails"], depths["0", "default"]) == (2, 1, 0)
    assert not [queue for _, queue in depths if queue == "celeriac"]


def test_streams_and_processes(admin: Program, broker: redis.Redis) -> None:
    Presence("recorder").say()
    broker.xadd(f"{STREAM_PREFIX}0", {"b": b"x" * 100}, id=f"{clock.now_ms() - 30_000}-0")
    found = scrape(admin)
    stream = (f"{STREAM_PREFIX}0",)
    assert of(found, "celeriac_stream_entries") == {stream: 1}
    assert of(found, "celeriac_stream_bytes")[stream] > 100
    assert 29 <= of(found, "celeriac_stream_lag_seconds")[stream] < 60
    assert of(found, "celeriac_processes") == {("recorder",): 1, ("beat",): 0}
    assert of(found, "celeriac_refused_events") == {(): 0}
    assert of(found, "celeriac_database_bytes")[()] > 10_000


def heartbeat(name: str, at_ms: int, **data: Any) -> Event:
    kept = {"boot_id": "b", "pid": 1, "concurrency": 4, "queues": ["default", "emails"], "started_ms": at_ms}
    return Event(Kind.HEARTBEAT, name, at_ms, 0, 0, kept | data)


def test_workers_with_what_they_could_not_keep(admin: Program) -> None:
    now = clock.now_ms()
    events = [
        heartbeat("a", now, dropped=7, spooled_bytes=2_048),
        heartbeat("b", now - 3_600_000),
        heartbeat("c", now, stopped=True),
    ]
    with db.engine().connect().execution_options(write=True) as connection, connection.begin():
        store.store_events(connection, events)
    found = scrape(admin)
    assert of(found, "celeriac_workers") == {("alive",): 1, ("silent",): 1, ("stopped",): 1}
    assert of(found, "celeriac_worker_processes") == {("default",): 4, ("emails",): 4}
    assert of(found, "celeriac_events_dropped_total") == {("a",): 7, ("b",): 0, ("c",): 0}
    assert of(found, "celeriac_spooled_bytes")["a",] == 2_048
    [worker] = [one for one in admin.get("/workers").json["data"] if one["name"] == "a"]
    assert (worker["dropped"], worker["spooled_bytes"]) == (7, 2_048)


def test_observed_applications(admin: Program) -> None:
    for name, is_connected in (("shop", True), ("erp", False)):
        SourceStatus(name, "redis://x", clock.now_ms(), 0, is_connected, 0, None, 0, {"orders": 12}).say()
    found = scrape(admin)
    assert of(found, "celeriac_observed_source_up") == {("shop",): 1, ("erp",): 0}
    assert of(found, "celeriac_observed_queue_depth")["orders", "shop"] == 12


def test_without_the_broker_the_rest_is_told(
    admin: Program, job: Callable[..., str], setting: Callable[[str, str], None]
) -> None:
    job(State.COMPLETED)
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    found = scrape(admin)
    assert of(found, "celeriac_broker_up") == {(): 0}
    assert of(found, "celeriac_jobs") == {("default", "COMPLETED"): 1}
    assert of(found, "celeriac_queue_depth") == of(found, "celeriac_stream_entries") == {}


def test_a_part_that_cannot_be_read_is_counted_and_the_others_stand(admin: Program, job: Callable[..., str]) -> None:
    job(State.COMPLETED)
    with db.engine().begin() as connection:
        connection.exec_driver_sql("ALTER TABLE job_rollup RENAME TO job_rollup_away")
    found = scrape(admin)
    errors = of(found, "celeriac_scrape_errors")
    assert errors["totals",] == 1
    assert {part for (part,), n in errors.items() if n} == {"totals"}
    assert of(found, "celeriac_jobs") == {("default", "COMPLETED"): 1}
    assert "celeriac_workers" in {name for name, _ in found}


def test_labels_may_be_any_text(admin: Program, job: Callable[..., str]) -> None:
    queue = 'a "quoted" \\ back\nslash ✓'
    job(State.COMPLETED, queue=queue)
    assert of(scrape(admin), "celeriac_jobs") == {(queue, "COMPLETED"): 1}


def test_everything_that_is_told_is_in_the_catalogue(admin: Program, job: Callable[..., str]) -> None:
    job(State.RETRYABLE)
    job(State.PENDING)
    with db.writing() as session:
        session.execute(update(Worker).values(dropped=1))
    known = {family.name: family for family in FAMILIES}
    for name, labels in scrape(admin):
        base = name if name in known else name.rsplit("_", 1)[0]
        assert {label for label, _ in labels} - {"le"} == set(known[base].labels), name
