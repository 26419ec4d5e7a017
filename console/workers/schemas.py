"""What the API gives about workers."""

from __future__ import annotations

from pydantic import Field

from console.web.rest import Instant, Output


class WorkerAnswer(Output):
    """A worker's main process."""

    name: str
    alive: bool = Field(description="It did not say that it stops, and was heard of within the last 30 s.")
    pid: int
    concurrency: int
    queues: list[str]
    started_at: Instant
    seen_at: Instant
    stopped_at: Instant | None


class WorkerList(Output):
    """Workers heard of within the last day, living ones first."""

    data: list[WorkerAnswer]
    next: None = None
