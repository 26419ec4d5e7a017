"""From the end of a job to the screen of somebody who watches, and to the database."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import click
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from bench.frame import jobs, servers, sites, ups, web
from bench.frame.timing import Figures, note, percentile
from bench.frame.ups import Up
from console import clock, db
from console import redis as valkey
from console.errors import Unavailable
from console.jobs.models import JobStatus
from console.web.live import CHANNEL

SEEN_WITHIN_S = 20.0
SLEEPS_S = (0.8, 1.4)
"""How long the job sleeps whose page is watched: long enough for the page to open."""

WATCH = """
() => {
  window.seen = {};
  const look = () => {
    for (const state of document.querySelectorAll("tr[id^='job-'] .state-completed, #job .job-name .state-completed")) {
      const row = state.closest("tr");
      const id = row ? row.id.slice(4) : location.pathname.split("/").pop();
      window.seen[id] ??= Date.now();
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  look();
}
"""
"""Notes when each job's COMPLETED came into the page: the same clock as that of the worker, in milliseconds."""


@click.command()
@click.option("--jobs", "count", type=click.IntRange(1), default=120, show_default=True, help="Jobs seen in the list.")
@click.option("--rate", type=click.FloatRange(0.1), default=4.0, show_default=True, help="How many of them a second.")
@click.option("--pages", type=click.IntRange(1), default=20, show_default=True, help="Jobs seen on their own page.")
@click.option("--burst", type=click.IntRange(1), default=2_000, show_default=True, help="Jobs dispatched at once.")
def live(count: int, rate: float, pages: int, burst: int) -> Figures:
    """Measure how long after a job's end a page that is open shows it as completed.

    A `celeriac up` of its own, and a real browser that an admin has signed in with. Every time is from the job's end,
    as its worker noted it: to the state in the page (`end_to_screen`), on the list of jobs and on the job's own page,
    and to the row in the database (`commit`), as told by the notice that follows the commit. Then many jobs at once,
    by the command line.
    """
    with (
        servers.directory() as data,
        ups.up(data) as running,
        sites.in_force(running.variables),
        web.browser() as browser,
    ):
        page = _opened(browser, running)
        note(f"  {count} jobs, {rate:g} a second, seen in the list")
        listed, committed = _watch_list(page, running, count, rate)
        note(f"  {pages} jobs, each seen on its own page")
        own = [_watch_page(page, running) for _ in range(pages)]
        note(f"  {burst:,} jobs at once")
        return {
            "jobs": len(listed),
            "end_to_screen_p50_ms": percentile(listed, 50),
            "end_to_screen_p95_ms": percentile(listed, 95),
            "end_to_job_page_p50_ms": percentile(own, 50),
            "end_to_job_page_p95_ms": percentile(own, 95),
            "commit_p50_ms": percentile(committed, 50),
            "commit_p95_ms": percentile(committed, 95),
            **_watch_burst(page, running, burst),
        }


def _watch_list(page: Page, running: Up, count: int, rate: float) -> tuple[list[int], list[int]]:
    """For each job, milliseconds from its end to the list, and to the commit."""
    _watch(page, f"{running.url}/jobs")
    ids = []
    with _notices() as noticed:
        for _ in range(count):
            ids += jobs.dispatch("demo.noop")
            time.sleep(random.uniform(0.5, 1.5) / rate)  # in step with no clock of ours
        seen = _seen(page, ids)
    ended = _ended(ids)
    return [seen[one] - ended[one] for one in ids], [noticed[one] - ended[one] for one in ids]


def _watch_page(page: Page, running: Up) -> int:
    """Milliseconds from the end of a job to its page."""
    [job_id] = jobs.dispatch("demo.sleep", {"seconds": random.uniform(*SLEEPS_S)})
    _watch(page, f"{running.url}/jobs/{job_id}")
    return _seen(page, [job_id])[job_id] - _ended([job_id])[job_id]


def _watch_burst(page: Page, running: Up, count: int) -> Figures:
    _watch(page, f"{running.url}/jobs")
    before = sum(jobs.counts().values())
    began = clock.now_ms()
    running.celeriac("dispatch", "demo.noop", "--count", str(count))
    dispatch_ms = clock.now_ms() - began
    jobs.wait_stored(before + count)
    with db.reading() as session:
        found = session.execute(
            select(JobStatus.id)
            .where(JobStatus.finished_at.is_not(None))
            .order_by(JobStatus.finished_at.desc())
            .limit(1)
        )
        job_id = found.scalar_one()
    ended = _ended([job_id])[job_id]
    return {
        "dispatched": count,
        "dispatch_s": round(dispatch_ms / 1000, 2),
        "all_completed_s": round((ended - began) / 1000, 2),
        "last_to_screen_ms": _seen(page, [job_id])[job_id] - ended,
    }


def _opened(browser: Browser, running: Up) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    web.sign_in(page, running.url, running.password)
    return page


def _watch(page: Page, url: str) -> None:
    """Opens a page and begins to watch it; returns when notices arrive there."""
    page.goto(url)
    page.evaluate(WATCH)
    page.wait_for_selector("#live-state[data-state=live]")


def _seen(page: Page, ids: list[str]) -> dict[str, int]:
    """When each of those jobs was COMPLETED in the page, once all are. Raises `Unavailable` when one does not come."""
    limit = clock.monotonic() + SEEN_WITHIN_S
    while not set(ids) <= (seen := cast("dict[str, int]", page.evaluate("window.seen"))).keys():
        if clock.monotonic() > limit:
            raise Unavailable(f"The page does not show {len(set(ids) - seen.keys())} of {len(ids)} jobs as completed.")
        time.sleep(0.1)
    return seen


def _ended(ids: list[str]) -> dict[str, int]:
    """When each of those jobs ended, as its worker noted it."""
    with db.reading() as session:
        found = session.execute(select(JobStatus.id, JobStatus.finished_at).where(JobStatus.id.in_(ids)))
        return {job_id: clock.to_ms(at) for job_id, at in found if at is not None}


@contextmanager
def _notices() -> Iterator[dict[str, int]]:
    """When the latest notice of each job was sent, filled while the block runs; notices follow commits at once."""
    told: dict[str, int] = {}
    stopping = threading.Event()

    def listen() -> None:
        with valkey.client().pubsub() as subscription:  # type: ignore[no-untyped-call]
            subscription.subscribe(CHANNEL)
            while not stopping.is_set():
                message = subscription.get_message(ignore_subscribe_messages=True, timeout=0.2)
                if message is not None:
                    notice = json.loads(message["data"])
                    ids = (topic.removeprefix("job:") for topic in notice["topics"] if topic.startswith("job:"))
                    told.update(dict.fromkeys(ids, notice["v"]))

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    try:
        yield told
    finally:
        stopping.set()
        listening.join()
