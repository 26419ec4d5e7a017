"""Events that no row could be made of: kept in a stream of their own until somebody looks at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import redis

from console import redis as valkey
from console.config import settings
from console.tracking import spool
from console.tracking.events import STREAM_PREFIX, Event, unpack

STREAM = "celeriac:refused"
KEPT = 10_000
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that was put aside, its place in the stream, and what was wrong with it."""

    entry_id: str
    event: Event
    why: str


def put_aside(client: redis.Redis, event: Event, why: str) -> None:
    """Keeps an event; of more than about `KEPT`, the newest. Raises `redis.RedisError`."""
    client.xadd(STREAM, {"b": event.pack(), "why": why}, maxlen=KEPT, approximate=True)


def all_refused() -> Iterator[Refused]:
    """What is kept, oldest first. Raises `redis.RedisError`."""
    last = "-"
    while page := cast(Any, valkey.client().xrange(STREAM, last, count=_PAGE)):
        for entry_id, values in page:
            why = values.get(b"why", b"").decode("utf-8", "replace")
            yield from (Refused(entry_id.decode(), event, why) for event in unpack(values.get(b"b", b"")))
        last = f"({page[-1][0].decode()}"


def replay() -> int:
    """Puts every event back on the stream it came from, and returns how many; one that is refused again comes back.

    Each is taken out in the step that puts it back, so that an interruption neither loses nor doubles it.
    """
    client, done = valkey.client(), 0
    until = cast("list[tuple[bytes, Any]]", client.xrevrange(STREAM, count=1))
    for one in all_refused() if until else ():
        if _order(one.entry_id) > _order(until[0][0].decode()):
            break
        with client.pipeline(transaction=True) as pipe:
            number = spool.stream_of(one.event.job_id, settings().streams)
            pipe.xadd(f"{STREAM_PREFIX}{number}", {"b": one.event.pack()})
            pipe.xdel(STREAM, one.entry_id)
            pipe.execute()
        done += 1
    return done


def drop() -> int:
    """Forgets all of them, and returns how many there were."""
    with valkey.client().pipeline(transaction=True) as pipe:
        pipe.xlen(STREAM)
        pipe.delete(STREAM)
        count, _ = pipe.execute()
    return int(count)


def _order(entry_id: str) -> tuple[int, int]:
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number)
