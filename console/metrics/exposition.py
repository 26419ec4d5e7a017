"""`/metrics` as Prometheus reads it: everything is read when it is asked for, from counts, rollups and the broker.

So any number of web processes say the same, and nothing is lost when one restarts. A part that cannot be read is left
out and counted; the others stand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from console import __version__, clock, presence
from console.broker.valkey import broker
from console.errors import CeleriacError, Unavailable
from console.jobs import totals
from console.jobs.histogram import Histogram, duration_of
from console.jobs.registry import INTERNAL_QUEUE, job_types
from console.metrics import queries
from console.metrics.catalogue import BUCKETS_S, FAMILIES, OUTCOMES, Family
from console.observe import status as observed
from console.queues import recording
from console.queues.queries import OUR_QUEUES
from console.schedules import lists as schedules
from console.schedules import trouble
from console.schedules.models import Schedule
from console.upkeep import space
from console.workers.queries import WorkerView, list_workers

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

log = logging.getLogger(__name__)

_MAKES = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily, "histogram": HistogramMetricFamily}
Metric = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily


class Page(Collector):
    """What is told this time. Families of which nothing is told are left out."""

    def __init__(self) -> None:
        self._families = {family.name: _made(family) for family in FAMILIES}

    def add(self, name: str, value: float, *labels: str) -> None:
        """One sample of a gauge or counter."""
        self._families[name].add_metric(labels, value)  # type: ignore[arg-type, call-arg]

    def add_histogram(self, name: str, held: Histogram, sum_ms: int, *labels: str) -> None:
        """A stored histogram, in the buckets of the catalogue."""
        self._families[name].add_metric(labels, cumulated(held), sum_ms / 1_000)  # type: ignore[arg-type]

    def collect(self) -> Iterable[Metric]:
        """For `generate_latest`."""
        return [family for family in self._families.values() if family.samples]


def text(session: Session) -> bytes:
    """The page. Raises nothing that a part of it could cause."""
    page = Page()
    page.add("celeriac_info", 1, __version__)
    is_up = _broker_answers()
    page.add("celeriac_broker_up", is_up)
    for name, (tell, needs_broker) in PARTS.items():
        if needs_broker and not is_up:
            continue
        try:
            tell(page, session)
            page.add("celeriac_scrape_errors", 0, name)
        except (SQLAlchemyError, redis.RedisError, CeleriacError) as error:
            session.rollback()
            log.warning("/metrics lacks %s: %s", name, str(error).splitlines()[0])
            page.add("celeriac_scrape_errors", 1, name)
    return generate_latest(page)


def cumulated(held: Histogram) -> list[tuple[str, float]]:
    """How many durations are at most as long as each bound: what Prometheus wants, from finer buckets."""
    found, seen = [], 0
    buckets = sorted(held.items(), reverse=True)
    for bound_s in BUCKETS_S:
        while buckets and duration_of(buckets[-1][0]) <= bound_s * 1_000:
            seen += buckets.pop()[1]
        found.append((str(float(bound_s)), float(seen)))
    return [*found, ("+Inf", float(held.total()))]


def _made(family: Family) -> Metric:
    made: Metric = _MAKES[family.kind](family.name, family.text, labels=family.labels)
    return made


def _broker_answers() -> bool:
    try:
        broker().ping()
    except Unavailable:
        return False
    return True


def _counts(page: Page, session: Session) -> None:
    for (state, queue), n in queries.counts(session).items():
        page.add("celeriac_jobs", n, state, queue)


def _totals(page: Page, session: Session) -> None:
    for queue, sums in sorted(totals.read(session, "queue", with_histograms=True).items()):
        if queue == INTERNAL_QUEUE:
            continue
        page.add("celeriac_jobs_enqueued_total", sums.enqueued, queue)
        page.add("celeriac_attempts_retried_total", sums.retried, queue)
        for outcome in OUTCOMES:
            page.add("celeriac_jobs_ended_total", getattr(sums, outcome), queue, outcome)
        page.add_histogram("celeriac_job_wait_seconds", sums.waits, sums.wait_ms, queue)
        page.add_histogram("celeriac_job_runtime_seconds", sums.runtimes, sums.runtime_ms, queue)
    for job_type, sums in sorted(totals.read(session, "type").items()):
        for outcome in OUTCOMES:
            page.add("celeriac_type_jobs_ended_total", getattr(sums, outcome), job_type, outcome)


def _waiting(page: Page, session: Session) -> None:
    pending = [queue for (state, queue), n in queries.counts(session).items() if state == "PENDING" and n > 0]
    for queue, at in queries.oldest_pending(session, pending).items():
        page.add("celeriac_queue_oldest_seconds", _since(at), queue)
    due = queries.first_due(session)
    page.add("celeriac_due_late_seconds", 0 if due is None else _since(due))


def _workers(page: Page, session: Session) -> None:
    workers = list_workers(session)
    states = [_state(worker) for worker in workers]
    for state in ("alive", "silent", "stopped"):
        page.add("celeriac_workers", states.count(state), state)
    processes: dict[str, int] = {}
    for worker in workers:
        page.add("celeriac_events_dropped_total", worker.dropped, worker.name)
        page.add("celeriac_spooled_bytes", worker.spooled_bytes, worker.name)
        for queue in worker.queues if worker.alive else ():
            processes[queue] = processes.get(queue, 0) + worker.concurrency
    for queue, n in sorted(processes.items()):
        page.add("celeriac_worker_processes", n, queue)


def _depths(page: Page, session: Session) -> None:
    known = {queue for _, queue in queries.counts(session)}
    served = {queue for worker in list_workers(session) if worker.alive for queue in worker.queues}
    names = sorted({*OUR_QUEUES, *known, *served, *(kind.queue for kind in job_types())} - {INTERNAL_QUEUE, ""})
    for queue, depths in broker().depths_by_priority(names).items():
        for priority, depth in depths.items():
            page.add("celeriac_queue_depth", depth, queue, str(priority))


def _recording(page: Page, session: Session) -> None:
    found = recording.look(session)
    for stream in found.streams:
        page.add("celeriac_stream_entries", stream.entries, stream.name)
        page.add("celeriac_stream_bytes", stream.bytes, stream.name)
        page.add("celeriac_stream_lag_seconds", stream.lag_ms / 1_000, stream.name)
    page.add("celeriac_refused_events", found.refused)
    page.add("celeriac_processes", len(found.alive), "recorder")
    page.add("celeriac_processes", len(presence.alive("beat")), "beat")


def _observed(page: Page, _session: Session) -> None:
    for source in observed.sources():
        page.add("celeriac_observed_source_up", source.observed, source.name)
        for queue, depth in source.depths.items():
            page.add("celeriac_observed_queue_depth", depth, source.name, queue)


def _upkeep(page: Page, session: Session) -> None:
    page.add("celeriac_database_bytes", space.database_bytes(session))
    built_in = select(Schedule.type, Schedule.due_at).where(Schedule.built_in, Schedule.due_at.is_not(None))
    for job_type, due_at in session.execute(built_in.order_by(Schedule.type)):
        page.add("celeriac_upkeep_late_seconds", _since(due_at) if due_at else 0.0, job_type)


def _schedules(page: Page, session: Session) -> None:
    found = schedules.counts(session)
    for state in ("active", "paused", "ended"):
        page.add("celeriac_schedules", found[state], state)
    page.add("celeriac_schedules_late", found["late"])
    hour_ago = clock.now() - timedelta(hours=1)
    page.add("celeriac_schedule_runs_missed", trouble.missed_since(session, hour_ago))
    page.add("celeriac_schedule_runs_overdue", trouble.overdue_since(session, hour_ago))


def _state(worker: WorkerView) -> str:
    if worker.stopped_at is not None:
        return "stopped"
    return "alive" if worker.alive else "silent"


def _since(at: datetime) -> float:
    return max(0.0, (clock.now() - at).total_seconds())


PARTS: dict[str, tuple[Callable[[Page, Session], None], bool]] = {
    "counts": (_counts, False),
    "totals": (_totals, False),
    "waiting": (_waiting, False),
    "workers": (_workers, False),
    "depths": (_depths, True),
    "recording": (_recording, True),
    "observed": (_observed, True),
    "upkeep": (_upkeep, False),
    "schedules": (_schedules, False),
}
"""Name → what tells it, and whether it needs the broker."""
