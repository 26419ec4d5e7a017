"""Every metric that `/metrics` gives: its name, what it is, and by what it is told apart. `docs/reference/metrics.md`
describes each in these words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600)
"""Upper bounds of the histograms' buckets. What is stored is finer, so each bound is right within 2 %."""
OUTCOMES = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Family:
    """A metric. Names follow Prometheus: base units, counters end in `_total`."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    text: str


FAMILIES = (
    Family("celeriac_info", "gauge", ("version",), "1, with the version of Celeriac."),
    Family("celeriac_broker_up", "gauge", (), "1 while the broker answers; without it, what it knows is left out."),
    Family("celeriac_scrape_errors", "gauge", ("part",), "1 for each part of this page that could not be read now."),
    Family("celeriac_jobs", "gauge", ("state", "queue"), "Jobs that are stored, by their state."),
    Family("celeriac_jobs_enqueued_total", "counter", ("queue",), "Jobs that were heard of."),
    Family("celeriac_jobs_ended_total", "counter", ("queue", "outcome"), "Jobs that ended, each counted once."),
    Family("celeriac_attempts_retried_total", "counter", ("queue",), "Attempts that failed and will be repeated."),
    Family("celeriac_type_jobs_ended_total", "counter", ("type", "outcome"), "The same jobs, by their type."),
    Family("celeriac_job_wait_seconds", "histogram", ("queue",), "From enqueued to started, of ended jobs."),
    Family("celeriac_job_runtime_seconds", "histogram", ("queue",), "Of the last attempt of ended jobs."),
    Family("celeriac_queue_depth", "gauge", ("queue", "priority"), "Messages that wait in the broker; 0 is first."),
    Family("celeriac_queue_oldest_seconds", "gauge", ("queue",), "For how long the oldest pending job has waited."),
    Family("celeriac_due_late_seconds", "gauge", (), "For how long a job has been due that beat has not published."),
    Family("celeriac_workers", "gauge", ("state",), "Workers of the last day: alive, silent or stopped."),
    Family("celeriac_worker_processes", "gauge", ("queue",), "Processes of living workers on this queue."),
    Family("celeriac_events_dropped_total", "counter", ("worker",), "Events that a worker could not keep."),
    Family("celeriac_spooled_bytes", "gauge", ("worker",), "Events on a worker's disk that are not shipped yet."),
    Family("celeriac_processes", "gauge", ("kind",), "Recorders and beats that live."),
    Family("celeriac_stream_entries", "gauge", ("stream",), "Blocks of events in a stream, up to 50 events in one."),
    Family("celeriac_stream_bytes", "gauge", ("stream",), "Memory of the broker that a stream takes."),
    Family("celeriac_stream_lag_seconds", "gauge", ("stream",), "For how long the oldest unstored events have waited."),
    Family("celeriac_refused_events", "gauge", (), "Events put aside because no row could be made of them."),
    Family("celeriac_observed_source_up", "gauge", ("source",), "1 while an observed application is heard."),
    Family("celeriac_observed_queue_depth", "gauge", ("source", "queue"), "Messages that wait in an observed broker."),
    Family("celeriac_database_bytes", "gauge", (), "Size of the database."),
    Family("celeriac_schedules", "gauge", ("state",), "Schedules: active, paused or ended."),
    Family("celeriac_schedules_late", "gauge", (), "Schedules that have been due for over a minute."),
    Family("celeriac_schedule_runs_missed", "gauge", (), "Times of the last hour that passed without a run."),
    Family("celeriac_schedule_runs_overdue", "gauge", (), "Runs of the last hour whose job did not end by its time."),
    Family("celeriac_upkeep_late_seconds", "gauge", ("name",), "For how long upkeep of Celeriac itself has been due."),
)
