"""Jobs that are about to exist: their rows, and the counts, messages and notices that go with these."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from console import clock, ids
from console.broker.port import Message
from console.jobs import outbox
from console.jobs.registry import known
from console.jobs.rules import State, version
from console.jobs.tally import Tally
from console.tracking.events import Kind

NO_ARGUMENTS = '{"args":[],"kwargs":{}}'
_NO_ARGS = '{"args":[],"kwargs":'


def beginning(now: datetime, due_at: datetime | None = None) -> dict[str, Any]:
    """The columns of a row that waits: for its time, or for being published."""
    now_ms = clock.to_ms(now)
    kind, state = (Kind.PUBLISHED, State.PENDING) if due_at is None else (Kind.SCHEDULED, State.SCHEDULED)
    return {
        "state": state,
        "enqueued_at": now,
        "due_at": due_at,
        "attempts": 0,
        "run": 0,
        "ver": version(0, 0, kind, now_ms),
        "sver": 0,
        "fver": 0,
        "pver": 0,
        "timeline": json.dumps([[now_ms, kind.name.lower(), 0, 0, ""]], separators=(",", ":")),
    }


def new_row(job_type: str, queue: str, payload: str | None, begun: Mapping[str, Any]) -> dict[str, Any]:
    """A row of its own id. `begun`: see `beginning`."""
    return {"id": ids.new_id(), "type": job_type, "queue": queue, "payload": payload, "internal": False, **begun}


def count(tally: Tally, rows: Iterable[tuple[str, str]], begun: Mapping[str, Any]) -> None:
    """Counts new jobs, each by its type and queue."""
    at_ms = clock.to_ms(begun["enqueued_at"])
    for (job_type, queue), times in Counter(rows).items():
        tally.moved(None, (job_type, queue, begun["state"]), times)
        tally.enqueued(at_ms, job_type, queue, times)


def send_after_commit(session: Session, rows: Sequence[Mapping[str, Any]], begun: Mapping[str, Any]) -> None:
    """Publishes the jobs when the session commits, or tells beat when they are due; and tells open pages."""
    outbox.announce_after_commit(session, [row["id"] for row in rows])
    if begun["state"] == State.PENDING:
        for start in range(0, len(rows), outbox.BATCH):
            batch = rows[start : start + outbox.BATCH]
            outbox.publish_after_commit(session, {row["id"]: row for row in batch}, message_of)
    else:
        outbox.wake_after_commit(session)


def message_of(row: Mapping[str, Any], retries: int = 0) -> Message:
    """The message that runs this job's attempt number `retries` + 1."""
    text = row.get("payload") or NO_ARGUMENTS
    is_plain = text.startswith(_NO_ARGS)  # mostly, and then it need not be read to be sent
    payload = {"args": (), "kwargs": {}} if is_plain else json.loads(text)
    return Message(
        id=row["id"],
        type=row["type"],
        queue=row["queue"],
        args=payload["args"],
        kwargs=payload["kwargs"],
        kwargs_json=text[len(_NO_ARGS) : -1] if is_plain else None,
        priority=row.get("priority"),
        retries=retries,
        run=row.get("run") or 0,
        envelope=json.loads(row["message"]) if row.get("message") else None,
        ignore_result=known(row["type"]) is not None,
    )
