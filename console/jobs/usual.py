"""How one run compares with the others of its type: a histogram of the last days, and where this one stands in it.

Read from the rollups of days, so it costs the same whatever the table of jobs holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from console import clock
from console.jobs import histogram
from console.jobs.histogram import Histogram, bucket_of, duration_of
from console.jobs.models import JobRollup
from console.jobs.queries import JobLine
from console.jobs.rules import State

DAYS = 7
BARS = 32
LEAST = 20
"""With fewer runs, a share would say nothing."""


@dataclass(frozen=True, slots=True)
class Bar:
    """`height` from 0 to 100, of the highest; `x` and `width` in percent of the whole."""

    x: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One duration among many. Times in ms; `slower_than` in percent, None: too few to say; `mark` in percent.

    `is_running`: the run goes on, so its duration is what it is so far.
    """

    what: str
    own_ms: int
    total: int
    slower_than: int | None
    median_ms: float
    p95_ms: float
    least_ms: float
    most_ms: float
    mark: float
    bars: list[Bar]
    is_running: bool = False


def comparisons(session: Session, line: JobLine) -> list[Comparison]:
    """Of this job's run time and wait, as far as it has them and there is something to compare with."""
    own = {"run": _runtime(line), "wait": _wait(line)}
    if not line.type or all(value is None for value in own.values()):
        return []
    today = clock.to_ms(clock.now()) // 86_400_000 * 86_400_000
    days = [clock.from_ms(today) - timedelta(days=ago) for ago in range(DAYS)]
    rows = session.execute(
        select(JobRollup.runtimes, JobRollup.waits).where(
            JobRollup.grain == "day", JobRollup.dimension == "type", JobRollup.at.in_(days), JobRollup.name == line.type
        )
    ).all()
    merged = {
        "run": histogram.merged(row.runtimes for row in rows), "wait": histogram.merged(row.waits for row in rows)
    }
    is_running = line.state == State.PROCESSING
    return [
        compared(name, merged[name], value, is_running=is_running and name == "run")
        for name, value in own.items()
        if value is not None and merged[name]
    ]


def compared(what: str, others: Histogram, own_ms: int, *, is_running: bool = False) -> Comparison:
    """Where `own_ms` stands among the others; there has to be one at least."""
    total, own = others.total(), bucket_of(own_ms)
    below = sum(n for bucket, n in others.items() if bucket < own)
    first, last = min(*others, own), max(*others, own)
    return Comparison(
        what=what,
        own_ms=own_ms,
        total=total,
        slower_than=int(100 * below / total) if total >= LEAST else None,
        median_ms=histogram.percentile(others, 0.5) or 0.0,
        p95_ms=histogram.percentile(others, 0.95) or 0.0,
        least_ms=duration_of(min(others)),
        most_ms=duration_of(max(others)),
        mark=round(100 * (own - first + 0.5) / (last - first + 1), 2),
        bars=_bars(others, first, last),
        is_running=is_running,
    )


def _bars(others: Histogram, first: int, last: int) -> list[Bar]:
    """Buckets taken together so that there are at most `BARS`; they grow by a factor, so the axis is logarithmic."""
    buckets = last - first + 1
    step = -(-buckets // BARS)
    sums: dict[int, int] = {}
    for bucket, n in others.items():
        sums[(bucket - first) // step] = sums.get((bucket - first) // step, 0) + n
    highest = max(sums.values())
    width = 100 * step / buckets
    return [
        Bar(round(place * width, 2), round(min(width, 100 - place * width) * 0.86, 2), max(3, round(100 * n / highest)))
        for place, n in sorted(sums.items())
    ]


def _runtime(line: JobLine) -> int | None:
    if line.runtime_ms is not None:
        return line.runtime_ms
    if line.state == State.PROCESSING and line.started_at is not None:
        return max(0, clock.now_ms() - clock.to_ms(line.started_at))
    return None


def _wait(line: JobLine) -> int | None:
    """As the recorder counts it: from being enqueued to the latest start."""
    if line.started_at is None:
        return None
    return max(0, clock.to_ms(line.started_at) - clock.to_ms(line.enqueued_at))
