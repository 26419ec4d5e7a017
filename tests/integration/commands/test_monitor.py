"""`celeriac monitor`"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from sqlalchemy import Engine

from console import clock, db
from console.jobs.rules import State
from console.tracking.events import STREAM_PREFIX
from console.workers.models import Worker
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]


@pytest.fixture
def worker(database: Engine) -> None:
    now = clock.now()
    with db.writing() as session:
        session.add(
            Worker(
                name="celery@here", boot_id="1", pid=7, concurrency=2, queues='["default"]', started_at=now,
                seen_at=now, stopped_at=None,
            )
        )


def kinds(report: dict) -> list[str]:
    return [problem["kind"] for problem in report["problems"]]


def test_all_is_well(celeriac: Celeriac, job: Job, worker: None) -> None:
    job(State.PENDING)
    job(State.COMPLETED)
    output = celeriac("monitor").stdout
    assert output.startswith("All is well.\n1 worker alive. Jobs: 1 PENDING, 1 COMPLETED.\n")
    [line] = [line for line in output.splitlines() if line.startswith("default")]
    assert line.split()[1:5] == ["0", "1", "0", "0"]


def test_verbose_tells_of_workers_and_failing_types(celeriac: Celeriac, job: Job, worker: None) -> None:
    job()
    output = celeriac("monitor", "--verbose").stdout
    assert "celery@here" in output
    assert "Last hour: 1 enqueued, 0 completed, 1 failed" in output
    assert "FAILING TYPE" in output


def test_jobs_that_nobody_will_run(celeriac: Celeriac, job: Job, worker: None) -> None:
    job(State.PENDING, queue="emails")
    report = celeriac.json("monitor", exit_code=1)
    assert kinds(report) == ["workers"]
    assert "celeriac work --queue=emails" in report["problems"][0]["text"]
    assert report["ok"] is False
    assert celeriac("monitor", exit_code=1).stdout.startswith("! No worker serves the queue emails")


def test_jobs_that_wait_too_long(celeriac: Celeriac, job: Job, worker: None) -> None:
    job(State.PENDING, enqueued_at=clock.now() - timedelta(minutes=61))
    assert kinds(celeriac.json("monitor", exit_code=1)) == ["stuck"]


def test_beat_that_is_not_there(celeriac: Celeriac, job: Job, worker: None) -> None:
    job(State.SCHEDULED, due_at=clock.now() - timedelta(minutes=2))
    assert kinds(celeriac.json("monitor", exit_code=1)) == ["beat"]


def test_a_recorder_that_is_not_there(celeriac: Celeriac, job: Job, worker: None, broker: redis.Redis) -> None:
    minutes_ago = clock.now_ms() - 120_000
    broker.xadd(f"{STREAM_PREFIX}0", {"b": b"x"}, id=f"{minutes_ago}-0")
    assert kinds(celeriac.json("monitor", exit_code=1)) == ["recorder"]


def test_a_broker_that_is_away(celeriac: Celeriac, database: Engine, setting: Callable[[str, str], None]) -> None:
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    report = celeriac.json("monitor", exit_code=1)
    assert kinds(report) == ["broker"]
    assert {queue["depth"] for queue in report["queues"]} == {None}
    assert "?" in celeriac("monitor", exit_code=1).stdout


def test_json_has_what_scripts_rely_on(celeriac: Celeriac, job: Job, worker: None) -> None:
    job(State.PROCESSING)
    report = celeriac.json("monitor")
    assert report["jobs"] == {state: int(state == "PROCESSING") for state in State}
    assert [found["name"] for found in report["workers"]] == ["celery@here"]
    assert {"name", "depth", "pending", "processing", "oldest_wait_ms", "consumers"} <= report["queues"][0].keys()
    assert report["at"].endswith("Z")
