"""Which processes live, on whatever machine: each says so every few seconds, in the broker."""

from __future__ import annotations

import os
import socket
from typing import cast

from console import clock, redis

KEY = "celeriac:alive:{kind}"
EVERY_S = 5.0
SILENT_AFTER_S = 20.0


class Presence:
    """One process's sign of life. `kind` is what it is: beat, recorder."""

    def __init__(self, kind: str) -> None:
        self._key = KEY.format(kind=kind)
        self._member = f"{socket.gethostname()}:{os.getpid()}"
        self._said_at = float("-inf")

    def say(self) -> None:
        """Says that this process lives. May be called in every round of a loop: it writes every few seconds only."""
        now = clock.monotonic()
        if now - self._said_at < EVERY_S:
            return
        self._said_at = now
        with redis.client().pipeline(transaction=False) as pipe:
            pipe.zadd(self._key, {self._member: clock.now_ms()})
            pipe.zremrangebyscore(self._key, "-inf", clock.now_ms() - int(SILENT_AFTER_S * 1000))
            pipe.execute()

    def leave(self) -> None:
        """Says that this process ends."""
        redis.client().zrem(self._key, self._member)


def alive(kind: str) -> list[str]:
    """The processes of that kind that said so lately, each as host:pid."""
    since = clock.now_ms() - int(SILENT_AFTER_S * 1000)
    found = cast("list[bytes]", redis.client().zrangebyscore(KEY.format(kind=kind), since, "+inf"))
    return sorted(member.decode() for member in found)
