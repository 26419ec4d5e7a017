"""The broker of an application that Celeriac only observes: its events, its queues, its workers' answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol
from urllib.parse import urlsplit

from celery import Celery

from console.config import without_password
from console.errors import InvalidInput

INSPECT_WITHIN_S = 2.0
REDIS_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "redis+socket", "unix")
AMQP_SCHEMES = ("amqp", "amqps", "pyamqp")

log = logging.getLogger(__name__)


class Lost(Exception):
    """The connection to the broker is gone, or could not be made."""


class Refused(Lost):
    """The broker answers and does not let us in; trying again will not help by itself."""


@dataclass(frozen=True, slots=True)
class Depths:
    """What waits in a broker. `unacked` are messages that workers hold; None where the broker does not tell."""

    queues: dict[str, int]
    unacked: int | None


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a worker answered about itself. `jobs`: ids of all that it runs or holds; None: it gave no answer."""

    concurrency: int
    queues: tuple[str, ...]
    jobs: frozenset[str] | None


class EventSource(Protocol):
    """A broker that carries Celery events."""

    keeps_events: bool
    """What is sent while nobody observes is kept for a while."""

    def drain(self, write: Callable[[bytes], None], up: Callable[[bool], None], stopping: Event) -> None:
        """Hands on whatever comes until `stopping`. Calls `up` when connected, and says whether all was kept since.

        Raises `Lost` when the connection is lost.
        """

    def depths(self, queues: Sequence[str]) -> Depths:
        """How many messages wait on each queue, all priorities together. Raises `Lost`."""

    def close(self) -> None:
        """Closes what `depths` opened."""


def event_source(url: str, queue: str, frame: Callable[[bytes, str, str, dict[str, Any]], bytes]) -> EventSource:
    """The source behind a URL. `queue`: name of the observer's own queue, where the broker needs one; `frame`: puts
    a message of such a queue in the form in which Redis would push it. Raises `InvalidInput`.
    """
    scheme = urlsplit(url).scheme
    if scheme in REDIS_SCHEMES:
        from console.broker.observed_redis import RedisEvents

        return RedisEvents(url)
    if scheme in AMQP_SCHEMES:
        from console.broker.observed_amqp import AmqpEvents

        return AmqpEvents(url, queue, frame)
    raise InvalidInput(
        f"{without_password(url)} cannot be observed. Give a URL that begins with redis://, rediss://, "
        "redis+socket://, amqp:// or amqps://."
    )


class Inspector:
    """Asks an application's workers about themselves, as `celery inspect` does."""

    def __init__(self, url: str) -> None:
        self._app = Celery("celeriac-observe", broker=celery_url(url), set_as_current=False)
        self._app.conf.update(
            broker_connection_retry=False,
            broker_connection_timeout=3,
            broker_pool_limit=4,
            event_queue_prefix="celeriacev",
        )

    def ask(self, nodes: Sequence[str]) -> dict[str, Inspected]:
        """Those of these workers that answer, by node name; empty when none does, or the broker does not."""
        ask = self._app.control.inspect(destination=list(nodes), timeout=INSPECT_WITHIN_S, limit=len(nodes))
        try:
            queues, stats = ask.active_queues() or {}, ask.stats() or {}
            held = [ask.active() or {}, ask.reserved() or {}, ask.scheduled() or {}]
        except Exception as error:  # noqa: BLE001 - kombu raises what its transports raise; the next round asks again
            log.info("the workers could not be asked: %s", error)
            return {}
        return {
            name: _inspected(served, stats.get(name) or {}, [part.get(name) for part in held])
            for name, served in queues.items()
        }


def celery_url(url: str) -> str:
    """The URL as Celery spells it."""
    scheme, _, rest = url.partition("://")
    spelled = {"valkey": "redis", "valkeys": "rediss", "unix": "redis+socket"}
    return f"{spelled.get(scheme, scheme)}://{rest}"


def _inspected(
    queues: list[dict[str, Any]], stats: dict[str, Any], held: list[list[dict[str, Any]] | None]
) -> Inspected:
    concurrency = (stats.get("pool") or {}).get("max-concurrency") or 0
    names = tuple(sorted(str(queue["name"]) for queue in queues))
    if any(part is None for part in held):
        return Inspected(int(concurrency), names, None)
    ids = {str((entry.get("request") or entry).get("id")) for part in held for entry in part or ()}
    return Inspected(int(concurrency), names, frozenset(ids))
