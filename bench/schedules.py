"""Many schedules that are enabled, a thousand due in the same second: our beat, Celery's, and RedBeat."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import psutil
import redis
from sqlalchemy import insert

from bench.frame import environment, machine, servers, sites
from bench.frame.timing import Figures, note
from console import clock, db, ids
from console.actor import SYSTEM
from console.errors import Unavailable
from console.schedules import service
from console.schedules.definition import Definition, parse_definition
from console.schedules.models import Schedule

QUEUE = "bench"
FAR = "2100-01-01T00:00:00+00:00"
CHUNK = 5_000
LONGEST_S = 180.0

PEER = """
import datetime, sys
from celery import Celery
from celery.schedules import crontab
app = Celery("peer", broker={broker!r})
app.conf.update(timezone="UTC", task_default_queue="bench", redbeat_redis_url={broker!r}, redbeat_lock_key=None)
minute, month, due, enabled = {minute}, {month}, {due}, {enabled}
entries = {{f"s{{n}}": {{"task": "peer.none", "schedule": crontab(minute=minute) if n < due
             else crontab(minute=0, hour=0, day_of_month=1, month_of_year=month)}} for n in range(enabled)}}
if {is_redbeat}:
    if __name__ == "__main__":
        from redbeat import RedBeatSchedulerEntry
        for name, entry in entries.items():
            RedBeatSchedulerEntry(name, entry["task"], entry["schedule"], app=app).save()
else:
    app.conf.beat_schedule = entries
"""


@click.command()
@click.option("--enabled", type=click.IntRange(1), default=100_000, show_default=True, help="Schedules in all.")
@click.option("--due", type=click.IntRange(1), default=1_000, show_default=True, help="Due in the same second.")
@click.option("--peer-enabled", type=click.IntRange(1), default=10_000, show_default=True, help="The same, of peers.")
@click.option("--peers/--no-peers", default=True, show_default=True, help="Celery beat and RedBeat, too.")
@click.option("--idle", type=click.FloatRange(1), default=15.0, show_default=True, help="Seconds to look at it idle.")
@click.option(
    "--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True,
    help="Which database.",
)  # fmt: skip
def schedules(enabled: int, due: int, peer_enabled: int, peers: bool, idle: float, database: str) -> Figures:
    """Measure start, memory, idle CPU, lag and edits of a beat with very many schedules, and of other schedulers.

    The lag is the time from the second in which they are due until 99 % of the messages are in their queue, read
    from the broker every 5 ms. Peers hold all schedules in memory, so they are given fewer unless told otherwise.
    """
    found: Figures = {"enabled": enabled, "due": due}
    with sites.site("postgresql" if database == "postgresql" else "sqlite") as here:
        ours = _ours(here, enabled, due, idle)
    note(f"  ours: {ours}")
    found |= ours
    if peers:
        for name in ("celery_beat", "redbeat"):
            theirs = _peer(name, peer_enabled, due, idle)
            note(f"  {name}: {theirs}")
            found |= {f"{name}_{key}": value for key, value in theirs.items()}
    return found


def _ours(here: sites.Site, enabled: int, due: int, idle: float) -> dict[str, float]:
    at = clock.from_ms((clock.now_ms() // 1_000 + 20 + int(idle) + enabled // 10_000) * 1_000)
    _fill(enabled, due, at)
    began = clock.monotonic()
    beat = here.start("beat")
    start_s = clock.monotonic() - began
    with servers_client(here.valkey.url) as server:
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
    limit = clock.to_ms(at) + int(LONGEST_S * 1_000)
    while clock.now_ms() < limit:
        if _depth(server) >= due * 0.99:
            return round((clock.now_ms() - clock.to_ms(at)) / 1_000, 3)
        time.sleep(0.005)
    return LONGEST_S


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
    python = environment.with_packages("celery[redis]==5.7.0", "celery-redbeat")
    with servers.directory() as home, servers.valkey() as broker, servers_client(broker.url) as server:
        ahead = clock.now() + timedelta(seconds=45 + idle + enabled / 500)
        at = ahead.replace(second=0, microsecond=0) + timedelta(minutes=1)
        month = (at.month + 5) % 12 + 1
        is_redbeat = name == "redbeat"
        (home / "peer.py").write_text(
            PEER.format(
                broker=broker.url, minute=at.minute, month=month, due=due, enabled=enabled, is_redbeat=is_redbeat
            )
        )
        if is_redbeat:
            subprocess.run([python, "peer.py"], cwd=home, env=environment.clean(), check=True)
        scheduler = ["-S", "redbeat.RedBeatScheduler"] if is_redbeat else ["-s", str(home / "schedule")]
        command = [str(python), "-m", "celery", "-A", "peer", "beat", "-l", "DEBUG", *scheduler]
        with _running(command, home) as (process, start_s):
            figures = {"start_s": round(start_s, 2)} | _rest(process.pid, idle)
            figures["lag_p99_s"] = _lag(server, at, due)
        return figures | {"enabled": enabled}


@contextmanager
def _running(command: list[str], home: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A peer's beat, and how long it took until it first slept: then it has read its schedules."""
    log = home / "peer.log"
    began = clock.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=home, env=environment.clean(), stdout=out, stderr=out)
    try:
        while b"Waking up" not in log.read_bytes():
            if process.poll() is not None or clock.monotonic() - began > LONGEST_S:
                raise Unavailable(f"The peer does not start: {log.read_text()[-500:]}")
            time.sleep(0.02)
        yield process, clock.monotonic() - began
    finally:
        process.kill()  # one that is behind does not listen
        process.wait()


def _depth(server: redis.Redis) -> int:
    keys: Any = server.keys(f"{QUEUE}*")
    return sum(int(server.llen(key)) for key in keys if server.type(key) == b"list")


@contextmanager
def servers_client(url: str) -> Iterator[redis.Redis]:
    """A client for the length of the block."""
    with redis.Redis.from_url(url) as client:
        yield client
