"""An application that changes nothing is observed: its rows equal what its jobs counted themselves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable

import redis
from click.testing import CliRunner
from sqlalchemy import select

from console import db
from console.broker.valkey import queue_key
from console.cli import main
from console.jobs.models import JobAttempt, JobStatus
from console.jobs.rules import State
from console.workers.queries import list_workers
from tests.crash.conftest import counts, is_known, job
from tests.integration.observe.conftest import Foreign, Start, gaps, source, wait_for

Observe = Callable[[], subprocess.Popen[bytes]]


def rows(kind: str) -> list[JobStatus]:
    with db.reading() as session:
        return list(session.scalars(select(JobStatus).where(JobStatus.type == kind)))


def served() -> list[tuple[str, ...]]:
    """The queues that each worker said it serves."""
    with db.reading() as session:
        return [tuple(worker.queues) for worker in list_workers(session)]


def test_every_kind_of_end_is_recorded(start: Start, foreign: Foreign, observe: Observe) -> None:
    start("recorder")
    observe()
    foreign.worker()
    wait_for(lambda: source().workers == ["shop/w@host"], 20)
    wait_for(lambda: bool(foreign.app.control.ping(timeout=0.5)), 20)  # before that it would not hear of the revocation
    wait_for(lambda: served() == [("celery",)], 20)
    sent = foreign.send("shop.noop", 1, count=50)
    failed = foreign.send("shop.fail", "no such customer", count=5)
    flaky = foreign.send("shop.flaky", 2, count=4)
    [later] = foreign.send("shop.noop", 2, countdown=2)
    [revoked] = foreign.send("shop.noop", 3, countdown=2)
    foreign.app.control.revoke(revoked)
    [expired] = foreign.send("shop.noop", 4, countdown=1, expires=0.2)
    first = foreign.app.signature("shop.add", (1, 2)) | foreign.app.signature("shop.add", (3,))
    last = first.apply_async()
    ended = {State.COMPLETED: 50 + 4 + 1 + 2, State.FAILED: 5, State.CANCELLED: 2}
    wait_for(lambda: counts() == ended)
    assert foreign.did() == {"noop": 51, "fail": 5, "flaky": 12, "add": 2}
    assert {job(one).line.attempts for one in flaky} == {3}
    assert {moment.kind for moment in job(flaky[0]).timeline} == {"published", "received", "started", "retry", "succeeded"}
    with db.reading() as session:
        retried = session.scalars(select(JobAttempt.error_type).where(JobAttempt.job_id == flaky[0])).all()
    assert retried == ["ConnectionError", "ConnectionError"]
    seen = job(failed[0]).line
    assert (seen.error_type, seen.error_message, seen.reason) == ("ValueError", "no such customer", "exception")
    assert "raise ValueError(message)" in (job(failed[0]).traceback or "")
    assert (job(revoked).line.reason, job(expired).line.reason) == ("cancelled", "expired")
    assert job(later).line.state == State.COMPLETED
    child = next(row for row in rows("shop.add") if row.id == last.id)
    assert (child.parent_id, child.root_id) == (last.parent.id, last.parent.id)
    assert (child.source, child.queue, child.worker) == ("shop", "celery", "shop/w@host")
    assert job(sent[0]).line.runtime_ms is not None
    assert gaps() == []


def test_a_burst_far_above_the_buffer_of_a_subscriber_is_recorded_whole(
    start: Start, foreign: Foreign, observe: Observe
) -> None:
    """30,000 events in one go, their messages padded to 75 MB: the broker ends a reader that lets 32 MB wait."""
    start("recorder")
    observe()
    now = time.time()
    with redis.Redis.from_url(foreign.url) as client:
        for number in range(10_000):
            base = {"hostname": "w@host", "utcoffset": 0, "pid": 1, "clock": number, "uuid": f"job-{number}"}
            told = [
                base | {"type": "task-received", "timestamp": now, "name": "shop.noop", "retries": 0, "args": "x" * 3_500},
                base | {"type": "task-started", "timestamp": now + 0.001},
                base | {"type": "task-succeeded", "timestamp": now + 0.002, "runtime": 0.001, "result": "y" * 2_000},
            ]
            body = {"body": json.dumps(told), "content-type": "application/json", "properties": {}}
            assert client.publish("/1.celeryev/task.multi", json.dumps(body)) == 1
    wait_for(lambda: counts() == {State.COMPLETED: 10_000}, 90)
    wait_for(lambda: source().events == 30_000, 5)
    assert gaps() == []


def test_two_observers_of_one_source_double_nothing(start: Start, foreign: Foreign, observe: Observe) -> None:
    start("recorder")
    observe()
    observe()
    foreign.worker()
    foreign.send("shop.noop", count=200)
    foreign.send("shop.flaky", 1, count=20)
    foreign.send("shop.fail", "x", count=20)
    ended = {State.COMPLETED: 220, State.FAILED: 20}
    wait_for(lambda: counts() == ended)
    time.sleep(2)  # whatever the slower one of them still has to say
    assert counts() == ended
    assert {row.attempts for row in rows("shop.flaky")} == {2}
    assert {row.run for row in rows("shop.noop")} == {0}
    assert gaps() == []


def test_waiting_messages_are_counted_though_no_worker_lives(foreign: Foreign, observe: Observe) -> None:
    foreign.send("shop.noop", count=7)
    with redis.Redis.from_url(foreign.url) as client:
        for priority, count in ((3, 2), (9, 4)):
            client.lpush(queue_key("celery", priority), *["{}"] * count)
    observe()
    wait_for(lambda: source().depths.get("celery") == 13, 15)
    assert source().workers == []


def test_a_lost_connection_is_a_gap_and_a_job_whose_end_was_missed_does_not_run_for_ever(
    start: Start, foreign: Foreign, observe: Observe
) -> None:
    """The observer is stopped (SIGSTOP) and its connection cut, so that it comes back after the job has ended."""
    start("recorder")
    observer = observe()
    foreign.worker()
    wait_for(lambda: bool(source().workers), 20)
    time.sleep(4.5)  # two heartbeats
    [running] = foreign.send("shop.sleep", 4)
    wait_for(lambda: is_known(running) and job(running).line.state == State.PROCESSING, 20)
    observer.send_signal(signal.SIGSTOP)
    with redis.Redis.from_url(foreign.url) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    foreign.send("shop.noop", count=30)
    wait_for(lambda: foreign.did() == {"sleep": 1, "noop": 30}, 20)
    time.sleep(5)
    observer.send_signal(signal.SIGCONT)
    wait_for(lambda: job(running).line.state == State.CANCELLED, 60)
    assert job(running).line.reason == "end_unseen"
    wait_for(lambda: any(gap.missed for gap in gaps()), 30)
    assert [(gap.reason, gap.missed) for gap in gaps()] == [("connection", 31)]
    foreign.send("shop.noop", count=3)
    wait_for(lambda: counts().get(State.COMPLETED) == 3, 20)


def test_a_worker_that_sends_no_events_is_told(start: Start, foreign: Foreign, observe: Observe) -> None:
    start("recorder")
    observe()
    foreign.worker(events=False)
    wait_for(lambda: bool(source().workers), 20)
    foreign.send("shop.noop", count=5)
    wait_for(lambda: [gap.reason for gap in gaps()] == ["no_events"], 30)
    assert gaps()[0].worker == "shop/w@host"


def test_a_killed_worker_is_dead_and_its_job_does_not_run_for_ever(
    start: Start, foreign: Foreign, observe: Observe
) -> None:
    start("recorder")
    observe()
    worker = foreign.worker()
    wait_for(lambda: bool(source().workers), 20)
    [running] = foreign.send("shop.sleep", 300)
    wait_for(lambda: is_known(running) and job(running).line.state == State.PROCESSING, 20)
    killed = time.monotonic()
    os.killpg(worker.pid, signal.SIGKILL)

    def is_dead() -> bool:
        with db.reading() as session:
            return not any(one.alive for one in list_workers(session))

    wait_for(is_dead, 60)
    assert time.monotonic() - killed < 60
    wait_for(lambda: job(running).line.state == State.FAILED, 60)
    assert job(running).line.reason == "worker_lost"


def test_a_stopped_worker_is_gone_at_once(start: Start, foreign: Foreign, observe: Observe) -> None:
    start("recorder")
    observe()
    worker = foreign.worker()
    wait_for(lambda: bool(source().workers), 20)
    worker.terminate()
    worker.wait(20)

    def has_stopped() -> bool:
        with db.reading() as session:
            return [one.stopped_at is not None for one in list_workers(session)] == [True]

    wait_for(has_stopped, 10)


def test_what_cannot_be_observed_is_refused(sqlite_database: object, broker: redis.Redis) -> None:
    for arguments, said in (
        ([], "Say what to observe"),
        (["--broker", "http://example.com"], "cannot be observed"),
        (["--broker", "a=redis://x", "--broker", "a=redis://y"], "Two brokers are named a"),
        (["--broker", "bad name=redis://x"], "cannot be a name"),
        (["--broker", "a=redis://x", "--queue", "b:celery"], "say whose it is"),
    ):
        done = CliRunner().invoke(main, ["observe", *arguments])
        assert done.exit_code == 2, done.output
        assert said in done.output
