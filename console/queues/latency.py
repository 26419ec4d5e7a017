"""How long jobs waited and ran, as percentiles, from the histograms of the rollups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from console import clock
from console.jobs.histogram import merged, percentile
from console.jobs.models import JobRollup

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Latency:
    """Of the jobs that ended in a stretch of time, in ms; None: none did. Each is wrong by at most 2 %."""

    wait_p50_ms: float | None = None
    wait_p95_ms: float | None = None
    runtime_p50_ms: float | None = None
    runtime_p95_ms: float | None = None


def latency_by_queue(session: Session, queues: Iterable[str] = (), span: timedelta = HOUR) -> dict[str, Latency]:
    """The latencies of these queues, and of all others in which jobs ended within the span.

    Beyond two hours, they are exact to the hour.
    """
    grain = "minute" if span <= timedelta(hours=2) else "hour"
    rows = session.execute(
        select(JobRollup.name, JobRollup.waits, JobRollup.runtimes).where(
            JobRollup.grain == grain, JobRollup.dimension == "queue", JobRollup.at >= clock.now() - span
        )
    )
    waits: dict[str, list[str | None]] = {name: [] for name in queues}
    runtimes: dict[str, list[str | None]] = {name: [] for name in queues}
    for name, waited, ran in rows:
        waits.setdefault(name, []).append(waited)
        runtimes.setdefault(name, []).append(ran)
    return {name: _latency(waits[name], runtimes[name]) for name in waits}


def _latency(waits: list[str | None], runtimes: list[str | None]) -> Latency:
    waited, ran = merged(waits), merged(runtimes)
    return Latency(percentile(waited, 0.5), percentile(waited, 0.95), percentile(ran, 0.5), percentile(ran, 0.95))
