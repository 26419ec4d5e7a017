"""What ends an attempt from outside: time limits, a stop, a message that cannot be read."""

from __future__ import annotations

import json

import pytest
import redis

from console import db
from console.audit.service import SYSTEM
from console.jobs import service
from console.jobs.rules import ENDED, State
from tests.crash.conftest import Start, dispatch, is_known, job, wait_for


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt of a `heavy` job may run for 1 s."""
    monkeypatch.setenv("QUEUE_HEAVY_TIMEOUT", "1")


def test_a_job_that_stops_when_told_fails_with_the_reason(short_limits: None, start: Start) -> None:
    for command in ("work", "beat", "recorder"):
        start(command)
    slow = dispatch("demo.stuck", {"seconds": 30, "ignore_first_limit": False})[0]
    wait_for(lambda: job(slow).line.state == State.RETRYING)
    assert job(slow).failed_attempts[0].reason == "soft_timeout"


def test_a_job_that_does_not_stop_is_ended_and_tried_again(short_limits: None, start: Start) -> None:
    for command in ("work", "beat", "recorder"):
        start(command)
    stuck = dispatch("demo.stuck", {"seconds": 30, "ignore_first_limit": True})[0]
    wait_for(lambda: job(stuck).line.state in ENDED)
    assert (job(stuck).line.state, job(stuck).line.attempts, job(stuck).line.reason) == (State.RETRYABLE, 2, "timeout")
    assert {attempt.attempt for attempt in job(stuck).failed_attempts} == {1, 2}


@pytest.mark.parametrize("delivered_again", [False, True])
def test_a_running_job_is_stopped(start: Start, broker: redis.Redis, delivered_again: bool) -> None:
    import psutil

    worker = start("work")
    start("recorder")
    running = dispatch("demo.sleep", {"seconds": 60})[0]
    wait_for(lambda: job(running).line.state == State.PROCESSING)
    if delivered_again:
        for child in psutil.Process(worker.pid).children():
            child.kill()
        wait_for(lambda: len([moment for moment in job(running).timeline if moment.kind == "started"]) == 2)
    with db.writing() as session:
        assert service.cancel_job(session, SYSTEM, running) == State.PROCESSING
    wait_for(lambda: job(running).line.state in ENDED, 20)
    assert (job(running).line.state, job(running).line.reason) == (State.CANCELLED, "stopped")


@pytest.mark.parametrize(
    ("body", "encoding"), [("bm90IGpzb24=", "application/json"), ("gASVAAAA", "application/x-python-serialize")]
)
def test_a_message_that_cannot_be_read_is_kept_as_failed(
    start: Start, broker: redis.Redis, body: str, encoding: str
) -> None:
    message = {
        "body": body, "content-type": encoding, "content-encoding": "utf-8",
        "headers": {"id": "unreadable", "task": "demo.noop", "lang": "py"},
        "properties": {
            "correlation_id": "unreadable", "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
            "delivery_tag": "tag", "delivery_info": {"exchange": "", "routing_key": "default"},
        },
    }
    broker.lpush("default", json.dumps(message))
    start("work")
    start("recorder")
    after = dispatch("demo.noop", {})[0]
    wait_for(lambda: is_known("unreadable") and job(after).line.state == State.COMPLETED)
    assert (job("unreadable").line.state, job("unreadable").line.reason) == (State.FAILED, "undecodable")
    assert body in (job("unreadable").traceback or "")
