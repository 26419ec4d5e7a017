"""Which processes live, on whatever machine: each says so every few seconds, in the broker."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from redis.client import Pipeline

from console import clock, redis

KEY = "celeriac:alive:{kind}"
EVERY_S = 5.0
SILENT_AFTER_S = 20.0


class Presence:
    """One process's sign of life. `kind` is what it is: beat, recorder."""

    def __init__(self, kind: str) -> None:
        self._key = KEY.format(kind=kind)
        self._member = this_process()
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


def alive(kind: str) -> tuple[str, ...]:
    """The processes of that kind that said so lately, each as host:pid."""
    with redis.client().pipeline(transaction=False) as pipe:
        ask_alive(pipe, kind)
        [found] = pipe.execute()
    return names(found)


def ask_alive(pipe: Pipeline, kind: str) -> None:
    """Asks for them along with other things; `names` reads the answer."""
    since = clock.now_ms() - int(SILENT_AFTER_S * 1000)
    pipe.zrangebyscore(KEY.format(kind=kind), since, "+inf")


def names(answer: Sequence[bytes]) -> tuple[str, ...]:
    """What the broker answered to `ask_alive`, as words; without those that are known to be gone."""
    return tuple(sorted(name for name in (member.decode() for member in answer) if not is_gone(name)))


def this_process() -> str:
    """What this process is called among all: host:pid."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_gone(name: str) -> bool:
    """Whether a process, as host:pid, is known to have ended: it was on this machine, and its number is free."""
    host, _, pid = name.rpartition(":")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
