"""Observed applications."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis

from console import clock, db
from console.observe.models import ObservedGap
from console.observe.status import SourceStatus
from tests.api.conftest import Program, problem


def test_sources_and_what_was_missed_of_them(program: Callable[..., Program], broker: redis.Redis) -> None:
    now_ms = clock.now_ms()
    SourceStatus(
        "shop", "redis://shop.example.com/0", now_ms, now_ms, True, 12, now_ms, 0, {"celery": 3}, 1, ["shop/a@b"]
    ).say()
    with db.writing() as session:
        session.add(
            ObservedGap(
                id="1", source="shop", from_at=clock.now() - timedelta(minutes=2), to_at=clock.now(), reason="connection",
                missed=340,
            )
        )
    answer = program("support").get("/sources").get_json()
    [source], [gap] = answer["data"], answer["gaps"]
    assert (source["name"], source["observed"], source["depths"]) == ("shop", True, {"celery": 3})
    assert (source["events"], source["unacked"], source["workers"]) == (12, 1, ["shop/a@b"])
    assert (gap["source"], gap["reason"], gap["missed"]) == ("shop", "connection", 340)
    assert gap["explanation"] == "the connection to its broker was lost; events of about 340 jobs missed"


def test_nothing_is_observed(program: Callable[..., Program], broker: redis.Redis) -> None:
    assert program("support").get("/sources").get_json() == {"data": [], "gaps": [], "next": None}


@pytest.mark.parametrize("act", ["retry", "cancellation"])
def test_a_job_of_an_observed_application_is_let_be(
    support: Program, job: Callable[..., str], act: str
) -> None:
    made = job(source="shop", arguments="(1,) {}")
    said = problem(support.post(f"/jobs/{made}/{act}"), 409)
    assert said["detail"].startswith("This job belongs to the observed application shop")
    shown = support.get(f"/jobs/{made}").get_json()
    assert (shown["source"], shown["arguments"]) == ("shop", "(1,) {}")
    assert support.post("/jobs/retries", json={}).get_json() == {"count": 0}
