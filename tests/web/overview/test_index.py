"""Overview."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis

from console import clock, db
from console.jobs.rules import State
from console.observe.models import ObservedGap
from console.presence import Presence
from console.tracking.events import STREAM_PREFIX
from console.workers.models import ObservedMinute, Worker
from tests.web.conftest import Browser, page, said


def test_it_opens_on_nothing_at_all(support: Browser) -> None:
    assert support.get("/").status_code == 200


def test_it_says_what_fails_and_where_nobody_works(support: Browser, job: Callable[..., str], broker: redis.Redis) -> None:
    job(type="shop.charge")
    job(State.PENDING, queue="emails")
    shown = said(support.get("/"))
    assert "shop.charge" in shown
    assert "celeriac work --queue=emails" in shown


@pytest.mark.parametrize("name", ["15m", "1h", "6h", "24h", "7d"])
def test_each_range_opens(support: Browser, name: str) -> None:
    assert support.get(f"/?range={name}").status_code == 200


def test_an_unknown_range_is_the_usual_one(support: Browser) -> None:
    assert support.get("/?range=99y").status_code == 200


def test_htmx_gets_the_body_alone(support: Browser) -> None:
    response = support.fragment("/?part=body")
    assert response.status_code == 200
    assert page(response).select_one("html") is None


def test_it_opens_at_once_while_the_broker_is_away(
    support: Browser, setting: Callable[[str, str], None], job: Callable[..., str]
) -> None:
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    began = clock.monotonic()
    response = support.get("/")
    assert clock.monotonic() - began < 1
    assert response.status_code == 200
    assert "The broker does not answer." in said(response)


def test_what_nobody_recorded_is_said(support: Browser, job: Callable[..., str], time_machine: Any) -> None:
    time_machine.move_to(clock.now(), tick=False)
    now = clock.now().replace(second=0, microsecond=0)
    with db.writing() as session:
        session.add_all(ObservedMinute(minute_at=now - timedelta(minutes=minutes)) for minutes in (0, 1, 2, 10))
    job(State.COMPLETED, enqueued_at=now - timedelta(minutes=5))
    shown = page(support.get("/?range=15m"))
    rows = [[cell.get_text(strip=True) for cell in row.select("td")][1:] for row in shown.select("#chart-numbers tbody tr")]
    gap = ["not observed"]
    assert [row == gap for row in rows] == [i not in (0, 1, 2, 5, 10) for i in range(15)]
    assert rows[5][1] == "1"
    drawn = json.loads(str(shown.select_one("#throughput")["data-chart"]))  # type: ignore[index]
    assert drawn["completed"] == [None] * 4 + [0] + [None] * 4 + [1] + [None] * 2 + [0, 0, 0]
    assert "not observed: 10 min" in said(support.get("/?range=15m"))


def test_recording_is_quiet_while_it_keeps_up(support: Browser, broker: redis.Redis) -> None:
    Presence("recorder").say()
    shown = page(support.get("/"))
    assert shown.select_one("#recording").get_text(strip=True) == "Recording is up to date"  # type: ignore[union-attr]
    assert shown.select(".note.error") == []


def test_events_that_workers_dropped_are_loud(support: Browser, broker: redis.Redis) -> None:
    Presence("recorder").say()
    with db.writing() as session:
        for name, dropped in (("a", 1_200), ("b", 34)):
            session.add(
                Worker(
                    name=name, boot_id="b", pid=1, concurrency=1, queues="[]", started_at=clock.now(), seen_at=clock.now(),
                    dropped=dropped, spooled_bytes=0,
                )
            )
    shown = page(support.get("/")).select_one("#recording .caution")
    assert shown is not None
    assert shown.get_text(strip=True) == "1,234 events dropped by workers"


def test_recording_that_is_behind_is_loud(support: Browser, broker: redis.Redis) -> None:
    broker.xadd(f"{STREAM_PREFIX}0", {"b": b""}, id=f"{clock.now_ms() - 300_000}-0")
    shown = said(support.get("/"))
    assert "Events have waited for 5 min to be recorded" in shown
    assert "No recorder is running. · 1 block of events waits" in shown


def test_a_gap_in_what_was_observed_is_told_and_drawn(support: Browser, time_machine: Any) -> None:
    time_machine.move_to(clock.now(), tick=False)
    now = clock.now().replace(second=0)
    with db.writing() as session:
        session.add_all(ObservedMinute(minute_at=now - timedelta(minutes=minutes)) for minutes in range(15))
        for number, worker, missed in ((1, "", 300), (2, "shop/a@b", 40)):
            session.add(
                ObservedGap(
                    id=str(number), source="shop", worker=worker, reason="connection", missed=missed,
                    from_at=now - timedelta(minutes=3), to_at=now - timedelta(minutes=2, seconds=1),
                )
            )
    shown = page(support.get("/?range=15m"))
    note = shown.select_one("#gap-1")
    assert note is not None
    assert "Observation of shop was incomplete" in note.get_text()
    words = "observation of shop incomplete, events of about 340 jobs missed"
    drawn = json.loads(str(shown.select_one("#throughput")["data-chart"]))  # type: ignore[index]
    assert drawn["incomplete"] == [None] * 11 + [words] + [None] * 3
    cells = [row.get_text() for row in shown.select("#chart-numbers tbody tr") if words in row.get_text()]
    assert len(cells) == 1


def test_an_observed_worker_names_its_application(support: Browser) -> None:
    with db.writing() as session:
        session.add(
            Worker(
                name="shop/celery@host", boot_id="b", pid=1, concurrency=1, queues="[]", started_at=clock.now(),
                seen_at=clock.now(), source="shop",
            )
        )
    names = [cell.get_text(" ", strip=True) for cell in page(support.get("/")).select("td:has(.worker-name)")]
    assert names == ["running celery@host shop"]
