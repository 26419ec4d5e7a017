"""Real processes, killed while they work: every job ends, and is counted once."""

from __future__ import annotations

import psutil

from console import db
from console.audit.service import SYSTEM
from console.broker.port import Message
from console.broker.valkey import broker
from console.jobs import service
from console.jobs.rules import ENDED, State
from tests.crash.conftest import Start, counts, dispatch, is_known, job, wait_for


def test_a_life_with_retries_delay_and_failure(start: Start) -> None:
    for command in ("work", "beat", "recorder"):
        start(command)
    flaky = dispatch("demo.flaky", {"fail_times": 2})[0]
    later = dispatch("demo.noop", {}, delay_s=2)[0]
    failed = dispatch("demo.fail", {"message": "no such customer"})[0]
    assert job(later).line.state == State.SCHEDULED
    wait_for(lambda: all(job(one).line.state in ENDED for one in (flaky, later, failed)))
    assert (job(flaky).line.state, job(flaky).line.attempts) == (State.COMPLETED, 3)
    assert [attempt.error_type for attempt in job(flaky).failed_attempts] == ["ConnectionError"] * 2
    assert job(later).line.state == State.COMPLETED
    assert (job(failed).line.state, job(failed).line.error_message) == (State.RETRYABLE, "no such customer")
    with db.writing() as session:
        again = service.retry_job(session, SYSTEM, failed)
    wait_for(lambda: job(again).line.state in ENDED)
    assert (job(failed).line.state, job(failed).line.retried_as) == (State.FAILED, again)


def test_killed_children_workers_and_recorders_lose_and_double_nothing(start: Start) -> None:
    worker, recorder = start("work"), start("recorder")
    start("beat")
    dispatch("demo.noop", {}, count=1_000)
    dispatch("demo.sleep", {"seconds": 0.01}, count=400)
    wait_for(lambda: counts().get(State.COMPLETED, 0) > 50)
    for child in psutil.Process(worker.pid).children():
        child.kill()
    wait_for(lambda: counts().get(State.COMPLETED, 0) > 200)
    recorder.kill()
    recorder.wait()
    start("recorder")
    wait_for(lambda: counts().get(State.COMPLETED, 0) > 400)
    worker.kill()
    worker.wait()
    start("work", "--name", "second@%h")
    wait_for(lambda: counts() == {State.COMPLETED: 1_400}, 90)


def test_a_job_that_kills_its_process_again_and_again_is_stopped(start: Start) -> None:
    for command in ("work", "beat", "recorder"):
        start(command)
    killer = dispatch("demo.kill", {})[0]
    wait_for(lambda: job(killer).line.state in ENDED)
    assert (job(killer).line.state, job(killer).line.reason) == (State.RETRYABLE, "worker_lost")


def test_limits_end_a_job_with_a_reason(start: Start) -> None:
    for command in ("work", "beat", "recorder"):
        start(command)
    greedy = dispatch("demo.allocate", {"megabytes": 600})[0]
    unknown = dispatch_unknown()
    wait_for(lambda: job(greedy).line.state in ENDED and is_known(unknown))
    assert job(greedy).line.reason == "memory"
    assert (job(unknown).line.state, job(unknown).line.reason) == (State.RETRYABLE, "unknown_type")


def test_a_cancelled_job_does_not_start(start: Start) -> None:
    start("recorder")
    waiting = dispatch("demo.noop", {})[0]
    with db.writing() as session:
        assert service.cancel_job(session, SYSTEM, waiting) == State.PENDING
    start("work")
    other = dispatch("demo.noop", {})[0]
    wait_for(lambda: job(other).line.state in ENDED)
    assert job(waiting).line.state == State.CANCELLED
    assert job(waiting).line.attempts == 0


def dispatch_unknown() -> str:
    """A message of a job type that no worker has."""
    broker().publish([Message(id="unknown-1", type="nobody.has_this", queue="default")])
    return "unknown-1"
