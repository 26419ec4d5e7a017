"""Failure groups as failures are recorded: made, counted and opened again in the transaction that stores the failures.

What people do to groups is in `console.failures`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Update, bindparam, func, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from console import clock
from console.audit.service import SYSTEM, record
from console.db import Instant
from console.jobs import sets
from console.jobs.fingerprint import Fingerprint, fingerprint_of
from console.jobs.models import UNPRINTED, FailureGroup, FailureTally, JobStatus
from console.jobs.tally import CONSOLE, add

TOPIC = "failures"
"""What open pages of failures hear of."""
EVER = clock.EPOCH
"""The "hour" whose tally is that of all time: it stays when hours are forgotten."""
_EVER_MS = clock.to_ms(EVER)
HOUR_MS = 3_600_000
SEEN_AGAIN_AFTER = timedelta(seconds=1)
"""So exact is `last_seen_at`; recorders would otherwise wait for each other at a group that fails all the time."""
IGNORED, RESOLVED, OPEN = "ignored", "resolved", "open"
_TALLY_KEY = ("fingerprint", "hour_at", "shard")
FILLED = 500
"""Failures of one transaction whose fingerprints are found out."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A failure that was stored. `counts`: its job ended for the first time, as for the counts by state."""

    of: Fingerprint
    at_ms: int
    counts: bool


def comes_back(group: FailureGroup, last_at: datetime, more: int, in_hour: int) -> str | None:
    """Why a resolved or ignored group is to be open again; None: it is not.

    `last_at`: when the latest of the new failures ended; `more`: how many there are; `in_hour`: how many ended in the
    same clock hour as that one.
    """
    if group.state == RESOLVED and group.state_at is not None and last_at > group.state_at:
        return f"came back after {_said(last_at - group.state_at)}"
    if group.state != IGNORED or group.state_at is None or last_at <= group.state_at:
        return None
    if group.ignore_until is not None and last_at >= group.ignore_until:
        return "came back after the time it was ignored for"
    if group.ignore_left is not None and more > group.ignore_left:
        return "came more often than was to be ignored"
    if group.ignore_rate is not None and in_hour > group.ignore_rate:
        return f"came more than {group.ignore_rate:,} times an hour"
    return None


def write(connection: Connection, failures: Sequence[Seen], shard: int = CONSOLE) -> None:
    """Adds failures to their groups and opens those again that come back. The caller commits.

    In the order of the fingerprints, so that two writers cannot deadlock.
    """
    _count(connection, failures, shard)
    times: dict[Fingerprint, list[int]] = {}
    for one in failures:
        times.setdefault(one.of, []).append(one.at_ms)
    known = _known(connection, [of.key for of in times])
    came = [
        (of, clock.from_ms(min(times[of])), clock.from_ms(max(times[of])))
        for of in sorted(times, key=lambda of: of.key)
    ]
    made = [one for one in came if one[0].key not in known]
    seen = [
        {"key": of.key, "first": first_at, "last": last_at}
        for of, first_at, last_at in came
        if (stored := known.get(of.key)) and _is_news(stored, first_at, last_at)
    ]
    asleep = [(of.key, last_at) for of, _, last_at in came if of.key in known and known[of.key].state != OPEN]
    if made:
        connection.execute(_insert(connection)(FailureGroup).on_conflict_do_nothing(), [_row(*new) for new in made])
    if asleep:  # these are locked too, and all in one order
        _lock(connection, [of.key for of, _, _ in came])
    if seen:
        connection.execute(_SEE[connection.dialect.name], seen)
    if asleep:
        _reconsider_all(connection, asleep, Counter(one.of.key for one in failures if one.counts))


def fill(session: Session, limit: int = FILLED) -> int:
    """Finds out the fingerprint of up to `limit` failures that have none; 0: none is left. The caller commits.

    Those from before there were fingerprints, and those whose job type became known after they had failed.
    """
    columns = ("id", "type", "reason", "error_type", "error_message", "traceback", "finished_at", "enqueued_at")
    query = select(*(getattr(JobStatus, name) for name in columns)).where(text(UNPRINTED)).limit(limit)
    rows = session.execute(query.with_for_update(skip_locked=True)).all()
    seen = []
    for row in rows:
        of = fingerprint_of(row.type, row.error_type or row.reason, row.error_message, row.traceback)
        seen.append((row.id, Seen(of, clock.to_ms(row.finished_at or row.enqueued_at), counts=True)))
    if seen:
        sets.mark_fingerprints(session.connection(), [(job_id, one.of.key) for job_id, one in seen])
        write(session.connection(), [one for _, one in seen])
    return len(seen)


def hour_of(at: datetime) -> datetime:
    """Where its hour (UTC) begins."""
    return clock.from_ms(clock.to_ms(at) // HOUR_MS * HOUR_MS)


def _count(connection: Connection, failures: Iterable[Seen], shard: int) -> None:
    counts: Counter[tuple[str, int]] = Counter()
    for one in failures:
        if one.counts:
            counts[one.of.key, one.at_ms // HOUR_MS * HOUR_MS] += 1
            counts[one.of.key, _EVER_MS] += 1
    if not counts:
        return
    rows = [(key, hour_ms, shard, n) for (key, hour_ms), n in sorted(counts.items())]
    add(connection, FailureTally.__tablename__, _TALLY_KEY, ("n",), (), rows)


def _known(connection: Connection, keys: Sequence[str]) -> dict[str, Any]:
    columns = (FailureGroup.first_seen_at, FailureGroup.last_seen_at, FailureGroup.state)
    query = select(FailureGroup.fingerprint, *columns).where(FailureGroup.fingerprint.in_(keys))
    return {row.fingerprint: row for row in connection.execute(query)}


def _is_news(stored: Any, first_at: datetime, last_at: datetime) -> bool:
    return bool(stored.last_seen_at + SEEN_AGAIN_AFTER <= last_at or first_at < stored.first_seen_at)


def _lock(connection: Connection, keys: Sequence[str]) -> None:
    of_those = select(FailureGroup.fingerprint).where(FailureGroup.fingerprint.in_(keys))
    connection.execute(of_those.order_by(FailureGroup.fingerprint).with_for_update()).all()


def _row(of: Fingerprint, first_at: datetime, last_at: datetime) -> dict[str, Any]:
    told = {"type": of.type, "error_type": of.error_type, "pattern": of.pattern, "frame": of.frame}
    seen = {"first_seen_at": first_at, "last_seen_at": last_at, "state": OPEN, "ver": 0}
    return {"fingerprint": of.key, **told, **seen}


def _seeing(least: str, most: str) -> Update:
    """Moves when a group was seen; never back in time, whoever else writes meanwhile."""
    first, last = bindparam("first", type_=Instant()), bindparam("last", type_=Instant())
    return (
        update(FailureGroup)
        .where(FailureGroup.fingerprint == bindparam("key"))
        .values(
            first_seen_at=getattr(func, least)(FailureGroup.first_seen_at, first),
            last_seen_at=getattr(func, most)(FailureGroup.last_seen_at, last),
        )
    )


_SEE = {"postgresql": _seeing("least", "greatest"), "sqlite": _seeing("min", "max")}


def _reconsider_all(connection: Connection, asleep: Sequence[tuple[str, datetime]], new: Counter[str]) -> None:
    with Session(connection) as session:
        for key, last_at in asleep:
            _reconsider(session, key, last_at, new[key])
        session.commit()  # hands the changes to the transaction around it


def _reconsider(session: Session, key: str, last_at: datetime, more: int) -> None:
    """Opens a group again if it comes back; else takes what came from what may still come."""
    group = session.get_one(FailureGroup, key, populate_existing=True, with_for_update=True)
    if group.state_at is not None and last_at <= group.state_at:  # heard of late: it is what was decided about
        return
    in_hour = _in_hour(session, key, last_at) if group.ignore_rate is not None else 0
    why = comes_back(group, last_at, more, in_hour)
    if why is None:
        if group.state == IGNORED and group.ignore_left is not None:
            group.ignore_left -= more
        return
    was = group.state
    group.state, group.reopened_at, group.reopened_why = OPEN, last_at, why
    group.ignore_until = group.ignore_left = group.ignore_rate = None
    group.ver += 1
    record(session, SYSTEM, "failures.reopen", "failure_group", key, was=was, why=why)


def _in_hour(session: Session, key: str, at: datetime) -> int:
    hour = (FailureTally.fingerprint == key, FailureTally.hour_at == hour_of(at))
    return session.scalar(select(func.coalesce(func.sum(FailureTally.n), literal_column("0"))).where(*hour)) or 0


def _said(length: timedelta) -> str:
    """A length of time in the unit a person would say."""
    seconds = int(length.total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            n = seconds // size
            return f"{n:,} {unit}{'' if n == 1 else 's'}"
    return f"{max(1, seconds)} s"


def _insert(connection: Connection) -> Any:
    return pg_insert if connection.dialect.name == "postgresql" else sqlite_insert
