"""A whole application of somebody else's, one line added: what is recorded equals what its jobs counted themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import select

from console import db
from console.audit.service import SYSTEM
from console.config import settings
from console.errors import Conflict
from console.jobs import service
from console.jobs.models import JobStatus
from console.jobs.rules import ENDED, State
from console.workers.models import Worker
from tests.crash.conftest import Start, is_known, job, wait_for

SHOP = Path(__file__).with_name("foreign_shop.py")
TIMES = 5


class Shop:
    """The application: its workers and whoever dispatches, each a process of its own."""

    def __init__(self, directory: Path, broker: str | None = None, **transport: Any) -> None:
        self.directory = directory
        self.workers: list[subprocess.Popen[bytes]] = []
        (directory / "foreign_shop.py").write_text(SHOP.read_text())
        ours = {name: value for name, value in os.environ.items() if name != "BROKER_URL"}  # Celery reads it, too
        self.environment = ours | {
            "PYTHONPATH": f"{directory}{os.pathsep}{Path(__file__).parents[2]}",
            "SHOP_BROKER": broker or settings().broker,
            "SHOP_EVENTS": settings().broker,
            "SHOP_SPOOL": str(directory / "spool"),
            "SHOP_TRANSPORT": json.dumps(transport),
            "C_FORCE_ROOT": "1",  # Celery refuses to read pickle as root, which tests in a container may be
        }

    def work(self, pool: str) -> None:
        """Starts a worker and returns when it is there; whom a revocation should reach has to listen."""
        with (self.directory / f"shop-{len(self.workers)}.log").open("wb") as log:
            arguments = ["-A", "foreign_shop", "worker", "-P", pool, "-c", "2", "-l", "INFO", "-n", f"{pool}@shop"]
            self.workers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "celery", *arguments],
                    env=self.environment,
                    cwd=self.directory,
                    stdout=log,
                    stderr=log,
                )
            )
        wait_for(lambda: f"{pool}@shop" in workers())

    def send(self, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "foreign_shop", *arguments],
            env=self.environment,
            cwd=self.directory,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return json.loads(done.stdout)

    def end(self) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(20)


@pytest.fixture
def shop(broker: redis.Redis, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.end()


def workers() -> set[str]:
    with db.reading() as session:
        return set(session.scalars(select(Worker.name)))


def rows() -> list[JobStatus]:
    with db.reading() as session:
        return list(session.scalars(select(JobStatus)))


def all_ended(sent: int) -> bool:
    found = rows()
    return len(found) >= sent and all(row.state in ENDED for row in found)


def started(found: list[JobStatus]) -> Counter[str]:
    """How often jobs of each type were begun, by their timelines."""
    return Counter(row.type for row in found for moment in job(row.id).timeline if moment.kind == "started")


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_what_is_recorded_equals_what_the_jobs_counted(
    pool: str, start: Start, shop: Shop, broker: redis.Redis
) -> None:
    start("recorder")
    shop.work(pool)
    sent = shop.send(str(TIMES))
    jobs = {kind: [one for one in ids if is_a_job(kind, ids, one)] for kind, ids in sent.items()}
    expected = sum(map(len, jobs.values())) + TIMES  # and those that `sends` sends
    wait_for(lambda: all_ended(expected), 60)
    found = rows()
    assert len(found) == expected
    begun = Counter({name.decode(): int(n) for name, n in broker.hgetall("begun").items()})
    replaced = Counter({"shop.replaced": TIMES})  # such a job keeps its id and name, though another type does its work
    assert started(found) == begun - Counter({"shop.add": TIMES}) + replaced
    completed = Counter(row.type for row in found if row.state == State.COMPLETED)
    done = Counter({name.decode(): int(n) for name, n in broker.hgetall("done").items()})
    assert completed["shop.replaced"] == TIMES
    assert completed.total() == done.total()
    check_kinds(jobs, int(broker.get("own request") or 0))


def is_a_job(kind: str, ids: list[str], one: str) -> bool:
    """Of a group, the group's own id is none."""
    return kind != "group" or ids.index(one) % 5 != 0


def check_kinds(jobs: dict[str, list[str]], own_requests: int) -> None:
    ends = {
        kind: {(line.state, line.reason, line.attempts) for line in (job(one).line for one in ids)}
        for kind, ids in jobs.items()
    }
    well = {(State.COMPLETED, None, 1)}
    assert {kind: end for kind, end in ends.items() if end != well} == {
        "breaks": {(State.RETRYABLE, "exception", 1)},
        "flaky": {(State.COMPLETED, None, 3)},
        "hopeless": {(State.RETRYABLE, "exception", 3)},
        "rejects": {(State.RETRYABLE, "rejected", 1)},
        "ignores": {(State.CANCELLED, "ignored", 1)},
        "expired": {(State.CANCELLED, "expired", 0)},
        "revoked": {(State.CANCELLED, "cancelled", 0)},
    }
    assert own_requests == TIMES
    later = job(jobs["later"][0])
    assert [moment.kind for moment in later.timeline] == ["scheduled", "scheduled", "started", "succeeded"]
    assert all("not before 20" in moment.note for moment in later.timeline[:2])
    assert later.line.started_at is not None
    assert (later.line.started_at - later.line.enqueued_at).total_seconds() > 1.5
    flaky = job(jobs["flaky"][0])
    assert [moment.kind for moment in flaky.timeline] == [
        "published",
        "started",
        "retry",
        "started",
        "retry",
        "started",
        "succeeded",
    ]
    assert flaky.line.max_attempts == 6
    assert "started" in [moment.kind for moment in job(jobs["requeues"][0]).timeline]
    check_lineage(jobs)


def check_lineage(jobs: dict[str, list[str]]) -> None:
    first, second, third = (row_of(one) for one in jobs["chain"][:3])
    assert (first.parent_id, second.parent_id, third.parent_id) == (None, first.id, second.id)
    assert (first.root_id, second.root_id, third.root_id) == (None, first.id, first.id)
    assert len({row_of(one).group_id for one in jobs["group"][:4]} - {None}) == 1
    body, *header = (row_of(one) for one in jobs["chord"][:4])
    assert {row.chord_id for row in header} == {body.id}
    assert body.chord_id is None
    child = next(row for row in rows() if row.parent_id == jobs["sends"][0])
    assert (child.type, child.root_id) == ("shop.add", jobs["sends"][0])
    assert {row_of(one).priority for one in jobs["first"]} == {3}


def row_of(job_id: str) -> JobStatus:
    return next(row for row in rows() if row.id == job_id)


@pytest.mark.slow
def test_a_job_of_any_kind_is_sent_again_as_it_came(start: Start, shop: Shop, broker: redis.Redis) -> None:
    start("recorder")
    shop.work("prefork")
    sent = shop.send("picky")
    wait_for(lambda: all(is_known(one) and job(one).line.state == State.RETRYABLE for one in sent.values()))
    broker.set("better", 1)
    with db.writing() as session:
        again = {case: service.retry_job(session, SYSTEM, one) for case, one in sent.items()}
    wait_for(lambda: all(job(one).line.state == State.COMPLETED for one in again.values()))
    for case in sent:
        came, came_again = broker.lrange(f"came:{case}", 0, -1)
        ours_gone = came_again.decode().replace("{'celeriac_run': 0}", "None").replace(", 'celeriac_run': 0", "")
        assert ours_gone == came.decode(), case
        assert job(again[case]).line.retry_of == sent[case]
    wait_for(lambda: broker.llen("noted") == 2)
    assert {one.decode() for one in broker.lrange("noted", 0, -1)} == {"('good', 'linked')", "('good', 'chained')"}
    payload = job(sent["pickle"]).payload
    assert payload == {"args": ["pickle", "{1, 2}", "2026-11-24 08:30:00+00:00"], "kwargs": {}}


@pytest.mark.slow
def test_with_a_broker_of_its_own_everything_is_recorded_and_nothing_is_sent(
    start: Start, broker: redis.Redis, tmp_path: Path
) -> None:
    """On the file system: kombu's transport that works between processes and is not Valkey."""
    for name in ("in", "done", "control"):
        (tmp_path / name).mkdir()
    folders = {
        "data_folder_in": str(tmp_path / "in"),
        "data_folder_out": str(tmp_path / "in"),
        "control_folder": str(tmp_path / "control"),
    }
    shop = Shop(tmp_path, "filesystem://", **folders)
    start("recorder")
    shop.work("prefork")
    try:
        sent = shop.send("picky")
        wait_for(lambda: all(is_known(one) and job(one).line.state == State.RETRYABLE for one in sent.values()))
        with db.writing() as session, pytest.raises(Conflict, match="a broker of its own"):
            service.retry_job(session, SYSTEM, sent["plain"])
        assert job(sent["pickle"]).payload is not None
    finally:
        shop.end()
