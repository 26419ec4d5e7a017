"""Telling open pages what changed: one subscription per process, any number of streams (Server-Sent Events).

A notice carries no data, only the topics that changed. Several that wait for a slow reader become one, so a stream
holds at most one entry per topic. A lost subscription mends itself; then every topic counts as changed.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any, cast

import redis

from console import clock
from console import redis as valkey
from console.config import settings
from console.errors import NotConfigured, Unavailable
from console.web.lifecycle import stopping

CHANNEL = "celeriac:live"
PING_S = 15.0
WAKE_S = 1.0
"""How soon a stream notices that the process stops."""
LONGEST_S = 900.0
"""After this long a browser has to come again, and is asked again who it is."""
RETRY_S = 1.0
SLACK_MS = 2_000
"""By so much the clocks of two web servers may differ."""
SPARE_THREADS = 8
"""Threads that streams leave to pages."""

log = logging.getLogger(__name__)


class Stream:
    """What one open page has not been told yet."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self._changed: set[str] = set()
        self._is_live: bool | None = None
        self._condition = threading.Condition()
        self._said: bool | None = None

    def tell(self, topics: set[str]) -> None:
        """Notes the topics among ours; "job:*" stands for every job."""
        ours = {topic for topic in self.topics if topic in topics or ("job:*" in topics and topic.startswith("job:"))}
        if ours:
            with self._condition:
                self._changed |= ours
                self._condition.notify()

    def set_live(self, is_live: bool) -> None:
        """Notes whether notices arrive; when they do again, everything may have changed meanwhile."""
        with self._condition:
            if is_live and self._is_live is False:
                self._changed |= self.topics
            self._is_live = is_live
            self._condition.notify()

    def take(self, timeout_s: float) -> tuple[list[str], bool | None]:
        """The topics that changed since the last call, waiting for one; and the live state when that is news."""
        with self._condition:
            if not self._changed and self._said == self._is_live:
                self._condition.wait(timeout_s)
            changed, self._changed = sorted(self._changed), set()
            news = self._is_live if self._said != self._is_live else None
            self._said = self._is_live
        return changed, news


class Hub:
    """The streams of this process and the thread that feeds them, which starts with the first one."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_live = False
        self._live_since_ms = 0
        self._changed_ms: dict[str, int] = {}
        """When a notice named a topic last; of jobs, when one named any."""

    def open(self, topics: frozenset[str], since_ms: int | None = None) -> Stream:
        """A stream, to be closed; told first what may have changed since then, in ms since 1970.

        Raises `Unavailable` when all threads that may wait are taken.
        """
        made = Stream(topics)
        with self._lock:
            if len(self._streams) >= max(1, settings().web_threads - SPARE_THREADS):
                raise Unavailable("Too many pages are open for live updates; this one refreshes more slowly.")
            self._streams.add(made)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._feed, name="live", daemon=True)
                self._thread.start()
            made.set_live(self._is_live)
            if since_ms is not None:
                made.tell({topic for topic in topics if self._last_ms(topic) > since_ms - SLACK_MS})
        return made

    def close(self, stream: Stream) -> None:
        """Forgets a stream; a second time does nothing."""
        with self._lock:
            self._streams.discard(stream)

    def _feed(self) -> None:
        """Passes notices on until the process stops."""
        while not stopping.is_set():
            try:
                with valkey.client().pubsub() as subscription:  # type: ignore[no-untyped-call]
                    subscription.subscribe(CHANNEL)
                    self._pass_on(subscription)
            except (redis.RedisError, NotConfigured) as error:
                log.warning("live updates pause, trying again: %s", error)
            self._set_live(False)
            stopping.wait(RETRY_S)

    def _pass_on(self, subscription: Any) -> None:
        asked_at = clock.monotonic()
        while not stopping.is_set():
            message = subscription.get_message(timeout=WAKE_S)
            if message is not None:
                self._take(message)
            if clock.monotonic() - asked_at > PING_S:  # a connection that died silently is noticed by this
                subscription.ping()
                asked_at = clock.monotonic()

    def _take(self, message: dict[str, Any]) -> None:
        """A notice, or word that we are subscribed: again, when the client has mended a lost connection by itself."""
        if message["type"] == "subscribe":
            self._set_live(False)
            self._set_live(True)
        elif message["type"] == "message":
            topics = _topics(message["data"])
            now_ms = clock.now_ms()
            for topic in topics:
                self._changed_ms[_kind(topic)] = now_ms
            for stream in self._all():
                stream.tell(topics)

    def _last_ms(self, topic: str) -> int:
        """What is older than our subscription may have changed right before it."""
        return max(self._changed_ms.get(_kind(topic), 0), self._live_since_ms)

    def _set_live(self, is_live: bool) -> None:
        if is_live:
            self._live_since_ms = clock.now_ms()
        self._is_live = is_live
        for stream in self._all():
            stream.set_live(is_live)

    def _all(self) -> list[Stream]:
        with self._lock:
            return list(self._streams)


hub = Hub()


def events(stream: Stream) -> Iterator[str]:
    """The body of an event stream. What comes first, at once, says whether notices arrive."""
    began = spoke = clock.monotonic()
    yield "retry: 2000\n\n"
    while not stopping.is_set() and clock.monotonic() - began < LONGEST_S:
        changed, is_live = stream.take(WAKE_S)
        said = _written(changed, is_live)
        if not said and clock.monotonic() - spoke > PING_S:
            said = ": still here\n\n"
        if said:
            spoke = clock.monotonic()
            yield said


def _kind(topic: str) -> str:
    return topic.partition(":")[0]


def _written(changed: list[str], is_live: bool | None) -> str:
    state = "" if is_live is None else f"event: state\ndata: {'live' if is_live else 'reconnecting'}\n\n"
    return state + (f"event: changed\ndata: {json.dumps(changed)}\n\n" if changed else "")


def _topics(body: Any) -> set[str]:
    """What a notice names; one that cannot be read names nothing."""
    try:
        return set(cast("list[str]", json.loads(body)["topics"]))
    except (ValueError, KeyError, TypeError):
        log.warning("a notice on %s cannot be read: %.200r", CHANNEL, body)
        return set()
