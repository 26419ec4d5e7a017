"""Storing a batch of events: rows, attempts, counts, rollups and the stream's checkpoint, in one transaction.

Current rows are read and locked, the events are applied in Python (`rules`), and whole rows are written back.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DataError

from console import clock
from console.jobs import rules
from console.jobs.models import JobAttempt, JobStatus, StreamCheckpoint
from console.jobs.rules import ENDED, Row
from console.jobs.tally import Tally
from console.tracking.events import Event, Kind
from console.workers.models import Worker

_NOT_STORED = {"moments", "attempts_made", "retries_seen"}
_COLUMNS = tuple(field.name for field in fields(Row) if field.name not in _NOT_STORED)
_INSTANTS = ("enqueued_at", "due_at", "started_at", "finished_at")
_INTEGERS = {"progress", "runtime_ms", "due_ms", "priority", "max_attempts"}
_IDS_PER_QUERY = 500
UNSTORABLE = (DataError, ValueError, TypeError, AttributeError, KeyError, OverflowError)
"""What a malformed event can cause; none of them means that the database is away or behind."""

log = logging.getLogger(__name__)


class CheckpointMoved(Exception):
    """Another recorder stored these events first; nothing of this batch was kept."""


def read_checkpoint(connection: Connection, stream: str) -> str:
    """Id of the last stored stream entry; "0-0" at the very beginning, whose row is then made."""
    last_id = connection.scalar(select(StreamCheckpoint.last_id).where(StreamCheckpoint.stream == stream))
    if last_id is None:
        connection.execute(
            _upsert(connection)(StreamCheckpoint).on_conflict_do_nothing(), {"stream": stream, "last_id": "0-0"}
        )
        return "0-0"
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


def store_events(connection: Connection, events: Sequence[Event]) -> list[Row]:
    """Stores the events and returns the rows of the jobs they changed. The caller commits."""
    by_job: dict[str, list[Event]] = {}
    for event in events:
        if event.kind is not Kind.HEARTBEAT:
            by_job.setdefault(_clean(event.job_id)[:255], []).append(event)
    known = _read_rows(connection, by_job)
    tally = Tally()
    changed: list[tuple[Row, bool]] = []
    for job_id in sorted(by_job):
        row = known.get(job_id)
        is_new = row is None
        changed.append((_merged(row or Row(job_id), by_job[job_id], is_new, tally), is_new))
    _write_rows(connection, changed)
    tally.write(connection)
    _write_heartbeats(connection, [event for event in events if event.kind is Kind.HEARTBEAT])
    return [row for row, _ in changed]


def store_what_can_be(connection: Connection, events: Sequence[Event]) -> tuple[list[Row], list[Event]]:
    """As `store_events`, job by job: one whose events cannot be stored does not keep the others waiting.

    Returns the changed rows, and the events that could not be stored.
    """
    groups: dict[tuple[bool, str], list[Event]] = {}
    for event in events:
        groups.setdefault((event.kind is Kind.HEARTBEAT, event.job_id), []).append(event)
    rows: list[Row] = []
    refused: list[Event] = []
    for group in groups.values():
        try:
            with connection.begin_nested():
                rows += store_events(connection, group)
        except UNSTORABLE as error:
            log.error("events of job %r cannot be stored: %s", group[0].job_id, str(error).splitlines()[0])
            refused += group
    return rows, refused


def _merged(row: Row, events: Iterable[Event], is_new: bool, tally: Tally) -> Row:
    before = None if is_new else (row.type, row.queue, row.state)
    had_ended = row.state in ENDED
    row.moments = rules.moments_of(row.timeline)
    for event in events:
        event.data = {name: _clean(value) if isinstance(value, str) else value for name, value in event.data.items()}
        for name in _INTEGERS & event.data.keys():
            event.data[name] = None if event.data[name] is None else int(event.data[name])
        rules.apply(row, event)
    rules.settle(row)
    tally.moved(before, (row.type, row.queue, row.state))
    if is_new:
        tally.happened("enqueued", row.enqueued_at, row.type, row.queue)
    if row.retries_seen:
        tally.happened("retried", row.moments[-1][0], row.type, row.queue, row.retries_seen)
    if row.state in ENDED and not had_ended:
        wait = None if row.started_at is None else row.started_at - row.enqueued_at
        tally.ended(row.state, row.finished_at or row.moments[-1][0], row.type, row.queue, wait, row.runtime_ms)
    return row


def _read_rows(connection: Connection, job_ids: Iterable[str]) -> dict[str, Row]:
    """The stored rows, locked against services that change them meanwhile, in id order so that locks cannot cross."""
    wanted = sorted(job_ids)
    found: dict[str, Row] = {}
    columns = [getattr(JobStatus, name) for name in _COLUMNS]
    for start in range(0, len(wanted), _IDS_PER_QUERY):
        query = select(*columns).where(JobStatus.id.in_(wanted[start : start + _IDS_PER_QUERY])).order_by(JobStatus.id)
        for stored in connection.execute(query.with_for_update()):
            values = stored._asdict()
            for name in _INSTANTS:
                values[name] = None if values[name] is None else clock.to_ms(values[name])
            found[values["id"]] = Row(**values)
    return found


def _write_rows(connection: Connection, changed: Sequence[tuple[Row, bool]]) -> None:
    new = [_values(row) for row, is_new in changed if is_new]
    old = [_values(row) | {"job_id": row.id} for row, is_new in changed if not is_new]
    if new:
        connection.execute(insert(JobStatus), new)
    if old:
        table = JobStatus.__table__
        sets: dict[str, Any] = {name: bindparam(name) for name in _COLUMNS if name != "id"}
        connection.execute(update(table).where(table.c.id == bindparam("job_id")).values(sets), old)  # type: ignore[arg-type]
    attempts = [_attempt_values(row.id, attempt) for row, _ in changed for attempt in row.attempts_made]
    if attempts:
        _replace(connection, JobAttempt, ("job_id", "run", "attempt"), attempts)


def _write_heartbeats(connection: Connection, events: Sequence[Event]) -> None:
    latest: dict[str, dict[str, Any]] = {}
    for event in sorted(events, key=lambda event: event.at_ms):
        data, seen_at = event.data, clock.from_ms(event.at_ms)
        latest[event.job_id[:255]] = {
            "name": _clean(event.job_id)[:255],
            "boot_id": str(data.get("boot_id", ""))[:36],
            "pid": int(data.get("pid", 0)),
            "concurrency": int(data.get("concurrency", 0)),
            "queues": json.dumps(list(data.get("queues", ()))),
            "started_at": clock.from_ms(int(data.get("started_ms", event.at_ms))),
            "seen_at": seen_at,
            "stopped_at": seen_at if data.get("stopped") else None,
        }
    if latest:
        _replace(connection, Worker, ("name",), [latest[name] for name in sorted(latest)])


def _replace(connection: Connection, model: Any, key: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    statement = _upsert(connection)(model)
    others = {name: statement.excluded[name] for name in rows[0] if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=others), rows)


def _upsert(connection: Connection) -> Any:
    return pg_insert if connection.dialect.name == "postgresql" else sqlite_insert


def _values(row: Row) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _COLUMNS}
    for name in _INSTANTS:
        values[name] = None if values[name] is None else clock.from_ms(values[name])
    for name in ("type", "queue", "worker", "error_type"):
        values[name] = None if values[name] is None else values[name][:255]
    values["progress_note"] = None if row.progress_note is None else row.progress_note[:200]
    return values


def _attempt_values(job_id: str, attempt: rules.Attempt) -> dict[str, Any]:
    values = {field.name: getattr(attempt, field.name) for field in fields(attempt)}
    for name in ("started_at", "finished_at"):
        values[name] = None if values[name] is None else clock.from_ms(values[name])
    return values | {"job_id": job_id}


def _clean(text: str) -> str:
    """PostgreSQL cannot store NUL in text, nor can UTF-8 carry lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
