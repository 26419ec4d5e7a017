"""What `celeriac doctor` checks. Each check says what it found and, when that is not well, what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from console import clock, db, presence, redis, revisions, schema
from console.config import settings, without_password
from console.embedded import readiness
from console.jobs.models import JobStatus, StreamCheckpoint
from console.jobs.recorder import REFUSED_STREAM
from console.tracking.events import STREAM_PREFIX
from console.workers.queries import list_workers

OK, WARN, FAIL = "OK", "WARN", "FAIL"

DISK_LOW_BYTES = 1_000_000_000
DISK_OUT_BYTES = 100_000_000
SKEW_NOTICED_MS = 1_000
SKEW_HARMFUL_MS = 10_000
LATE_AFTER = timedelta(seconds=60)
"""Beat publishes what is due, and the recorder stores what happened, within a second or two."""
STREAM_NEARLY_FULL = 0.8


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: OK, WARN or FAIL, what was seen, and what to do about it."""

    state: str
    seen: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A check; `needs` names the checks without which this one can find nothing."""

    find: Callable[[], Finding]
    needs: tuple[str, ...] = ()


def run_all(only: tuple[str, ...] = ()) -> Iterator[tuple[str, Finding]]:
    """Runs the checks, or those named and what they need, in order. None of them raises."""
    found: dict[str, Finding] = {}
    for name, check in CHECKS.items():
        if only and name not in only and not any(name in CHECKS[wanted].needs for wanted in only):
            continue
        missing = [need for need in check.needs if found[need].state == FAIL]
        found[name] = _not_checked(missing) if missing else _find(check)
        yield name, found[name]


def _not_checked(missing: list[str]) -> Finding:
    return Finding(WARN, f"Not checked, since the {missing[0]} check failed.")


def _find(check: Check) -> Finding:
    try:
        return check.find()
    except Exception as error:  # noqa: BLE001 - a check that breaks is a finding; the others run
        said = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
        return Finding(FAIL, said[0], "Start it, or put its address right in the settings below.")


def _data() -> Finding:
    data = settings().data.absolute()
    if not data.is_dir():
        return Finding(WARN, f"{data} does not exist yet.", "Start `celeriac up`, or name the directory with --data.")
    if not os.access(data, os.W_OK):
        return Finding(FAIL, f"Nothing can be written to {data}.", "Give it to the account that runs Celeriac.")
    free = shutil.disk_usage(data).free
    seen = f"{data}, {free / 1e9:.1f} GB free"
    if free < DISK_OUT_BYTES:
        return Finding(FAIL, seen, "Free some space at once: nothing can be recorded soon.")
    if free < DISK_LOW_BYTES:
        return Finding(WARN, seen, "Free some space.")
    return Finding(OK, seen)


def _database() -> Finding:
    url = without_password(settings().database)
    path = db.engine().url.database
    if db.engine().dialect.name == "sqlite" and path and not os.path.exists(path):  # noqa: PTH110
        return Finding(FAIL, f"There is no database at {path}.", "Start `celeriac up`, or run `celeriac migrate`.")
    began = clock.monotonic()
    with db.reading() as session:
        version = ".".join(map(str, session.connection().dialect.server_version_info or ()))
        session.execute(text("SELECT 1"))
    return Finding(OK, f"{url}, version {version}, answers in {(clock.monotonic() - began) * 1000:.0f} ms")


def _schema() -> Finding:
    has, needs = schema.current(), revisions.head()
    if has == needs:
        return Finding(OK, f"Revision {has}")
    return Finding(FAIL, f"Revision {has or 'none'}; this version needs {needs}.", "Run `celeriac migrate`.")


def _broker() -> Finding:
    info = redis.client().info()
    name = info.get("server_name", "redis")
    version = info.get("valkey_version", info["redis_version"])
    seen = f"{without_password(settings().broker)}, {name} {version}, {info['used_memory_human']} used"
    if info.get("maxmemory") and info.get("maxmemory_policy") != "noeviction":
        return Finding(FAIL, f"{seen}; it drops keys when memory is short.", "Set maxmemory-policy noeviction there.")
    if not info.get("aof_enabled"):
        return Finding(WARN, f"{seen}; no append-only file.", "Set appendonly yes there: jobs would be lost with it.")
    return Finding(OK, seen)


def _clocks() -> Finding:
    skews = {"broker": _broker_ms() - clock.now_ms()}
    if db.engine().dialect.name == "postgresql":
        with db.reading() as session:
            theirs = session.scalar(text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"))
        skews["database"] = int(theirs or 0) - clock.now_ms()
    worst = max(map(abs, skews.values()))
    seen = ", ".join(f"{name} {skew:+,} ms from ours" for name, skew in skews.items())
    if worst > SKEW_NOTICED_MS:
        return Finding(FAIL if worst > SKEW_HARMFUL_MS else WARN, seen, "Set the clocks by NTP on every machine.")
    return Finding(OK, seen)


def _broker_ms() -> int:
    seconds, micros = redis.client().time()
    return seconds * 1000 + micros // 1000


def _web() -> Finding:
    url = settings().web_url
    if readiness.answers(url):
        return Finding(OK, f"{url} is ready")
    return Finding(FAIL, f"{url}/readyz does not say that it is ready.", "Start `celeriac web`, or see its log.")


def _workers() -> Finding:
    with db.reading() as session:
        living = [worker for worker in list_workers(session) if worker.alive]
    if not living:
        return Finding(FAIL, "None is alive.", "Start `celeriac work`.")
    children = sum(worker.concurrency for worker in living)
    queues = sorted({queue for worker in living for queue in worker.queues})
    return Finding(OK, f"{len(living)} alive with {children} children, on {', '.join(queues)}")


def _recorder() -> Finding:
    with db.reading() as session:
        waits = [_unrecorded_ms(session, number) for number in range(settings().streams)]
    return _process("recorder", timedelta(milliseconds=max(waits)), "Events have waited for {} to be recorded.")


def _unrecorded_ms(session: Session, number: int) -> int:
    """For how long the oldest event that is not stored has waited; ids in a stream begin with the milliseconds."""
    stream = f"{STREAM_PREFIX}{number}"
    last_id = session.scalar(select(StreamCheckpoint.last_id).where(StreamCheckpoint.stream == stream)) or "0-0"
    found = cast("list[tuple[bytes, Any]]", redis.client().xrange(stream, min=f"({last_id}", count=1))
    return max(0, _broker_ms() - int(found[0][0].partition(b"-")[0])) if found else 0


def _stream() -> Finding:
    longest = max(redis.client().xlen(f"{STREAM_PREFIX}{n}") for n in range(settings().streams))
    limit = settings().stream_limit
    seen = f"{longest:,} blocks wait, at most {limit:,} may"
    if longest > limit * STREAM_NEARLY_FULL:
        return Finding(FAIL, seen, "Start `celeriac recorder`, or more of them: the broker's memory fills.")
    if refused := redis.client().xlen(REFUSED_STREAM):
        advice = f"Look at the recorder's log; the events are kept in {REFUSED_STREAM}."
        return Finding(WARN, f"{refused:,} jobs sent events that could not be stored", advice)
    return Finding(OK, seen)


def _beat() -> Finding:
    with db.reading() as session:
        due = session.scalar(select(func.min(JobStatus.due_at)).where(JobStatus.due_at < clock.now()))
    return _process("beat", clock.now() - due if due else timedelta(), "A job has been due for {}.")


def _process(kind: str, late: timedelta, in_words: str) -> Finding:
    """A process is judged by its work first, then by its sign of life."""
    living = presence.alive(kind)
    names = ", ".join(living) or "none is alive"
    if late > LATE_AFTER:
        waited = in_words.format(f"{late.total_seconds():,.0f} s")
        return Finding(FAIL, f"{waited} Alive: {names}.", f"Start `celeriac {kind}`, or see its log.")
    if not living:
        return Finding(FAIL, "None is alive.", f"Start `celeriac {kind}`.")
    return Finding(OK, f"{len(living)} alive ({names}), nothing is late")


CHECKS: dict[str, Check] = {
    "data": Check(_data),
    "database": Check(_database),
    "schema": Check(_schema, needs=("database",)),
    "broker": Check(_broker),
    "clocks": Check(_clocks, needs=("database", "broker")),
    "web": Check(_web),
    "workers": Check(_workers, needs=("database", "schema")),
    "recorder": Check(_recorder, needs=("database", "schema", "broker")),
    "stream": Check(_stream, needs=("broker",)),
    "beat": Check(_beat, needs=("database", "schema", "broker")),
}
"""In the order in which they are run and shown: what others need comes first."""
