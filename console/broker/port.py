"""What Celeriac asks of a message broker. Capabilities differ; pages ask the flags, never the broker's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One job on its way to a queue.

    `retries`: 0 for the first attempt. `run`: how often the job was delivered again so far. `priority`: 0 (first)
    to 9 (last). `envelope`: of another application's job, what its message has beside arguments (`headers`), or all of
    it (`body` too): then it is published again as it was, but for its id. `kwargs_json`: instead of `kwargs`, where
    they are at hand as text. `ignore_result`: it leaves none in Celery's result backend.
    """

    id: str
    type: str
    queue: str
    args: Sequence[Any] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    kwargs_json: str | None = None
    priority: int | None = None
    retries: int = 0
    run: int = 0
    envelope: dict[str, Any] | None = None
    ignore_result: bool = False


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

    def depths_by_priority(self, queues: Sequence[str]) -> dict[str, dict[int, int]]:
        """The same for each priority at which messages wait apart, the first one first."""

    def first_and_held(self, queues: Sequence[str]) -> tuple[dict[str, list[str]], set[str]]:
        """Per queue the ids of the messages that are served next, one of each priority; and all that workers hold."""

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Tells every worker, present and future, not to start these jobs, and to stop them where they run."""

    def move(self, message: Message, source: str) -> bool:
        """Takes the message of that job off the queue `source` and puts this one on its own queue, in one step.

        False, and nothing has changed: it does not wait there, or is too deep in the queue to be looked for.
        """

    def ping(self) -> None:
        """Returns when the broker answers."""
