"""A worker that holds jobs and begins none ends; one that works, or that has a reason to wait, does not."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery.worker import state

from console import clock

LOOKS, EX_SOFTWARE = 4, 70
BUCKETS: dict[str, Any] = defaultdict(lambda: None, {"slow.type": object()})
PARENT = SimpleNamespace(task_buckets=BUCKETS)


class Request:
    def __init__(self, job_id: str, name: str = "demo.noop", eta: object = None, worker_pid: int | None = None) -> None:
        self.id, self.name, self.eta, self.worker_pid = job_id, name, eta, worker_pid


@pytest.fixture(autouse=True)
def clean_state(broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "reserved_requests", set())
    monkeypatch.setattr(state, "active_requests", set())
    monkeypatch.setattr(state, "should_terminate", None)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Looks so often, and gives the exit code that the worker is to end with."""
    from tasks.consumer import Standstill

    def look(times: int, *, pause_s: float = 5.0) -> object:
        step = Standstill(None)
        for number in range(times):
            monkeypatch.setattr(clock, "monotonic", lambda number=number: 1_000 + number * pause_s)
            step.look(PARENT)
        return state.should_terminate

    return look


def test_it_ends_when_its_jobs_are_not_begun(looked: Callable[..., object]) -> None:
    state.reserved_requests.add(Request("a"))
    assert looked(LOOKS - 1) is None
    assert looked(LOOKS) == EX_SOFTWARE


def test_a_running_job_keeps_it(looked: Callable[..., object]) -> None:
    state.reserved_requests.add(Request("a"))
    state.active_requests.add(Request("b", worker_pid=os.getpid()))
    assert looked(20) is None


def test_one_whose_process_is_gone_does_not(looked: Callable[..., object]) -> None:
    state.reserved_requests.add(Request("a"))
    state.active_requests.add(Request("b", worker_pid=2**22 + 1))
    assert looked(LOOKS) == EX_SOFTWARE


@pytest.mark.parametrize("waits", [Request("a", eta="2030-01-01"), Request("a", name="slow.type")])
def test_a_job_that_waits_for_its_time_or_its_rate_is_none(looked: Callable[..., object], waits: Request) -> None:
    state.reserved_requests.add(waits)
    assert looked(20) is None


def test_a_worker_that_was_itself_stopped_begins_anew(looked: Callable[..., object]) -> None:
    state.reserved_requests.add(Request("a"))
    assert looked(20, pause_s=60) is None
