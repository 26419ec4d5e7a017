"""What is done to the jobs that match, so many at a time: one statement for each step, however many they are.

The caller commits and writes the audit log (`bulk`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import product
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from console import clock, ids
from console.actor import Actor
from console.jobs import archive, groups, new_jobs, outbox, queries, sets
from console.jobs.filters import JobFilter
from console.jobs.models import JobStatus
from console.jobs.rules import FAILURES, WAITING, State, retries_of, version
from console.jobs.search import reach
from console.jobs.sendable import why_not
from console.jobs.tally import BULK, Tally
from console.tracking.events import Kind

BATCH = 1_000
"""Jobs of one transaction: for the 25 ms that they take, nobody else can write into SQLite."""
TO_RETRY = ("id", "type", "queue", "state", "payload", "message", "priority")
TO_CANCEL = ("id", "type", "queue", "state", "run", "ver", "timeline")
TO_DELETE = ("id", "type", "queue", "state")


def retry_matching(session: Session, _actor: Actor, wanted: JobFilter, limit: int = BATCH) -> list[str]:
    """Retries up to `limit` retryable jobs that match, oldest ones last, and returns their ids; []: none is left."""
    return retry_some(session, wanted, limit)[0]


def retry_some(
    session: Session, wanted: JobFilter, limit: int = BATCH, action_id: str | None = None
) -> tuple[list[str], int]:
    """As `retry_matching`, and how many turned out not to be retryable. `action_id`: what the new jobs belong to."""
    rows: list[Row[Any]] = []
    refused = 0
    while not rows and (found := _choose(session, wanted, {State.RETRYABLE}, limit, TO_RETRY)):
        rows = _leave_unsendable(session, found)
        refused += len(found) - len(rows)
    if rows:
        retry_rows(session, rows, action_id)
    return [row.id for row in rows], refused


def cancel_matching(session: Session, actor: Actor, wanted: JobFilter, limit: int = BATCH) -> list[str]:
    """Cancels up to `limit` waiting jobs that match and returns their ids; []: none is left. Running ones stay."""
    rows = _choose(session, wanted, WAITING, limit, TO_CANCEL)
    if rows:
        cancel_rows(session, rows, actor)
        outbox.cancel_after_commit(session, [row.id for row in rows])
    return [row.id for row in rows]


def flush_failed(
    session: Session, _actor: Actor, wanted: JobFilter, limit: int = BATCH, keep: archive.Keep | None = None
) -> list[str]:
    """Deletes up to `limit` failed jobs that match, with their attempts, and returns their ids; []: none is left.

    With `keep` they are kept aside, to be had back.
    """
    rows = _choose(session, wanted, FAILURES, limit, TO_DELETE)
    gone = [row.id for row in rows]
    if gone:
        tally = Tally(BULK)
        for row in rows:
            tally.moved((row.type, row.queue, row.state), None)
        if keep is not None:
            archive.keep(session, gone, keep)
        sets.delete(session.connection(), gone)
        tally.write(session)
        outbox.announce_after_commit(session, ["*"])
        outbox.tell_after_commit(session, groups.TOPIC)
    return gone


def retry_rows(session: Session, rows: Sequence[Any], action_id: str | None = None) -> list[str]:
    """Retries jobs that are locked and RETRYABLE, given with the columns `TO_RETRY`; the ids of the new ones."""
    new_ids = {row.id: ids.new_id() for row in rows}
    begun = new_jobs.beginning(clock.now())
    same = begun | {"enqueued_at": clock.to_ms(begun["enqueued_at"]), "action_id": action_id}
    sets.retry(session.connection(), new_ids, same)
    tally, kinds = Tally(BULK), [(row.type, row.queue) for row in rows]
    for kind, times in Counter(kinds).items():
        tally.moved((*kind, State.RETRYABLE), (*kind, State.FAILED), times)
    new_jobs.count(tally, kinds, begun)
    tally.write(session)
    outbox.announce_after_commit(session, list(new_ids))
    outbox.tell_after_commit(session, groups.TOPIC)
    made = [
        {
            "id": new_ids[row.id],
            "type": row.type,
            "queue": row.queue,
            "payload": row.payload,
            "message": row.message,
            "priority": row.priority,
        }
        for row in rows
    ]
    new_jobs.send_after_commit(session, made, begun)
    return list(new_ids.values())


def cancel_rows(session: Session, rows: Sequence[Any], actor: Actor) -> None:
    """Cancels jobs that are locked and wait, given with the columns `TO_CANCEL`."""
    now_ms = clock.now_ms()
    tally, changes = Tally(BULK), []
    for row in rows:
        tally.moved((row.type, row.queue, row.state), (row.type, row.queue, State.CANCELLED))
        tally.ended(State.CANCELLED, now_ms, row.type, row.queue, None, None)
        retries = retries_of(row.ver)
        moment = json.dumps([now_ms, "cancelled", row.run, retries, f"by {actor.name}"])
        timeline = f"[{moment}]" if row.timeline == "[]" else f"{row.timeline[:-1]},{moment}]"
        changes.append((row.id, version(row.run, retries, Kind.CANCELLED, now_ms), timeline))
    sets.mark_cancelled(session.connection(), now_ms, changes)
    tally.write(session)
    outbox.announce_after_commit(session, [row.id for row in rows])


def _leave_unsendable(session: Session, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Those that can be sent again. Of the others it is written down that they cannot, so that none is met twice."""
    others = {row.id: row for row in rows if why_not(row.message)}
    if others:
        tally = Tally(BULK)
        for row in others.values():
            tally.moved((row.type, row.queue, State.RETRYABLE), (row.type, row.queue, State.FAILED))
        sets.mark_unsendable(session.connection(), others)
        tally.write(session)
    return [row for row in rows if row.id not in others]


def is_any_left(session: Session, wanted: JobFilter, possible: Collection[State]) -> bool:
    """Whether a job matches that it could be done to, be it one that somebody else has locked just now."""
    return bool(_choose(session, wanted, possible, 1, ("id",), locked=False))


def _choose(
    session: Session,
    wanted: JobFilter,
    possible: Collection[State],
    limit: int,
    columns: Sequence[str],
    *,
    locked: bool = True,
) -> list[Row[Any]]:
    """Matching rows, locked; those somebody else has locked are left to them.

    Queue, type and state one after another, so that each is a walk along an index and nothing has to be sorted.
    """
    shown = [getattr(JobStatus, name) for name in columns]
    states = [state for state in State if state in possible and (not wanted.states or state in wanted.states)]
    rows: list[Row[Any]] = []
    for branch, state in product(reach.branches(wanted), states):
        if len(rows) == limit:
            break
        where = [*queries.conditions(branch), JobStatus.state == state]
        walk = select(*shown).where(*where).order_by(JobStatus.enqueued_at.desc()).limit(limit - len(rows))
        rows += session.execute(walk.with_for_update(skip_locked=True) if locked else walk)
    return rows
