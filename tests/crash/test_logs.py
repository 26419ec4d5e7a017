"""What a job logs outlives its process, and is shown while it runs."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import psutil
import pytest
import redis

from console import clock, db
from console.jobs.rules import ENDED, State
from console.jobs.usage import usage_of
from console.logs.queries import LogLine, Place, lines_after
from tests.crash.conftest import Start, dispatch, is_known, job, wait_for
from tests.crash.test_tracking_foreign import Shop


def lines(job_id: str, attempt: int = 1, run: int = 0) -> list[LogLine]:
    with db.reading() as session:
        return lines_after(session, job_id, of=Place(attempt, run)).lines


@pytest.mark.slow
def test_a_killed_process_loses_at_most_a_second_of_its_lines(start: Start) -> None:
    worker = start("work", "--workers", "1")
    start("recorder")
    made = dispatch("demo.log", {"lines": 200, "seconds_each": 0.05})[0]
    wait_for(lambda: is_known(made) and len(lines(made)) > 60)
    [child] = [one for one in psutil.Process(worker.pid).children() if one.cpu_times().user >= 0][:1]
    killed_ms = clock.now_ms()
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: len(lines(made, run=1)) > 5)
    found = lines(made)
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    assert [line.message for line in found[:3]] == [f"line {number} of 200" for number in (1, 2, 3)]
    assert killed_ms - clock.to_ms(found[-1].at) < 1_000
    assert lines(made, run=1)[0].message == "line 1 of 200"


@pytest.mark.slow
def test_of_a_talkative_job_the_first_and_the_last_lines_are_kept(start: Start) -> None:
    start("work", "--workers", "1")
    start("recorder")
    made = dispatch("demo.log", {"lines": 5_000})[0]
    wait_for(lambda: is_known(made) and job(made).line.state == State.COMPLETED)
    wait_for(lambda: bool(lines(made)) and lines(made)[-1].number == 5_000)
    numbers = [line.number for line in lines(made)]
    assert numbers[:250] == list(range(1, 251))
    assert numbers[-100:] == list(range(4_901, 5_001))
    assert len(numbers) <= 500
    assert sum(line.left_out for line in lines(made)) == 5_000 - len(numbers)


@pytest.mark.slow
def test_what_a_running_job_uses_is_told_and_vanishes_with_its_worker(start: Start, broker: redis.Redis) -> None:
    worker = start("work", "--workers", "2")
    start("recorder")
    made, short = dispatch("demo.sleep", {"seconds": 60})[0], dispatch("demo.noop", {})[0]
    wait_for(lambda: is_known(made) and usage_of(job(made).line) is not None)
    usage = usage_of(job(made).line)
    assert usage is not None
    assert 10 << 20 < usage.memory <= usage.peak < 500 << 20
    assert usage.cpu < 50
    assert not usage.is_shared
    assert usage.pid in {child.pid for child in psutil.Process(worker.pid).children()}
    assert usage.limit == 256 << 20
    assert [key.decode() for key in broker.keys("celeriac:usage:*")] == [f"celeriac:usage:{made}"]
    wait_for(lambda: job(short).line.state in ENDED)
    for child in psutil.Process(worker.pid).children():
        child.kill()
    worker.kill()
    wait_for(lambda: usage_of(job(made).line) is None, 15)


@pytest.mark.slow
def test_an_open_page_hears_of_the_figures(start: Start, broker: redis.Redis) -> None:
    start("work", "--workers", "1")
    with broker.pubsub() as heard:
        heard.subscribe("celeriac:live")
        made = dispatch("demo.sleep", {"seconds": 8})[0]
        limit = clock.monotonic() + 30
        while clock.monotonic() < limit:
            told = heard.get_message(timeout=1)
            if told and told["type"] == "message" and json.loads(told["data"])["topics"] == [f"job:{made}"]:
                return
    pytest.fail("nothing was told")


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_each_job_of_a_tracked_application_has_its_own_lines(
    pool: str, start: Start, broker: redis.Redis, tmp_path: Path
) -> None:
    shop = Shop(tmp_path)
    start("recorder")
    try:
        shop.work(pool)
        sent = shop.send("talks")
        wait_for(lambda: all(is_known(one) and job(one).line.state == State.COMPLETED for one in sent))
        wait_for(lambda: all(lines(one) for one in sent))
    finally:
        shop.end()
    for number, one in enumerate(sent):
        found = [(line.word, line.logger, line.message) for line in lines(one)]
        assert found == [
            ("INFO", "shop.orders", f"order {number}"),
            ("WARNING", "shop.tasks", f"order {number} is late"),
            ("INFO", "shop.orders", f"order {number} is done"),
        ]
