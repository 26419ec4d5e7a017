"""Celery events on RabbitMQ: the observer has a queue of its own, which keeps them for a while when it is down."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any

from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.messaging import Consumer

from console import clock
from console.broker.observed import Depths, Lost, Refused, celery_url

EXCHANGE = "celeryev"
KEEP_S = 6 * 3600
"""For how long RabbitMQ keeps the queue of an observer that is gone."""
KEEP_MESSAGES = 1_000_000
PREFETCH = 2_000
ACK_EVERY = 500
HEARTBEAT_S = 20
NOT_FOUND, ACCESS_REFUSED = 404, 403

Frame = Callable[[bytes, str, str, dict[str, Any]], bytes]


class AmqpEvents:
    """See `console.broker.observed.EventSource`."""

    keeps_events = True

    def __init__(self, url: str, queue: str, frame: Frame) -> None:
        self._url, self._frame = celery_url(url), frame
        self._queue = Queue(
            queue,
            exchange=Exchange(EXCHANGE, type="topic"),
            routing_key="#",
            durable=True,
            auto_delete=False,
            expires=KEEP_S,
            max_length=KEEP_MESSAGES,
        )
        self._for_depths: Connection | None = None

    def drain(self, write: Callable[[bytes], None], up: Callable[[bool], None], stopping: Event) -> None:
        """See `EventSource.drain`. A message is acknowledged when it is written down."""
        with _lost(), Connection(self._url, heartbeat=HEARTBEAT_S, connect_timeout=5) as connection:
            connection.connect()
            kept = self._exists(connection)
            channel = connection.channel()
            channel.basic_qos(0, PREFETCH, False)
            waiting = _Waiting(self._frame)
            with Consumer(channel, queues=[self._queue], on_message=waiting.take, auto_declare=True):
                up(kept)
                checked_at = clock.monotonic()
                while not stopping.is_set():
                    with contextlib.suppress(TimeoutError):
                        connection.drain_events(timeout=0.2 if not waiting.frames else 0.01)
                        if len(waiting.frames) < ACK_EVERY:
                            continue
                    if waiting.frames:
                        write(b"".join(waiting.frames))
                        waiting.acknowledge()
                    if clock.monotonic() - checked_at > HEARTBEAT_S / 4:
                        connection.heartbeat_check()
                        checked_at = clock.monotonic()

    def depths(self, queues: Sequence[str]) -> Depths:
        """See `EventSource.depths`. A queue that does not exist is left out."""
        found: dict[str, int] = {}
        with _lost():
            if self._for_depths is None:
                self._for_depths = Connection(self._url, connect_timeout=5)
            try:
                for queue in queues:
                    depth = _depth(self._for_depths, queue)
                    if depth is not None:
                        found[queue] = depth
            except Exception:
                self.close()
                raise
        return Depths(found, None)

    def close(self) -> None:
        """See `EventSource.close`."""
        if self._for_depths is not None:
            with contextlib.suppress(Exception):
                self._for_depths.release()
            self._for_depths = None

    def _exists(self, connection: Connection) -> bool:
        return _depth(connection, self._queue.name) is not None


class _Waiting:
    """Messages that are not written down yet."""

    def __init__(self, frame: Frame) -> None:
        self.frames: list[bytes] = []
        self._frame = frame
        self._last: Any = None

    def take(self, message: Any) -> None:
        body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
        self.frames.append(self._frame(body, message.content_type, message.content_encoding, message.headers or {}))
        self._last = message

    def acknowledge(self) -> None:
        """Acknowledges all of them in one go."""
        self._last.channel.basic_ack(self._last.delivery_tag, multiple=True)
        self.frames.clear()


def _depth(connection: Connection, queue: str) -> int | None:
    """How many messages are ready on the queue; None: there is no such queue. A refusal closes the channel."""
    channel = connection.channel()
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors as error:
        if str(getattr(error, "reply_code", "")) == str(NOT_FOUND):  # kombu's own transports give it as text
            return None
        raise
    finally:
        with contextlib.suppress(Exception):
            channel.close()


@contextmanager
def _lost() -> Iterator[None]:
    """What kombu and its transports raise, as `Lost`."""
    try:
        yield
    except Exception as error:
        if getattr(error, "reply_code", None) == ACCESS_REFUSED:
            raise Refused(str(error)) from error
        raise Lost(str(error) or type(error).__name__) from error
