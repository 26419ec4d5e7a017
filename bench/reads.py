"""How long each page and API list takes on the server with millions of jobs, at rest and while a recorder writes."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal, cast
from urllib.request import Request, urlopen

import click

from bench.frame import fill, machine, sites, web
from bench.frame.schedules import fill_schedules
from bench.frame.timing import Figures, note, percentile, timed
from console import db
from console import redis as valkey
from console.failures import queries as failures
from console.failures.queries import GroupFilter
from console.failures.rules import Sort
from console.jobs import queries
from console.jobs.filters import Cursor, JobFilter
from console.jobs.rules import State
from console.jobs.search.language import parse
from console.tracking.events import STREAM_PREFIX

STREAM = f"{STREAM_PREFIX}0"
BACKLOG = 4_000
"""Entries of the stream that are kept waiting while the recorder writes at its full rate."""
QUERIES: dict[str, JobFilter] = {
    "list_newest": JobFilter(),
    "list_failed": JobFilter(states=(State.FAILED, State.RETRYABLE)),
    "list_queue": JobFilter(queue="emails"),
    "list_type_failed": JobFilter(type="shop.task_3", states=(State.FAILED, State.RETRYABLE)),
    "list_queue_completed": JobFilter(queue="heavy", states=(State.COMPLETED,)),
    "list_action_failed": parse(f"state:failed action:{fill.ACTION}"),
    "search_rare": JobFilter(text="no such customer 4711"),
    "search_none": JobFilter(text="nothing-has-this-text"),
    "search_args": parse("args.user_id:4711"),
    "search_args_failed": parse("state:failed type:shop.task_3 args.user_id:4711"),
    "search_error": parse("error:Timeout*"),
    "search_several": parse("type:shop.task_3 type:shop.task_4 -args.user_id:4711"),
}
PAGES = {
    "overview": "/",
    "jobs": "/jobs",
    "jobs_failed": "/jobs?state=FAILED",
    "jobs_type_failed": "/jobs?type=shop.task_3&state=FAILED",
    "jobs_search": "/jobs?text=no+such+customer+4711",
    "jobs_search_args": "/jobs?q=args.user_id:4711",
    "failures": "/failures",
    "failures_most": "/failures?state=all&sort=count",
    "matrix": "/failures/matrix",
    "schedules": "/schedules",
    "schedules_search": "/schedules?q=invoice",
    "schedules_search_rare": "/schedules?q=04217",
    "schedules_search_none": "/schedules?q=nothing-has-this-text",
    "schedules_search_paused": "/schedules?q=report&state=paused",
    "schedules_flagged": "/schedules?flagged=1",
    "complete_type": "/jobs/completions?q=type:t",
    "complete_error": "/jobs/completions?q=error:",
    "complete_args": "/jobs/completions?q=type:shop.task_3+args.",
}
LISTS = {
    "api_jobs": "/api/v1/jobs?limit=100",
    "api_jobs_failed": "/api/v1/jobs?state=FAILED&limit=100",
    "api_jobs_queue": "/api/v1/jobs?queue=emails&limit=100",
    "api_failures": "/api/v1/failures?limit=100",
    "api_matrix": "/api/v1/failures/matrix",
    "api_schedules": "/api/v1/schedules?limit=100",
    "api_queues": "/api/v1/queues",
    "api_workers": "/api/v1/workers",
}


@click.command()
@click.option(
    "--database", type=click.Choice(["postgresql", "sqlite"]), default="postgresql", show_default=True,
    help="Which database.",
)  # fmt: skip
@click.option("--rows", type=click.IntRange(10_000), default=None, help="Jobs stored.  [default: 10 or 5 million]")
@click.option("--schedules", type=click.IntRange(0), default=100_000, show_default=True, help="Schedules stored.")
@click.option("--times", type=click.IntRange(5), default=60, show_default=True, help="How often each is asked for.")
def reads(database: str, rows: int | None, schedules: int, times: int) -> Figures:
    """Measure lists, searches, whole pages and API lists on a full table.

    `list_…` and `search_…` are one query each, in this process. Pages and API lists come from a `celeriac web` of one
    process over HTTP, one request at a time, complete with session, rendering and compression. `…_writing_…` is the
    same while a recorder stores events as fast as it can on the same machine.
    """
    count = rows or (10_000_000 if database == "postgresql" else 5_000_000)
    figures: Figures = {"database": database, "rows": count, "schedules": schedules}
    with sites.site(cast(Literal["sqlite", "postgresql"], database)) as here:
        fill.fill(count)
        fill_schedules(schedules)
        asked = _asked(here)
        note("  at rest")
        for name, ask in asked.items():
            figures[f"{name}_p95_ms"] = _p95_ms(ask, times)
        note("  while a recorder writes")
        with _writing(here):
            for name, ask in asked.items():
                figures[f"{name}_writing_p95_ms"] = _p95_ms(ask, times)
        figures["web_memory_mb"] = max(machine.pss_mb([one]) for pid in here.processes for one in machine.tree(pid))
    return figures


def _asked(here: sites.Site) -> dict[str, Callable[[], object]]:
    """Everything that is asked for, by name; the pages and API lists of a web process that is started now."""
    password = secrets.token_urlsafe(12)
    here.celeriac("users", "create", web.ADMIN, "--role", "admin", "--password-stdin", stdin=password)
    token = here.celeriac("tokens", "create", "--name", "bench", "--role", "admin").strip()
    here.start("web")
    session = web.signed_in(here.url, password)
    middle = _middle()
    asked: dict[str, Callable[[], object]] = {name: partial(_list, wanted) for name, wanted in QUERIES.items()}
    asked["list_deep"] = partial(_list, JobFilter(), middle)
    asked |= {f"page_{name}": partial(session.get, path) for name, path in PAGES.items()}
    asked["page_job"] = partial(session.get, f"/jobs/{middle.id}")
    asked["page_group"] = partial(session.get, f"/failures/{_largest_group()}")
    asked |= {name: partial(_get, here.url + path, token) for name, path in LISTS.items()}
    return asked


def _p95_ms(ask: Callable[[], object], times: int) -> float:
    ask()
    return round(percentile([timed(ask) * 1000 for _ in range(times)], 95), 2)


def _list(wanted: JobFilter, cursor: Cursor | None = None) -> None:
    with db.reading() as session:
        queries.list_jobs(session, wanted, cursor)


def _middle() -> Cursor:
    """A place in the middle of the table."""
    with db.reading() as session:
        newest = queries.list_jobs(session, JobFilter(), limit=1).jobs[0]
        middle = newest.enqueued_at - fill.SPAN / 2
        return Cursor(middle, queries.list_jobs(session, JobFilter(before=middle), limit=1).jobs[0].id)


def _largest_group() -> str:
    with db.reading() as session:
        return failures.list_groups(session, GroupFilter(), Sort.TOTAL, limit=1).groups[0].fingerprint


def _get(url: str, token: str) -> object:
    with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=30) as answer:
        return json.load(answer)


@contextmanager
def _writing(here: sites.Site) -> Iterator[None]:
    """A recorder that never runs out of events for the length of the block."""
    client = valkey.client()
    kept = list(fill.blocks(fill.events(150_000, fill.uuid7)))
    stopping = threading.Event()

    def feed() -> None:
        while not stopping.wait(0.02):
            if client.xlen(STREAM) < BACKLOG:
                with client.pipeline(transaction=False) as pipe:
                    for block in kept if client.xlen(STREAM) < BACKLOG // 4 else kept[: BACKLOG // 4]:
                        pipe.xadd(STREAM, {"b": block})
                    pipe.execute()

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    recorder = here.start("recorder")
    try:
        yield
    finally:
        stopping.set()
        feeder.join()
        here.stop(recorder)
