"""What the API gives about queues and throughput."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, get_args

from pydantic import Field

from console.web.rest import Input, Instant, Line, Output

Range = Literal["1h", "6h", "24h", "7d"]

RANGES: dict[str, tuple[timedelta, timedelta]] = {
    "1h": (timedelta(hours=1), timedelta(minutes=1)),
    "6h": (timedelta(hours=6), timedelta(minutes=5)),
    "24h": (timedelta(hours=24), timedelta(minutes=15)),
    "7d": (timedelta(days=7), timedelta(hours=2)),
}
"""How far back, and how long one bucket is: 60 to 96 of them, about what a chart can show."""

assert set(RANGES) == set(get_args(Range))  # noqa: S101 (two spellings of one list)


class QueueAnswer(Output):
    """A queue now."""

    name: str
    depth: int | None = Field(description="Messages that wait in the broker; null: it does not answer.")
    pending: int = Field(description="Jobs that wait for a worker.")
    processing: int
    scheduled: int = Field(description="Jobs that wait for their time, retries included.")
    oldest_wait_ms: int | None = Field(description="For how long the oldest pending job has waited; null: none waits.")
    consumers: int = Field(description="Living workers that serve it.")


class QueueList(Output):
    """Every queue, by name."""

    data: list[QueueAnswer]
    next: None = None


class ThroughputQuery(Input):
    """Which figures."""

    range: Annotated[Range, Field(description="How far back.")] = "1h"
    queue: Annotated[Line, Field(description="One queue only; empty: all of them.")] = ""


class BucketAnswer(Output):
    """What happened from `at` on, for `grain_s`. Counts are null when nobody recorded, means when no job ended."""

    at: Instant
    enqueued: int | None
    completed: int | None
    failed: int | None
    retried: int | None
    cancelled: int | None
    mean_wait_ms: float | None
    mean_runtime_ms: float | None


class Throughput(Output):
    """Buckets, oldest first. The last one is unfinished."""

    range: Range
    grain_s: int
    data: list[BucketAnswer]


class LatencyAnswer(Output):
    """How long jobs of a queue waited and ran that ended in the range; null: none did. Wrong by at most 2 %."""

    queue: str
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    runtime_p50_ms: float | None
    runtime_p95_ms: float | None


class LatencyQuery(Input):
    """Which stretch of time."""

    range: Annotated[Range, Field(description="How far back.")] = "1h"


class LatencyList(Output):
    """Every queue in which jobs ended, by name."""

    range: Range
    data: list[LatencyAnswer]


class RecordingAnswer(Output):
    """How the recording of events stands."""

    lag_ms: int = Field(description="For how long the oldest event that is not stored has waited; 0: none waits.")
    waiting: int = Field(description="Blocks of events that wait, up to 50 events in one.")
    fullest: float = Field(description="Which share of its limit the longest stream has reached.")
    refused: int = Field(description="Blocks that no row could be made of; they are kept aside.")
    alive: list[str] = Field(description="Recorders at work, each as host:pid.")
