"""What tracking costs a worker: jobs a second with it, without it, with Celery's events and Celery's database."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click
import redis
from celery import Celery

from bench.frame import environment, servers, sites, timing
from bench.frame.observing import observe
from bench.frame.timing import Figures
from console import clock
from console.embedded.orphans import ends_with_parent
from console.errors import Unavailable

ROOT = Path(__file__).parent.parent
QUEUE = "celery"
MESSAGES_A_PUSH = 1_000
BEGIN_LEFT, END_LEFT = 0.85, 0.05
"""Shares of the messages between whose moments the worker is timed: its start and its end are left out."""
POLL_S = 0.002
STALLED_S = 60.0
SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Way:
    """A way to watch a worker. `options` and `variables` are the worker's."""

    name: str
    options: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    observed: bool = False


@click.command()
@click.option("--jobs", type=click.IntRange(100), default=8_000, show_default=True, help="Jobs that do nothing, a run.")
@click.option("--sleeps", type=click.IntRange(100), default=2_500, show_default=True, help="Jobs of 5 ms, a run.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Rounds; medians are reported.")
def tracking(jobs: int, sleeps: int, rounds: int) -> Figures:
    """Measure the jobs a second of one Celery worker (prefork, two processes), watched in several ways.

    Plain: nobody watches. Tracked: `track(app)`, its events go to a Valkey of their own. Events: Celery's `-E`, nobody
    listens. Observed: `-E`, and `celeriac observe` listens. Database: Celery's result backend in SQLite, with STARTED.
    The queue is filled before the worker starts; timed is from 85 % of the messages left to 5 %. Each round runs every
    way once, in changing order; a ratio is the median over rounds of the way's rate to the plain one's of its round.
    """
    with sites.site() as here, servers.valkey() as broker:
        results = here.data / "results.db"
        track = (("FOREIGN_TRACK", here.valkey.url), ("FOREIGN_SPOOL", str(here.data / "foreign-spool")))
        ways = [
            Way("plain"),
            Way("tracked", variables=track),
            Way("events", ("-E",)),
            Way("observed", ("-E",), observed=True),
            Way("database", variables=(("FOREIGN_BACKEND", f"db+sqlite:///{results}"),)),
        ]
        noop = _compared(here, broker.url, ways, rounds, "foreign.noop", [], jobs)
        sleep5 = _compared(here, broker.url, ways, rounds, "foreign.sleep", [0.005], sleeps)
    figures: Figures = {
        "jobs": jobs,
        "noop_ratio": _ratio(noop, "tracked"),
        "sleep5_ratio": _ratio(sleep5, "tracked"),
    }
    for way in ways[2:]:
        figures[f"{way.name}_ratio"] = _ratio(noop, way.name)
        figures[f"{way.name}_sleep5_ratio"] = _ratio(sleep5, way.name)
    return figures | {
        "plain_noop_jobs_s": round(median(noop["plain"])),
        "plain_sleep5_jobs_s": round(median(sleep5["plain"])),
    }


def _ratio(rates: dict[str, list[float]], name: str) -> float:
    return round(median(way / plain for way, plain in zip(rates[name], rates["plain"], strict=True)), 3)


def _compared(
    here: sites.Site, broker: str, ways: list[Way], rounds: int, task: str, args: list[float], count: int
) -> dict[str, list[float]]:
    """Jobs a second by way, a figure a round."""
    timing.note(f" {count:,} × {task}")
    return timing.interleaved(rounds, {way.name: _measure(here, broker, way, task, args, count) for way in ways})


def _measure(
    here: sites.Site, broker: str, way: Way, task: str, args: list[float], count: int
) -> Callable[[], float]:
    def measure() -> float:
        with redis.Redis.from_url(broker) as client:
            client.flushall()
            _fill(client, task, args, count)
            observer = observe(here, broker) if way.observed else None
            time.sleep(SETTLE_S)
            with _worker(broker, here.data / "foreign.log", *way.options, **dict(way.variables)):
                rate = _rate(client, count)
            if observer is not None:
                here.stop(observer)
            return rate

    return measure


def _fill(client: redis.Redis, task: str, args: list[float], count: int) -> None:
    """Puts messages on the queue as Celery's client would, all but the id the same."""
    given = uuid.uuid4().hex
    app = Celery("producer", broker=_url(client))
    app.send_task(task, args, task_id=given)
    app.close()
    message = client.lpop(QUEUE)
    assert isinstance(message, bytes)
    body = message.decode()
    for start in range(0, count, MESSAGES_A_PUSH):
        size = min(MESSAGES_A_PUSH, count - start)
        client.lpush(QUEUE, *(_with_ids(body, given) for _ in range(size)))


def _with_ids(message: str, given: str) -> str:
    made = json.loads(message.replace(given, str(uuid.uuid4())))
    made["properties"]["delivery_tag"] = str(uuid.uuid4())
    return json.dumps(made)


def _url(client: redis.Redis) -> str:
    made = client.connection_pool.connection_kwargs
    return f"redis://{made.get('username') or ''}:{made.get('password') or ''}@{made['host']}:{made['port']}/0"


@contextmanager
def _worker(broker: str, log: Path, *options: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the foreign application for the length of the block."""
    command = [sys.executable, "-P", "-m", "celery", "-A", "bench.frame.foreign", "worker"]
    common = ["--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING"]
    with log.open("ab") as said:
        process = subprocess.Popen(
            [*command, *common, *options],
            env=environment.clean(FOREIGN_BROKER=broker, PYTHONPATH=str(ROOT), **variables),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            process_group=0,
            preexec_fn=ends_with_parent(),
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _rate(client: redis.Redis, count: int) -> float:
    """Jobs a second while the queue goes from `BEGIN_LEFT` to `END_LEFT` of its messages."""
    first: tuple[float, int] | None = None
    limit, last = clock.monotonic() + STALLED_S, count
    while True:
        left, now = int(client.llen(QUEUE)), clock.monotonic()
        if first is None and left <= count * BEGIN_LEFT:
            first = (now, left)
        if first and left <= count * END_LEFT:
            return (first[1] - left) / (now - first[0])
        if left < last:
            limit, last = now + STALLED_S, left
        if now > limit:
            raise Unavailable(f"The worker stands still with {left:,} of {count:,} messages left.")
        time.sleep(POLL_S)
