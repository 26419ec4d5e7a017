"""What Celeriac asks of a message broker. Capabilities differ; pages ask the flags, never the broker's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One job on its way to a queue.

    `retries`: 0 for the first attempt. `run`: how often the job was delivered again so far. `priority`: 0 (first)
    to 9 (last). `envelope`: a stored message of a foreign job that is published again as it was, but for its id.
    """

    id: str
    type: str
    queue: str
    args: Sequence[Any] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    priority: int | None = None
    retries: int = 0
    run: int = 0
    envelope: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a broker can do beyond carrying messages."""

    publishes_once: bool
    """A message that is published twice, because a process died in between, arrives once."""
    reads_depth: bool
    """Waiting messages can be counted though no worker lives."""


class Broker(Protocol):
    """A message broker with Celery workers behind it. Every method raises `Unavailable` when it does not answer."""

    capabilities: Capabilities

    def publish(self, messages: Sequence[Message]) -> None:
        """Puts the messages on their queues; each (id, retries, run) at most once where the broker can tell."""

    def depths(self, queues: Sequence[str]) -> dict[str, int]:
        """How many messages wait on each queue, all priorities together; those a worker has taken are not counted."""

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Tells every worker, present and future, not to start these jobs, and to stop them where they run."""

    def ping(self) -> None:
        """Returns when the broker answers."""
