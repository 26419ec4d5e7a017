"""A burst of events from workers that are only observed: how much of it is recorded, by us and by Flower."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable
from statistics import median

import click
from sqlalchemy import case, func, select

from bench.frame import jobs, machine, observing, servers, sites
from bench.frame.timing import Figures, note
from console import clock, db
from console.errors import Unavailable
from console.jobs.models import JobStatus
from console.jobs.rules import State

EVENTS_A_JOB = 3
QUIET_S = 10.0
"""When a count has not moved for so long, the rest will not come."""
POLL_S = 0.25


@click.command()
@click.option("--events", type=click.IntRange(3_000), default=300_000, show_default=True, help="Events of a round.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes that send them.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Rounds; medians are reported.")
@click.option(
    "--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True,
    help="Which database.",
)  # fmt: skip
def burst(events: int, workers: int, rounds: int, database: str) -> Figures:
    """Measure how many events of a burst reach the database, and the same burst in Flower.

    Processes send with Celery's own dispatcher, as fast as it goes, what a worker says of a job: received, started,
    succeeded. `celeriac observe` and a recorder listen; then Flower does, told to keep as many jobs as there are.
    Recorded are the events that the jobs' timelines hold; Flower's are those that its own metrics count. A job is
    recorded when its end is.
    """
    count = events // EVENTS_A_JOB // workers * workers
    ours, theirs = [], []
    for number in range(rounds):
        with sites.site("postgresql" if database == "postgresql" else "sqlite") as here:
            ours.append(_ours(here, count, workers))
            theirs.append(_flowers(here, count, workers))
        said = f"{ours[-1]['events']:,.0f} recorded, Flower {theirs[-1]['events']:,.0f}"
        note(f"  round {number + 1} of {rounds}: {said}")

    def of(found: list[dict[str, float]], name: str) -> float:
        return round(median(one[name] for one in found), 1)

    return {
        "sent": count * EVENTS_A_JOB,
        "recorded": min(one["events"] for one in ours),
        "flower_recorded": of(theirs, "events"),
        "jobs": count,
        "jobs_recorded": min(one["jobs"] for one in ours),
        "flower_jobs_recorded": of(theirs, "jobs"),
        "send_s": of(ours, "send_s"),
        "recorded_after_s": of(ours, "after_s"),
        "flower_after_s": of(theirs, "after_s"),
        "observer_memory_mb": of(ours, "memory_mb"),
        "flower_memory_mb": of(theirs, "memory_mb"),
    }


def _ours(here: sites.Site, count: int, workers: int) -> dict[str, float]:
    with servers.valkey() as broker:
        recorder = here.start("recorder")
        observer = observing.observe(here, broker.url)
        found = _heard(broker.url, count, workers, lambda: jobs.counts().get(State.COMPLETED, 0))
        found["memory_mb"] = machine.pss_mb([observer.pid])
        found["events"] = _moments()
        here.stop(observer)
        here.stop(recorder)
    return found


def _moments() -> int:
    """Events in the timelines: a job's time of enqueuing is not one."""
    told = ("received", "started", "succeeded")
    with db.reading() as session:
        counted = [func.sum(case((JobStatus.timeline.contains(f'"{kind}"'), 1), else_=0)) for kind in told]
        return sum(session.execute(select(*counted)).one())


def _flowers(here: sites.Site, count: int, workers: int) -> dict[str, float]:
    with (
        servers.valkey() as broker,
        observing.flower(broker.url, here.data / "flower.log", count) as (url, process),
    ):
        found = _heard(broker.url, count, workers, lambda: _flower_events(url) // EVENTS_A_JOB)
        found["memory_mb"] = machine.pss_mb([process.pid])
        found["events"] = _flower_events(url)
        with urllib.request.urlopen(f"{url}/api/tasks?limit={count}&state=SUCCESS", timeout=300) as answer:
            found["jobs"] = len(json.load(answer))
    return found


def _flower_events(url: str) -> int:
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        said = answer.read().decode()
    return int(sum(float(n) for n in re.findall(r'^flower_events_total\{.*type="task-.*\} (\S+)$', said, re.MULTILINE)))


def _heard(broker: str, count: int, workers: int, look: Callable[[], int]) -> dict[str, float]:
    """Sends the burst and waits until as many jobs are counted, or no more come."""
    began = clock.monotonic()
    speakers = [observing.speaking(broker, number, count // workers) for number in range(workers)]
    if any(speaker.wait() for speaker in speakers):
        raise Unavailable("What should have sent the burst failed.")
    sent = moved = clock.monotonic()
    last = -1
    while (now := look()) < count and clock.monotonic() - moved < QUIET_S:
        if now != last:
            last, moved = now, clock.monotonic()
        time.sleep(POLL_S)
    ended = clock.monotonic() if now >= count else moved
    return {"jobs": now, "send_s": sent - began, "after_s": max(0.0, ended - sent)}
