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
    dropped: int = Field(description="Events that it could not keep since it started: its spool was full.")
    source: str | None = Field(description="The observed application that it belongs to; null: a tracked one.")
    spooled_bytes: int = Field(description="Bytes of events that it keeps on its disk and has not shipped yet.")


class WorkerList(Output):
    """Workers heard of within the last day, living ones first."""

    data: list[WorkerAnswer]
    next: None = None
