"""Celery events on Redis or Valkey: kombu publishes them on channels, `/<database>.celeryev/<kind>`.

The server ends a subscriber that lets 32 MB wait (or 8 MB for a minute). So this only moves bytes from the socket to
the journal, and never looks into them.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import redis

from console import clock
from console.broker.observed import Depths, Lost, Refused
from console.broker.valkey import PRIORITY_STEPS, queue_key

RECEIVE_BYTES = 1024 * 1024
PING_EVERY_S = 5.0
SILENT_S = 15.0
UNACKED_KEY = "unacked"


class RedisEvents:
    """See `console.broker.observed.EventSource`."""

    keeps_events = False

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(
            redis_url(url), protocol=2, socket_connect_timeout=5, socket_timeout=10, socket_keepalive=True
        )
        database = self._client.connection_pool.connection_kwargs.get("db") or 0
        self._patterns = [f"/{database}.celeryev*", "celeryev*"]  # the second one: `fanout_prefix` is off

    def drain(self, write: Callable[[bytes], None], up: Callable[[bool], None], stopping: Event) -> None:
        """See `EventSource.drain`. A ping every few seconds tells a quiet connection from a dead one."""
        connection: Any = self._client.connection_pool.make_connection()
        try:
            connection.connect()
            connection.send_command("PSUBSCRIBE", *self._patterns)
            self._receive(connection, write, up, stopping)
        except redis.AuthenticationError as error:
            raise Refused(str(error)) from error
        except (redis.RedisError, OSError) as error:
            raise Lost(str(error)) from error
        finally:
            connection.disconnect()

    def depths(self, queues: Sequence[str]) -> Depths:
        """See `EventSource.depths`."""
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for queue in queues:
                    for step in PRIORITY_STEPS:
                        pipe.llen(queue_key(queue, step))
                pipe.hlen(UNACKED_KEY)
                *lengths, unacked = pipe.execute(raise_on_error=False)
        except redis.RedisError as error:
            raise Lost(str(error)) from error
        steps = len(PRIORITY_STEPS)
        parts = [lengths[i * steps : (i + 1) * steps] for i in range(len(queues))]
        # A key of that name that is no list is no queue.
        counted = {queue: sum(part) for queue, part in zip(queues, parts, strict=True) if _are_numbers(part)}
        return Depths(counted, unacked if isinstance(unacked, int) else None)

    def close(self) -> None:
        """See `EventSource.close`."""
        self._client.close()

    def _receive(
        self, connection: Any, write: Callable[[bytes], None], up: Callable[[bool], None], stopping: Event
    ) -> None:
        sock = cast(socket.socket, connection._sock)  # noqa: SLF001 - redis-py reads message by message, and so too slowly
        sock.settimeout(0.5)
        heard_at = pinged_at = clock.monotonic()
        is_up = False
        while not stopping.is_set():
            data = b""
            with contextlib.suppress(TimeoutError):
                data = sock.recv(RECEIVE_BYTES)
                if not data:
                    raise Lost("the broker closed the connection")
            now = clock.monotonic()
            if data:
                heard_at = now
                if not is_up:
                    _check(data)
                    up(False)
                    is_up = True
                write(data)
            if now - heard_at > SILENT_S:
                raise Lost("the broker does not answer any more")
            if now - pinged_at > PING_EVERY_S:
                sock.settimeout(5.0)
                sock.sendall(b"*1\r\n$4\r\nPING\r\n")
                sock.settimeout(0.5)
                pinged_at = now


def redis_url(url: str) -> str:
    """The URL as redis-py spells it."""
    parts = urlsplit(url)
    if parts.scheme == "redis+socket":
        database = (parse_qs(parts.query).get("virtual_host") or ["0"])[0].lstrip("/")
        return f"unix://{parts.netloc}{parts.path}?db={database}"
    return url.replace("valkeys://", "rediss://", 1).replace("valkey://", "redis://", 1)


def _check(data: bytes) -> None:
    if data.startswith(b"-"):
        raise Refused(data[1:].partition(b"\r\n")[0].decode(errors="replace"))


def _are_numbers(values: list[Any]) -> bool:
    return all(isinstance(value, int) for value in values)
