"""What `celeriac doctor` checks. Each check says what it found and, when that is not well, what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import isinf

from sqlalchemy import func, select, text

from console import clock, db, presence, redis, revisions, schema
from console.commands import output
from console.config import settings, without_password
from console.embedded import readiness
from console.jobs import retention
from console.jobs.models import JobStatus
from console.observe import queries, status
from console.queues import recording
from console.schedules import builtin
from console.upkeep import space
from console.workers.queries import list_workers

OK, WARN, FAIL = "OK", "WARN", "FAIL"

DISK_LOW_BYTES = 1_000_000_000
DISK_OUT_BYTES = 100_000_000
DAYS_LEFT_FEW, DAYS_LEFT_NONE = 30, 3
MEMORY_HIGH, MEMORY_OUT = 0.75, 0.9
"""Of what the broker may use. Beyond its limit it takes no more jobs and no more events."""
SPOOL_LARGE_BYTES = 50_000_000
SKEW_NOTICED_MS = 1_000
SKEW_HARMFUL_MS = 10_000
LATE_AFTER = timedelta(seconds=60)
"""Beat publishes what is due, and the recorder stores what happened, within a second or two."""


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


def _memory() -> Finding:
    info = redis.client().info("memory")
    used, limit = int(info["used_memory"]), int(info.get("maxmemory") or 0)
    most = limit or int(info.get("total_system_memory") or 0)
    if not most:
        return Finding(OK, f"{_size(used)} used by the broker, which has no limit")
    seen = f"{_size(used)} used by the broker, {used / most:.0%} of {'its maxmemory' if limit else 'its machine'}"
    if used > most * MEMORY_OUT:
        return Finding(FAIL, seen, "Give it more: when it is full, it takes no jobs and no events.")
    if used > most * MEMORY_HIGH:
        return Finding(WARN, seen, "Give it more, or see what fills it: `celeriac monitor`, the stream check below.")
    return Finding(OK, seen)


def _space() -> Finding:
    """Room for the database: now, and where it goes at the rate of the last days."""
    with db.reading() as session:
        found = space.measure(session)
    seen = f"{_size(found.database_bytes)} with {found.jobs:,} jobs; {found.jobs_per_day:,.0f} new ones a day"
    if isinf(found.final_bytes):
        seen += f" add {_size(found.growth_bytes)} a day for ever"
    else:
        seen += f" add {_size(found.growth_bytes)} a day, and {_size(found.final_bytes)} will be kept"
    if found.free_bytes is None:
        advice = "Set CELERIAC_DATABASE_GB to what PostgreSQL may have: from here its disk cannot be seen."
        return Finding(OK, f"{seen}; free space unknown", "" if not found.growth_bytes else advice)
    seen += f"; {_size(found.free_bytes)} free"
    if found.free_bytes < DISK_OUT_BYTES:
        return Finding(FAIL, seen, "Make room at once: nothing can be recorded soon.")
    if found.days_left < DAYS_LEFT_FEW:
        advice = "Make room, or keep jobs for a shorter time: CELERIAC_KEEP_COMPLETED_DAYS, CELERIAC_KEEP_TYPES."
        state = FAIL if found.days_left < DAYS_LEFT_NONE else WARN
        return Finding(state, f"{seen}: full in {found.days_left:.1f} days", advice)
    return Finding(OK, seen)


def _upkeep() -> Finding:
    with db.reading() as session:
        late, stuck = builtin.overdue(session), retention.count_stuck(session)
    if late:
        name, span = next(iter(late.items()))
        seen = f"{name} has been due for {span.total_seconds() / 3_600:,.0f} h"
        return Finding(WARN, seen, "Start `celeriac beat`, and a worker on the queue celeriac: nothing is removed.")
    if stuck:
        days = retention.STUCK_AFTER.days
        seen = f"{output.counted(stuck)} PENDING for over {days} days; what has not ended is never removed"
        return Finding(WARN, seen, "Cancel those that nobody will run: their messages are most likely gone.")
    return Finding(OK, "What is kept no longer is removed every hour")


def _spools() -> Finding:
    with db.reading() as session:
        living = [worker for worker in list_workers(session) if worker.alive]
    dropped = [worker for worker in living if worker.dropped]
    if dropped:
        seen = ", ".join(f"{worker.name} dropped {worker.dropped:,} events" for worker in dropped[:3])
        return Finding(WARN, seen, "Its spool was full: see whether it reaches the broker, and give its disk room.")
    held = sum(worker.spooled_bytes for worker in living)
    seen = f"{_size(held)} of events wait on workers' disks, none was dropped"
    if held > SPOOL_LARGE_BYTES:
        return Finding(WARN, seen, "See whether the broker answers, and whether the recorder keeps up.")
    return Finding(OK, seen)


def _size(count: float) -> str:
    """In the unit a person would say."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


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
        seen = recording.look(session)
    return _process("recorder", timedelta(milliseconds=seen.lag_ms), "Events have waited for {} to be recorded.")


def _stream() -> Finding:
    with db.reading() as session:
        found = recording.look(session)
    seen = f"{found.waiting:,} blocks of events wait; the fullest stream holds {found.fullest:.1%} of what it may"
    if found.is_nearly_full:
        return Finding(FAIL, seen, "Start `celeriac recorder`, or more of them: the broker's memory fills.")
    if found.refused:
        advice = "`celeriac refused` shows them and why; replay them when the cause is mended."
        return Finding(WARN, f"{found.refused:,} jobs sent events that could not be stored", advice)
    return Finding(OK, seen)


def _beat() -> Finding:
    with db.reading() as session:
        due = session.scalar(select(func.min(JobStatus.due_at)).where(JobStatus.due_at < clock.now()))
    return _process("beat", clock.now() - due if due else timedelta(), "A job has been due for {}.")


def _observer() -> Finding:
    """Only what was observed before is missed; who observes nothing needs no observer."""
    found = status.sources()
    if not found:
        return Finding(OK, "No other application is observed")
    deaf = [f"{one.name} ({one.error or 'its observer is gone'})" for one in found if not one.observed]
    if deaf:
        return Finding(WARN, f"Not observed now: {', '.join(deaf)}", "Start `celeriac observe`, or see its log.")
    with db.reading() as session:
        gaps = queries.list_gaps(session, timedelta(hours=1))
    names = ", ".join(one.name for one in found)
    if gaps:
        return Finding(WARN, f"{names} observed; incomplete in the last hour: {gaps[0].source}, {gaps[0].explanation}")
    return Finding(OK, f"{names} observed, nothing was missed in the last hour")


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
    "memory": Check(_memory, needs=("broker",)),
    "space": Check(_space, needs=("database", "schema")),
    "clocks": Check(_clocks, needs=("database", "broker")),
    "web": Check(_web),
    "workers": Check(_workers, needs=("database", "schema")),
    "recorder": Check(_recorder, needs=("database", "schema", "broker")),
    "stream": Check(_stream, needs=("database", "schema", "broker")),
    "beat": Check(_beat, needs=("database", "schema", "broker")),
    "spools": Check(_spools, needs=("database", "schema")),
    "upkeep": Check(_upkeep, needs=("database", "schema")),
    "observer": Check(_observer, needs=("database", "schema", "broker")),
}
"""In the order in which they are run and shown: what others need comes first."""
