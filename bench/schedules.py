"""Many schedules that are enabled, a thousand due in the same second: our beat and four other schedulers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

import click
import psutil
import redis
from sqlalchemy import insert

from bench.frame import machine, servers, sites
from bench.frame.beats import EDITED, PEERS, QUEUE, Running
from bench.frame.timing import Figures, note
from console import clock, db, ids
from console.actor import SYSTEM
from console.errors import Unavailable
from console.schedules import service
from console.schedules.definition import Definition, parse_definition
from console.schedules.models import Schedule

FAR = "2100-01-01T00:00:00+00:00"
CHUNK = 5_000
LONGEST_S = 600.0
EDIT_LONGEST_S = 320.0
"""RedBeat sleeps for up to 300 s."""
NAMES = ("start_s", "memory_mb", "idle_cpu_percent", "lag_p99_s", "edit_s")


@click.command()
@click.option("--enabled", type=click.IntRange(1), default=100_000, show_default=True, help="Schedules in all.")
@click.option("--due", type=click.IntRange(1), default=1_000, show_default=True, help="Due in the same second.")
@click.option(
    "--peer-enabled",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Schedules of each peer, and once of ours.",
)
@click.option("--peers/--no-peers", default=True, show_default=True, help="The other schedulers, too.")
@click.option("--peer", "chosen", type=click.Choice(list(PEERS)), multiple=True, help="Only these peers.")
@click.option("--idle", type=click.FloatRange(1), default=15.0, show_default=True, help="Seconds to look at it idle.")
@click.option(
    "--database", "only", type=click.Choice(["both", "sqlite", "postgresql"]), default="both", show_default=True,
    help="Which databases of ours.",
)  # fmt: skip
def schedules(
    enabled: int, due: int, peer_enabled: int, peers: bool, chosen: tuple[str, ...], idle: float, only: str
) -> Figures:
    """Measure start, memory, idle CPU, lag and edits of a beat with very many schedules, and of other schedulers.

    The lag is the time from the second in which they are due until 99 % of the messages are in their queue, read
    from the broker every 5 ms. An edit takes from its commit until the message of the schedule that it made due is
    there; Celery's beat must be restarted for it. Most peers hold all schedules in memory, so they are given fewer
    unless told otherwise; ours with as many is what they are compared with, in ratios: theirs by ours.
    """
    found: Figures = {"enabled": enabled, "due": due}
    for database, prefix in (("sqlite", ""), ("postgresql", "pg_")):
        if only in ("both", database):
            found |= _named(prefix, _ours(database == "postgresql", enabled, due, idle))
    if not peers:
        return found
    even = _ours(only == "postgresql", peer_enabled, due, idle)
    found |= {"peer_enabled": peer_enabled} | _named("even_", even)
    for name in chosen or PEERS:
        theirs = _peer(name, peer_enabled, due, idle)
        found |= _named(f"{name}_", theirs)
        found |= {f"{name}_{_plain(key)}_ratio": _ratio(theirs[key], even[key]) for key in NAMES}
    return found


def _named(prefix: str, figures: dict[str, float]) -> Figures:
    note(f"  {prefix.rstrip('_') or 'ours'}: " + ", ".join(f"{name} {value:g}" for name, value in figures.items()))
    return {prefix + name: value for name, value in figures.items()}


def _plain(name: str) -> str:
    return name.rpartition("_")[0]


def _ratio(theirs: float, ours: float) -> float:
    return round(theirs / max(ours, 0.001), 1)


def _ours(is_postgresql: bool, enabled: int, due: int, idle: float) -> dict[str, float]:
    kind: Literal["sqlite", "postgresql"] = "postgresql" if is_postgresql else "sqlite"
    with sites.site(kind) as here, servers_client(here.valkey.url) as server:
        at = clock.from_ms((clock.now_ms() // 1_000 + 20 + int(idle) + enabled // 5_000) * 1_000)
        _fill(enabled, due, at)
        began = clock.monotonic()
        beat = here.start("beat")
        start_s = clock.monotonic() - began
        figures = {"start_s": round(start_s, 2)} | _rest(beat.pid, idle)
        figures["lag_p99_s"] = _lag(server, at, due)
        figures["edit_s"] = _edit(server)
        return figures


def _fill(enabled: int, due: int, at: datetime) -> None:
    """Straight into the table: each by the service would take minutes."""
    for start in range(0, enabled, CHUNK):
        rows = [_row(n, at if n < due else None) for n in range(start, min(enabled, start + CHUNK))]
        with db.writing() as session:
            session.execute(insert(Schedule), rows)


def _row(n: int, at: datetime | None) -> dict[str, Any]:
    anchor = at.isoformat() if at else FAR
    one = _definition(f"s{n}", kind="every", every=1, unit="weeks", anchor=anchor)
    first, now = datetime.fromisoformat(anchor), clock.now()
    return {
        "id": ids.new_id(), "name": one.name, "type": one.type, "kind": one.kind, "definition": one.to_json(), "ver": 1,
        "rev": 0, "state": "active", "nominal_at": first, "due_at": first, "fired": 0, "missed": 0, "pause_reason": "",
        "problem": "", "built_in": False, "created_at": now, "changed_at": now, "changed_by": "bench",
    }  # fmt: skip


def _definition(name: str, **said: Any) -> Definition:
    return parse_definition({"name": name, "type": "peer.none", "queue": QUEUE} | said)


def _rest(pid: int, seconds: float) -> dict[str, float]:
    """Memory, and CPU at rest, after it has settled for a moment."""
    time.sleep(3)
    process = psutil.Process(pid)
    before, began = sum(process.cpu_times()[:2]), clock.monotonic()
    time.sleep(seconds)
    used = sum(process.cpu_times()[:2]) - before
    percent = round(100 * used / (clock.monotonic() - began), 2)
    return {"memory_mb": round(machine.pss_mb([pid]), 1), "idle_cpu_percent": percent}


def _lag(server: redis.Redis, at: datetime, due: int) -> float:
    """Seconds from that time until 99 of 100 messages wait in the queue."""
    if (early := at - clock.now()) < timedelta():
        raise Unavailable(
            f"It was not ready when they were due, {-early} ago. Use a faster machine or fewer schedules."
        )
    time.sleep(early.total_seconds())
    _until(lambda: _depth(server) >= due * 0.99, LONGEST_S)
    return round((clock.now_ms() - clock.to_ms(at)) / 1_000, 3)


def _edit(server: redis.Redis, rounds: int = 5) -> float:
    """The longest of some times from an edit that makes a schedule due until its message is there."""
    longest = 0.0
    for number in range(rounds):
        with db.writing() as session:
            made = service.create_schedule(session, SYSTEM, _definition(f"edit{number}", kind="once", at=FAR))
        time.sleep(1.3)
        before, at = _depth(server), clock.now() + timedelta(milliseconds=20)
        with db.writing() as session:
            edited = _definition(f"edit{number}", kind="once", at=at.isoformat())
            service.edit_schedule(session, SYSTEM, made, edited)
        while _depth(server) == before:
            time.sleep(0.002)
        longest = max(longest, (clock.now_ms() - clock.to_ms(at)) / 1_000)
    return round(longest, 3)


def _peer(name: str, enabled: int, due: int, idle: float) -> dict[str, float]:
    with servers.directory() as home, servers.valkey() as broker, servers_client(broker.url) as server:
        ahead = clock.now() + timedelta(seconds=60 + idle + enabled / 250)
        at = ahead.replace(second=0, microsecond=0) + timedelta(minutes=1)
        peer = Running(PEERS[name], home, broker.url, enabled=enabled, due=due, minute=at.minute)
        try:
            pid, start_s = peer.start(LONGEST_S)
            figures = {"start_s": round(start_s, 2)} | _rest(pid, idle)
            figures["lag_p99_s"] = _lag(server, at, due)
            _until(lambda: _depth(server) >= due, LONGEST_S)
            began = peer.edit(LONGEST_S)
            _until(lambda: server.llen(EDITED), EDIT_LONGEST_S)
            figures["edit_s"] = round(clock.now_ms() / 1_000 - began, 3)
        finally:
            peer.kill()
        return figures


def _until(is_so: Callable[[], object], longest_s: float) -> None:
    """Waits until it is so, or no longer."""
    limit = clock.monotonic() + longest_s
    while not is_so() and clock.monotonic() < limit:
        time.sleep(0.005)


def _depth(server: redis.Redis) -> int:
    keys: Any = server.keys(f"{QUEUE}*")
    return sum(int(server.llen(key)) for key in keys if server.type(key) == b"list")


@contextmanager
def servers_client(url: str) -> Iterator[redis.Redis]:
    """A client for the length of the block."""
    with redis.Redis.from_url(url) as client:
        yield client
