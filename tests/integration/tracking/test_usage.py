"""What running attempts use: of the right process, from the second look on, and gone soon after."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery.worker import state

from console.tracking import usage
from console.tracking.events import USAGE_KEY
from console.tracking.usage import Sampler

BUSY = "while True: pass"
NOBODY = "redis://127.0.0.1:1/0"


class Held:
    """A request as a worker's main process holds it."""

    def __init__(self, job_id: str, pid: int | None) -> None:
        self.id, self.worker_pid = job_id, pid


@pytest.fixture
def held() -> Iterator[list[Held]]:
    made: list[Held] = []
    yield made
    for one in made:
        state.active_requests.discard(one)


def hold(held: list[Held], job_id: str, pid: int | None) -> None:
    held.append(Held(job_id, pid))
    state.active_requests.add(held[-1])


def look(sampler: Sampler, client: redis.Redis) -> None:
    sampler._look_at = 0.0
    sampler.tick(client)


def told(broker: redis.Redis, job_id: str) -> Any:
    said = broker.get(USAGE_KEY.format(job_id))
    return None if said is None else json.loads(said)


def test_a_busy_process_is_told_of_from_the_second_look_on(broker: redis.Redis, held: list[Held]) -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY]) as child:
        hold(held, "busy", child.pid)
        hold(held, "waiting", None)
        hold(held, "gone", 2**22 - 1)
        sampler = Sampler()
        look(sampler, broker)
        assert broker.keys("celeriac:usage:*") == []
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(1)
        look(sampler, broker)
        child.kill()
    assert broker.keys("celeriac:usage:*") == [b"celeriac:usage:busy"]
    found = told(broker, "busy")
    assert found["pid"] == child.pid
    assert found["cpu"] > 2
    assert 1 << 20 < found["memory"] <= found["peak"]
    assert not found["shared"]
    assert 0 < broker.pttl(USAGE_KEY.format("busy")) <= usage.KEEP_MS


def test_jobs_in_threads_share_the_figures_of_their_process(broker: redis.Redis, held: list[Held]) -> None:
    hold(held, "one", os.getpid())
    sampler = Sampler()
    look(sampler, broker)
    look(sampler, broker)
    assert told(broker, "one")["shared"]


def test_a_server_that_is_away_is_left_alone_for_a_while(held: list[Held]) -> None:
    hold(held, "one", os.getpid())
    sampler = Sampler()
    with redis.Redis.from_url(NOBODY, socket_connect_timeout=0.2) as nobody:
        look(sampler, nobody)
        look(sampler, nobody)
        assert sampler._look_at > usage.clock.monotonic() + usage.REST_S / 2
