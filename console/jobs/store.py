"""Storing a batch of events: rows, attempts, counts, rollups and the stream's checkpoint, in one transaction.

Current rows are read and locked, the events are applied in Python (`rules`), and the rows are written back
(`rows.sqlite`, `rows.postgresql`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DataError

from console import clock
from console.jobs import groups, log_store, rules
from console.jobs.models import StreamCheckpoint
from console.jobs.rows import postgresql, sqlite
from console.jobs.rules import Row
from console.jobs.tally import CONSOLE, Tally
from console.tracking.events import Event, Kind
from console.workers.models import Worker

BEGINNING = "0-0"
_LAST_STEP = Kind.SCHEDULED.value
"""Kinds above it say nothing of a job's state."""
UNSTORABLE = (DataError, ValueError, TypeError, AttributeError, KeyError, OverflowError)
"""What a malformed event can cause; none of them means that the database is away or behind."""

log = logging.getLogger(__name__)


class CheckpointMoved(Exception):
    """Another recorder stored these events first; nothing of this batch was kept."""


def read_checkpoint(connection: Connection, stream: str) -> str:
    """Id of the last stored stream entry, locked until the transaction ends; at the very beginning its row is made."""
    wanted = select(StreamCheckpoint.last_id).where(StreamCheckpoint.stream == stream).with_for_update()
    last_id = connection.scalar(wanted)
    if last_id is None:
        first = _insert(connection)(StreamCheckpoint).on_conflict_do_nothing()
        connection.execute(first, {"stream": stream, "last_id": BEGINNING})
        return BEGINNING
    return str(last_id)


def move_checkpoint(connection: Connection, stream: str, before: str, after: str) -> None:
    """Compare-and-set of the checkpoint. Raises `CheckpointMoved` when another recorder was faster."""
    moved = connection.execute(
        update(StreamCheckpoint)
        .where(StreamCheckpoint.stream == stream, StreamCheckpoint.last_id == before)
        .values(last_id=after, moved_at=clock.now())
    )
    if moved.rowcount != 1:
        raise CheckpointMoved(stream)


def store_events(connection: Connection, events: Iterable[Event], shard: int = CONSOLE) -> list[Row]:
    """Stores the events and returns the rows of the jobs they changed. The caller commits.

    `shard`: whose counts and rollups they are added to (`tally`).
    """
    by_job: dict[str, list[Event]] = {}
    others: list[Event] = []
    for event in events:
        if event.kind > _LAST_STEP:
            others.append(event)
        elif (of_job := by_job.get(event.job_id)) is not None:
            of_job.append(event)
        else:
            by_job[event.job_id] = [event]
    rows = _store_jobs(connection, by_job, Tally(shard)) if by_job else []
    if others:
        _store_others(connection, others)
    return rows


def store_what_can_be(
    connection: Connection, events: Iterable[Event], shard: int = CONSOLE
) -> tuple[list[Row], list[tuple[Event, str]]]:
    """As `store_events`, job by job: one whose events cannot be stored does not keep the others waiting.

    Text that no database takes is made one that it does. Returns the changed rows, and the events that were
    refused, each with the reason.
    """
    groups: dict[tuple[int, str], list[Event]] = {}
    for event in events:
        event.job_id = clean(event.job_id)[: rules.MAX_NAME]
        groups.setdefault((event.kind * (event.kind > _LAST_STEP), event.job_id), []).append(event)
    rows: list[Row] = []
    refused: list[tuple[Event, str]] = []
    for group in groups.values():
        try:
            for event in group:
                event.data = {k: clean(value) if isinstance(value, str) else value for k, value in event.data.items()}
            with connection.begin_nested():
                rows += store_events(connection, group, shard)
        except UNSTORABLE as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
            log.error("events of job %r cannot be stored: %s", group[0].job_id, why)
            refused += [(event, why) for event in group]
    return rows, refused


def clean(text: str) -> str:
    """PostgreSQL cannot store NUL in text, nor can UTF-8 carry lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _store_jobs(connection: Connection, by_job: dict[str, list[Event]], tally: Tally) -> list[Row]:
    table = _rows_of(connection)
    stored = table.read(connection, by_job)
    new, known = [], []
    failures: list[groups.Seen] = []
    for job_id in sorted(by_job):
        row = stored.get(job_id)
        if row is None:
            if len(job_id) > rules.MAX_NAME:
                raise ValueError(f"a job's id has {len(job_id)} characters; at most {rules.MAX_NAME} can be stored")
            new.append(_merged(Row(job_id), by_job[job_id], None, tally, failures))
        else:
            known.append(_merged(row, by_job[job_id], (row.type, row.queue, row.state), tally, failures))
    table.write(connection, new, known)
    tally.write(connection)
    if failures:
        groups.write(connection, failures, tally.shard)
    return new + known


def _merged(
    row: Row, events: list[Event], before: tuple[str, str, str] | None, tally: Tally, failures: list[groups.Seen]
) -> Row:
    had_ended = rules.has_ended(row)
    for event in events:
        rules.apply(row, event)
    rules.settle(row)
    tally.moved(before, (row.type, row.queue, row.state))
    if before is None:
        tally.enqueued(row.enqueued_at, row.type, row.queue)
    if row.retries_seen:
        tally.retried(row.fresh[-1][0], row.type, row.queue, row.retries_seen)
    has_ended = not had_ended and rules.is_ended(row.state)
    if row.failure is not None and row.finished_at is not None:
        failures.append(groups.Seen(row.failure, row.finished_at, has_ended and row.state in rules.FAILURES))
    if has_ended:
        wait_ms = None if row.started_at is None else row.started_at - row.enqueued_at
        at_ms = row.fresh[-1][0] if row.finished_at is None else row.finished_at
        tally.ended(row.state, at_ms, row.type, row.queue, wait_ms, row.runtime_ms)
    return row


def _store_others(connection: Connection, events: Sequence[Event]) -> None:
    if heartbeats := [event for event in events if event.kind == Kind.HEARTBEAT]:
        _write_heartbeats(connection, heartbeats)
    if logged := [event for event in events if event.kind == Kind.LOGGED]:
        log_store.store(connection, logged)


def _rows_of(connection: Connection) -> ModuleType:
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def _write_heartbeats(connection: Connection, events: Sequence[Event]) -> None:
    latest: dict[str, dict[str, Any]] = {}
    for event in sorted(events, key=lambda event: event.at_ms):
        data, seen_at = event.data, clock.from_ms(event.at_ms)
        latest[event.job_id] = {
            "name": event.job_id,
            "boot_id": str(data.get("boot_id", ""))[:36],
            "pid": int(data.get("pid", 0)),
            "concurrency": int(data.get("concurrency", 0)),
            "queues": json.dumps(list(data.get("queues", ()))),
            "started_at": clock.from_ms(int(data.get("started_ms", event.at_ms))),
            "seen_at": seen_at,
            "stopped_at": seen_at if data.get("stopped") else None,
            "dropped": int(data.get("dropped", 0)),
            "spooled_bytes": int(data.get("spooled_bytes", 0)),
            "source": str(data["source"])[:64] if data.get("source") else None,
        }
    statement = _insert(connection)(Worker)
    rows = [latest[name] for name in sorted(latest)]
    sets = {name: statement.excluded[name] for name in rows[0] if name != "name"}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=sets), rows)


def _insert(connection: Connection) -> Any:
    return pg_insert if connection.dialect.name == "postgresql" else sqlite_insert
