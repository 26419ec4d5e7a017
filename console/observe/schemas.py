"""What the API gives about observed applications."""

from __future__ import annotations

from pydantic import Field

from console.web.rest import Instant, Output


class SourceAnswer(Output):
    """An observed application, as its observer sees it."""

    name: str
    observed: bool = Field(description="Its events are being read now.")
    broker: str = Field(description="Without its password.")
    at: Instant = Field(description="When the observer last said so.")
    since: Instant = Field(description="When the observer was started.")
    last_event_at: Instant | None
    events: int = Field(description="Read since the observer was started.")
    waiting_bytes: int = Field(description="Received and not read yet.")
    depths: dict[str, int] = Field(description="Messages that wait in its broker, by queue, all priorities together.")
    unacked: int | None = Field(description="Messages that its workers hold; null: its broker does not tell.")
    workers: list[str] = Field(description="Those that live.")
    error: str = Field(description="Why nothing is read; empty: all is well.")


class GapAnswer(Output):
    """A stretch of time in which events were missed."""

    source: str
    worker: str = Field(description="Empty: it concerns the whole source.")
    from_at: Instant
    to_at: Instant
    reason: str
    explanation: str
    missed: int | None = Field(description="Jobs whose start or end was not seen; null: not known.")


class SourceList(Output):
    """Sources observed within the last week, by name, and the gaps of the last day, newest first."""

    data: list[SourceAnswer]
    gaps: list[GapAnswer]
    next: None = None
