"""How fast all failed jobs are retried, and what other jobs notice of it, against Celery's own way to send them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, cast

import click
from sqlalchemy import select

from bench.frame import environment, fill, sites
from bench.frame.timing import Figures, note, percentile, timed
from console import clock, db, ids
from console import redis as valkey
from console.actor import SYSTEM
from console.broker.celery_app import make_app
from console.errors import Unavailable
from console.jobs import bulk, store
from console.jobs.filters import JobFilter
from console.jobs.models import JobStatus
from console.tracking.events import Event, Kind

RETRIED, OTHER = "retried", "other"
TYPE = "demo.noop"
FILL_BATCH = 5_000
SENT_ALONE = 5_000
STORED_WITHIN_S = 20.0
REST_S = 3.0


@dataclass(slots=True)
class Traffic:
    """How long other jobs waited, in ms: those that an application sends, and those that the console dispatches."""

    sent: list[float] = field(default_factory=list)
    dispatched: list[float] = field(default_factory=list)


@click.command()
@click.option("--jobs", "count", type=click.IntRange(1_000), default=100_000, show_default=True, help="Failed jobs.")
@click.option("--rows", type=click.IntRange(0), default=0, show_default=True, help="Other jobs stored before.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Rounds; medians are reported.")
@click.option("--rate", type=click.IntRange(1), default=20, show_default=True, help="Other jobs dispatched a second.")
@click.option(
    "--database", "only", type=click.Choice(["both", "sqlite", "postgresql"]), default="both", show_default=True,
    help="Which databases.",
)  # fmt: skip
def retry(count: int, rows: int, rounds: int, rate: int, only: str) -> Figures:
    """Measure a retry of all failed jobs, to the last message on its queue, and the wait of other jobs meanwhile.

    Other jobs: another process adds them steadily to a queue with a worker of its own; a recorder runs. `other_wait` is
    from `send_task`, as any application sends one, to its start; `other_dispatch` is the same of jobs that the console
    dispatches, which are in its database first. Each round takes them for 10 s before the retry and then during it.
    What is retried waits on a queue that nobody serves: of one queue, Celery runs first what was there first. Plain
    Celery: `send_task` of the same jobs, one after the other, without any database.
    """
    figures: Figures = {"jobs": count, "rows": rows}
    for database, short in (("postgresql", "pg"), ("sqlite", "sqlite")):
        if only in ("both", database):
            note(f" {database}")
            with sites.site(cast(Literal["sqlite", "postgresql"], database)) as here:
                if rows:
                    fill.fill(rows)
                found = _measure(here, count, rounds, rate)
            figures |= {f"{short}_{name}": value for name, value in found.items()}
    measured = [name for name in ("pg", "sqlite") if f"{name}_jobs_per_s" in figures]
    slowest = min(measured, key=lambda name: cast(float, figures[f"{name}_jobs_per_s"]))
    for name in ("jobs_per_s", "published_s", "other_wait_p95_ratio", "other_dispatch_p95_ratio"):
        figures[name] = figures[f"{slowest}_{name}"]
    return figures


def _measure(here: sites.Site, count: int, rounds: int, rate: int) -> Figures:
    seconds, alone, before, during = [], [], Traffic(), Traffic()
    here.start("recorder")
    here.start("work", "--queue", OTHER, "--workers", "1")
    for number in range(rounds):
        _make_failed(count)
        valkey.client().delete(RETRIED)
        alone.append(_send_alone())
        time.sleep(REST_S)
        with _other_traffic(here, rate, before):
            time.sleep(max(10.0, REST_S))
        with _other_traffic(here, rate, during):
            seconds.append(timed(lambda: _retry(count)))
        note(f"  round {number + 1} of {rounds}: {seconds[-1]:.2f} s; send_task {alone[-1]:,.0f} jobs/s")
    took = median(seconds)
    return {
        "published_s": round(took, 2),
        "jobs_per_s": round(count / took),
        "send_task_jobs_per_s": round(median(alone)),
        **_compared("other_wait", before.sent, during.sent),
        **_compared("other_dispatch", before.dispatched, during.dispatched),
        "other_jobs_during": len(during.sent) + len(during.dispatched),
    }


def _compared(name: str, before: list[float], during: list[float]) -> Figures:
    first, then = percentile(before, 95), percentile(during, 95)
    return {
        f"{name}_p95_before_ms": round(first, 1),
        f"{name}_p95_during_ms": round(then, 1),
        f"{name}_p95_ratio": round(then / first, 2),
    }


def _retry(count: int) -> None:
    done = bulk.do_to_all(db.writing, bulk.RETRY, SYSTEM, JobFilter(queue=RETRIED))
    if not done == count == valkey.client().llen(RETRIED):
        raise Unavailable(f"{done:,} of {count:,} jobs were retried; {valkey.client().llen(RETRIED):,} are published.")


def _make_failed(count: int) -> None:
    """Failed jobs, as the recorder stores them."""
    note(f"  {count:,} jobs fail")
    data = {
        "type": TYPE,
        "queue": RETRIED,
        "payload": '{"args":[],"kwargs":{}}',
        "worker": "celery@elsewhere",
        "reason": "exception",
        "error_type": "ValueError",
        "error_message": "no such customer",
        "runtime_ms": 3,
        "traceback": fill.TRACEBACK,
    }
    for start in range(0, count, FILL_BATCH):
        size = min(FILL_BATCH, count - start)
        events = [Event(Kind.FAILED, ids.new_id(), clock.now_ms(), data=data) for _ in range(size)]
        with db.engine().connect().execution_options(write=True) as connection, connection.begin():
            store.store_events(connection, events)


def _send_alone() -> float:
    """Jobs a second that a Celery application sends one by one."""
    app = make_app("bench")
    queue = f"{RETRIED}-alone"

    def send() -> None:
        for _ in range(SENT_ALONE):
            app.send_task(TYPE, kwargs={}, queue=queue)

    app.send_task(TYPE, kwargs={}, queue=queue)  # connects
    took = timed(send)
    valkey.client().delete(queue)
    return SENT_ALONE / took


@contextmanager
def _other_traffic(here: sites.Site, rate: int, into: Traffic) -> Iterator[None]:
    """Dispatches other jobs from a process of its own during the block; then adds what they went through."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "bench.frame.trickle", OTHER, str(rate)],
        env=environment.clean(**here.variables, PYTHONPATH=str(fill.__file__).rpartition("/bench/")[0]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdin
    process.stdout.readline()  # it has begun
    try:
        yield
    finally:
        process.stdin.close()
        called = json.loads(process.stdout.read())
        process.wait()
    started = _started([job_id for job_id, _, _ in called])
    for job_id, began_ms, way in called:
        waits = into.sent if way == "sent" else into.dispatched
        waits.append(started[job_id] - began_ms)


def _started(job_ids: list[str]) -> dict[str, int]:
    """When each of these jobs began, as its worker noted it, once all have."""
    limit = clock.monotonic() + STORED_WITHIN_S
    while True:
        with db.reading() as session:
            found = session.execute(
                select(JobStatus.id, JobStatus.started_at).where(
                    JobStatus.id.in_(job_ids), JobStatus.started_at.is_not(None)
                )
            )
            started = {job_id: clock.to_ms(at) for job_id, at in found if at}
        if len(started) == len(job_ids):
            return started
        if clock.monotonic() > limit:
            raise Unavailable(f"Only {len(started)} of {len(job_ids)} other jobs have begun.")
        time.sleep(0.2)
