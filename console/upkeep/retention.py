"""Removes what is kept no longer: ended jobs, rollups, keys, gaps, old entries of the audit log,
bulk actions of that time.

A transaction at a time, and between two of them the others' turn: on SQLite there is one writer, and the recorder must
not wait for this one. Whatever was removed stays so; a run that is killed goes on where it was at its next time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isinf
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Result, delete, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from console import clock, db
from console.access.idempotency import KEPT_FOR, IdempotencyKey
from console.actions.models import BulkAction
from console.audit.models import AuditEntry, AuditTarget
from console.config import settings
from console.files import service as files
from console.jobs import archive, retention, totals
from console.jobs.groups import EVER
from console.jobs.models import FailureTally, JobRollup
from console.jobs.retention import BATCH, Slice
from console.observe.models import ObservedGap

ROLLUPS_KEPT = {"minute": timedelta(days=8), "hour": timedelta(days=100), "day": timedelta(days=400)}
"""A chart of so many days is made of this grain, and a bit more, so that no chart begins with a hole."""
FAILURE_HOURS_KEPT = timedelta(days=100)
GAPS_KEPT = timedelta(days=400)
SHARE = 0.3
"""Of the time, how much the removing may take; for the rest it waits."""
LONGEST_PAUSE_S = 2.0


Removed: TypeAlias = "Counter[tuple[str, str]]"
"""How many of what: a state of jobs and their type, or the name of something else and nothing."""


@dataclass(slots=True)
class Run:
    """What a run has removed so far; `finished`: nothing is left that had to go."""

    removed: Removed = field(default_factory=Counter)
    finished: bool = False


def run(
    until: float | None = None,
    report: Callable[[Run], None] = lambda _: None,
    of: Callable[[datetime], Iterator[Removed]] | None = None,
) -> Run:
    """Removes everything that is kept no longer, or what there is time for before `until` (`clock.monotonic`).

    `report` is called after each transaction. `of`: a part of it, instead of all `batches`.
    """
    done = Run()
    began = clock.monotonic()
    for removed in (of or batches)(clock.now()):
        done.removed.update(removed)
        report(done)
        now = clock.monotonic()
        if until is not None and now >= until:
            return done
        time.sleep(min((now - began) * (1 - SHARE) / SHARE, LONGEST_PAUSE_S))
        began = clock.monotonic()
    done.finished = True
    return done


def batches(now: datetime) -> Iterator[Removed]:
    """Removes one batch after the other, each in a transaction; whoever iterates sets the pace, and may stop."""
    fold(now)
    yield from of_jobs(now)
    yield from of_audit(now)


def fold(now: datetime) -> bool:
    """Takes the days that are over into the totals, so that they may go; false: they are in it."""
    with db.writing() as session:
        return totals.fold(session, now)


def of_jobs(now: datetime) -> Iterator[Removed]:
    """Of `batches`: jobs with what was measured of them, and what helped to dispatch them."""
    with db.reading() as session:
        wanted = retention.slices_in_force(session, now)
    for one in wanted:
        yield from _jobs(one)
    yield from _flushed(now)
    yield from _rollups(now)
    yield from _older("idempotency keys", IdempotencyKey.created_at, now - KEPT_FOR)
    yield from _older("failure hours", FailureTally.hour_at, now - FAILURE_HOURS_KEPT, FailureTally.hour_at > EVER)
    yield from _older("gaps", ObservedGap.to_at, now - GAPS_KEPT)


def of_audit(now: datetime) -> Iterator[Removed]:
    """Of `batches`: what people did."""
    if not isinf(settings().keep_audit_days):
        before = now - timedelta(days=settings().keep_audit_days)
        yield from _audit_targets(before)
        yield from _older("audit entries", AuditEntry.at, before)
        ended = (BulkAction.ended_at < before, or_(BulkAction.undo_until.is_(None), BulkAction.undo_until < now))
        yield from _older("bulk actions", BulkAction.created_at, before, *ended)


def old_jobs(now: datetime) -> Removed:
    """The jobs that are kept no longer."""
    found: Removed = Counter()
    with db.reading() as session:
        for one in retention.slices_in_force(session, now):
            counts = retention.count_old(session, one)
            found.update({(str(one.state), job_type): n for job_type, n in counts.items()})
    return found


def _jobs(of: Slice) -> Iterator[Removed]:
    since, found = clock.EPOCH, [""] * BATCH
    while len(found) == BATCH:
        with db.reading() as session:
            found, reached = retention.list_old(session, of, since)
        with db.writing() as session:
            gone = retention.delete_jobs(session, of, found) if found else {}
        files.forget_results(gone)
        if gone:
            yield Counter((str(of.state), job_type) for job_type in gone.values())
        elif reached == since:  # others hold all of these; they have their turn at the next run
            return
        since = reached


def _flushed(now: datetime) -> Iterator[Removed]:
    """Flushed jobs that can be had back no longer."""
    gone = 1
    while gone:
        with db.writing() as session:
            gone = archive.delete_old(session, now, BATCH)
        if gone:
            yield Counter({("flushed jobs, attempts and logs", ""): gone})


def _rollups(now: datetime) -> Iterator[Removed]:
    """Old rollups. Days go only when they are in the total."""
    with db.reading() as session:
        folded = totals.folded_until(session) or clock.EPOCH
    for grain, kept in ROLLUPS_KEPT.items():
        before = min(now - kept, folded) if grain == "day" else now - kept
        for dimension in totals.DIMENSIONS:
            of_those = (JobRollup.grain == grain, JobRollup.dimension == dimension)
            yield from _older(f"{grain} rollups", JobRollup.at, before, *of_those)


def _older(
    what: str, column: InstrumentedAttribute[datetime], before: datetime, *conditions: ColumnElement[bool]
) -> Iterator[Removed]:
    """Deletes rows along an index of their time."""
    wanted = select(column).where(column < before, *conditions).order_by(column).offset(BATCH - 1).limit(1)
    last: datetime | None = before
    while last is not None:
        with db.writing() as session:
            last = session.scalar(wanted)
            batch = column < before if last is None else column <= last
            gone = _rows(session.execute(delete(column.class_).where(batch, *conditions)))
        if gone:
            yield Counter({(what, ""): gone})


def _audit_targets(before: datetime) -> Iterator[Removed]:
    """What old entries lead from. Their ids begin with their time, but no index does, so the whole key is walked."""
    first = f"{clock.to_ms(before):012x}"
    bound = f"{first[:8]}-{first[8:]}"
    key = tuple_(AuditTarget.target_id, AuditTarget.entry_id)
    last = ("", "")
    while True:
        with db.reading() as session:
            query = select(AuditTarget.target_id, AuditTarget.entry_id).where(key > last, AuditTarget.entry_id < bound)
            found = [(row[0], row[1]) for row in session.execute(query.order_by(*key).limit(BATCH))]
        if not found:
            return
        with db.writing() as session:
            session.execute(delete(AuditTarget).where(key.in_(found)))
        last = found[-1]
        yield Counter({("audit targets", ""): len(found)})


def _rows(result: Result[Any]) -> int:
    return int(result.rowcount)  # type: ignore[attr-defined]
