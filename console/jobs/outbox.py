"""What leaves the process after a transaction has committed: messages, cancellations, live notices.

If the process dies between the commit and the sending, the row still says that it waits to be published
(`due_at`), and beat publishes it. The broker makes sure that it then arrives once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import redis
from sqlalchemy import event, update
from sqlalchemy.orm import Session

from console import clock, db
from console import redis as valkey
from console.broker.port import Message
from console.broker.valkey import broker
from console.errors import Unavailable
from console.jobs.models import JobStatus
from console.jobs.rules import State

GRACE = timedelta(seconds=20)
"""How long the committing process has to publish before beat does it."""
LIVE_CHANNEL = "celeriac:live"
WAKE_CHANNEL = "celeriac:due"
MAX_NAMED_JOBS = 200

log = logging.getLogger(__name__)


def publish_after_commit(session: Session, messages: Sequence[Message]) -> None:
    """Publishes the messages when the session's transaction commits; none of them when it rolls back."""
    _box(session)["messages"].extend(messages)


def cancel_after_commit(session: Session, job_ids: Sequence[str]) -> None:
    """Tells the workers not to run these jobs, after the commit."""
    _box(session)["cancelled"].extend(job_ids)


def announce_after_commit(session: Session, job_ids: Sequence[str]) -> None:
    """Tells open pages that these jobs changed ("*": any), after the commit."""
    _box(session)["changed"].extend(job_ids)


def wake_after_commit(session: Session) -> None:
    """Tells beat that something may be due sooner than it knows, after the commit."""
    _box(session)["wake"].append(True)


def announce(job_ids: Sequence[str]) -> None:
    """Tells open pages what changed. A lost notice costs a late update, so an absent broker is not an error."""
    named = ["job:*"] if len(job_ids) > MAX_NAMED_JOBS or "*" in job_ids else [f"job:{job_id}" for job_id in job_ids]
    body = json.dumps({"topics": ["overview", "jobs", *named], "v": clock.now_ms()})
    try:
        valkey.client().publish(LIVE_CHANNEL, body)
    except redis.RedisError as error:
        log.warning("could not announce a change to open pages: %s", error)


def publish(messages: Sequence[Message]) -> None:
    """Publishes messages of committed rows and notes that they need no sweeping. Raises `Unavailable`."""
    broker().publish(messages)
    with db.writing() as session:
        for start in range(0, len(messages), 500):
            sent = [message.id for message in messages[start : start + 500]]
            session.execute(
                update(JobStatus).where(JobStatus.id.in_(sent), JobStatus.state == State.PENDING).values(due_at=None)
            )


def _box(session: Session) -> dict[str, list[Any]]:
    """What waits for this session's commit; made, and hooked to it, at first use."""
    if "outbox" not in session.info:
        session.info["outbox"] = {"messages": [], "cancelled": [], "changed": [], "wake": []}
        event.listen(session, "after_commit", _send)
        event.listen(session, "after_rollback", _forget)
    box: dict[str, list[Any]] = session.info["outbox"]
    return box


def _forget(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint ends with the same event as the transaction
        return
    for waiting in session.info["outbox"].values():
        waiting.clear()


def _send(session: Session) -> None:
    if session.in_nested_transaction():
        return
    box = {name: list(waiting) for name, waiting in session.info["outbox"].items()}
    _forget(session)
    try:
        if box["messages"]:
            publish(box["messages"])
        if box["cancelled"]:
            broker().cancel(box["cancelled"])
        if box["wake"]:
            valkey.client().publish(WAKE_CHANNEL, "1")
    except (Unavailable, redis.RedisError) as error:
        log.warning("committed, but not sent yet: %s; beat sends it when the broker is back", error)
        return  # open pages cannot be told either; trying would only make the caller wait again
    if box["changed"]:
        announce(box["changed"])
