"""`celeriac work --once` as a process of its own."""

from __future__ import annotations

import time
from pathlib import Path

import redis

from console import clock
from console.jobs.rules import ENDED, State
from tests.crash.conftest import Start, dispatch, job, wait_for


def test_one_job_runs_and_the_exit_code_says_so(start: Start, tmp_path: Path) -> None:
    start("recorder")
    one = dispatch("demo.sleep", {"seconds": 0.1})[0]
    worker = start("work", "--once", "--verbose")
    assert worker.wait(20) == 0
    wait_for(lambda: job(one).line.state == State.COMPLETED, 10)
    said = (tmp_path / "work-1.log").read_text()
    assert f"job={one} type=demo.sleep attempt=1 begins" in said
    assert f"job={one} type=demo.sleep attempt=1 done in 0." in said


def test_without_a_job_it_ends_with_seven(start: Start) -> None:
    began = clock.monotonic()
    assert start("work", "--once").wait(20) == 7
    assert clock.monotonic() - began > 5


def test_a_job_that_fails_is_one_too(start: Start) -> None:
    start("recorder")
    failing = dispatch("demo.flaky", {"fail_times": 1})[0]
    assert start("work", "--once").wait(20) == 0
    wait_for(lambda: job(failing).line.state == State.RETRYING, 10)


def test_a_second_job_is_left_to_others_at_once(start: Start, broker: redis.Redis) -> None:
    start("recorder")
    first, second = dispatch("demo.sleep", {"seconds": 3}, count=2)
    worker = start("work", "--once")
    wait_for(lambda: State.PROCESSING in (job(first).line.state, job(second).line.state), 20)
    time.sleep(0.5)
    assert broker.llen("default") == 1  # it waits in its queue, though the first one still runs
    assert broker.zcard("celeriac:unacked_index") == 1
    assert worker.wait(20) == 0
    assert broker.llen("default") == 1
    assert broker.zcard("celeriac:unacked_index") == 0  # nobody has to wait for the end of a hold
    start("work", "--name", "second@%h")
    wait_for(lambda: {job(first).line.state, job(second).line.state} <= ENDED, 40)
    assert [moment.kind for moment in job(second).timeline].count("started") == 1
    assert [moment.kind for moment in job(first).timeline].count("started") == 1


def test_a_job_longer_than_the_hold_is_not_given_to_another_worker(start: Start) -> None:
    start("recorder")
    long = dispatch("demo.sleep", {"seconds": 24})[0]
    worker = start("work", "--once")
    wait_for(lambda: job(long).line.state == State.PROCESSING, 20)
    start("work", "--name", "second@%h")
    assert worker.wait(40) == 0
    wait_for(lambda: job(long).line.state == State.COMPLETED, 10)
    assert [moment.kind for moment in job(long).timeline].count("started") == 1
