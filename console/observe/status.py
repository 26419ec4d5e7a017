"""What observers say of their sources while they live, in Valkey; pages and `celeriac doctor` read it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import redis

from console import clock
from console import redis as valkey
from console.config import settings, without_password

KEY = "celeriac:observed"
SILENT_AFTER_MS = 30_000
STILL_THERE_MS = 3_000
"""Observers tell once a second."""
FORGET_AFTER_MS = 7 * 86_400_000


@dataclass(slots=True)
class SourceStatus:
    """A source as its observer sees it. Times in ms since 1970.

    `depths`: what waits in the source's broker, by queue. `unacked`: what its workers hold, None where the broker does
    not tell. `waiting_bytes`: received and not read yet. `error`: why nothing is received now; empty: all is well.
    """

    name: str
    broker: str
    at_ms: int
    since_ms: int
    connected: bool
    events: int
    last_event_ms: int | None
    waiting_bytes: int
    depths: dict[str, int] = field(default_factory=dict)
    unacked: int | None = None
    workers: list[str] = field(default_factory=list)
    error: str = ""
    by: str = ""
    """Which observer says so."""

    @property
    def observed(self) -> bool:
        """Whether somebody observes it now, and hears it."""
        return self.connected and clock.now_ms() - self.at_ms < SILENT_AFTER_MS

    def say(self) -> None:
        """Raises `redis.RedisError`."""
        valkey.client().hset(KEY, self.name, json.dumps(asdict(self)))


def sources() -> list[SourceStatus]:
    """Every source that was observed within the last week, by name. Raises `redis.RedisError`."""
    found = []
    for name, said in cast("dict[bytes, bytes]", valkey.quick_client().hgetall(KEY)).items():
        status = SourceStatus(**json.loads(said))
        if clock.now_ms() - status.at_ms > FORGET_AFTER_MS:
            valkey.client().hdel(KEY, name.decode())
        else:
            found.append(status)
    return sorted(found, key=lambda one: one.name)


def heard_until_ms(name: str, by: str) -> int | None:
    """Until when an observer heard the source (now: another one does); None: none did, or it cannot be asked."""
    try:
        said: Any = valkey.quick_client().hget(KEY, name)
    except redis.RedisError:
        return None
    last = SourceStatus(**json.loads(said)) if said else None
    if last is None:
        return None
    hears = last.connected and last.by != by and clock.now_ms() - last.at_ms < STILL_THERE_MS
    return clock.now_ms() if hears else last.at_ms


def depths() -> dict[str, int]:
    """What waits in the brokers of all sources that are observed now, by queue; empty when that cannot be asked.

    A source on our own broker adds nothing: who reads this counts there too.
    """
    total: dict[str, int] = {}
    try:
        for source in sources():
            if clock.now_ms() - source.at_ms < SILENT_AFTER_MS:
                is_ours = source.broker == without_password(settings().broker)
                for queue, depth in source.depths.items():
                    total[queue] = total.get(queue, 0) + (0 if is_ours else depth)
    except redis.RedisError:
        return {}
    return total
