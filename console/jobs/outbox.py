"""What leaves the process after a transaction has committed: messages, cancellations, live notices.

If the process dies between the commit and the sending, the row still says that it waits to be published
(`due_at`), and beat publishes it. The broker makes sure that it then arrives once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Self, TypeAlias

import redis
from sqlalchemy import delete, event
from sqlalchemy.orm import Session

from console import clock, db, ids
from console import redis as valkey
from console.broker.port import Message
from console.broker.valkey import broker
from console.errors import NotConfigured, Unavailable
from console.jobs import sets
from console.jobs.models import UnsentBatch

GRACE = timedelta(seconds=20)
"""How long the committing process has to publish before beat does it."""
BATCH = 1_000
LIVE_CHANNEL = "celeriac:live"
WAKE_CHANNEL = "celeriac:due"
MAX_NAMED_JOBS = 200

Box: TypeAlias = dict[str, list[Any]]
_COURIER = "courier"

log = logging.getLogger(__name__)


def publish_after_commit(session: Session, rows: Mapping[str, Any], message_of: Callable[[Any], Message]) -> None:
    """Publishes new jobs, rows by id, when the session's transaction commits; none of them when it rolls back.

    At most `BATCH`. If this process dies in between, beat publishes them. The messages are made when they are sent.
    """
    batch = UnsentBatch(id=ids.new_id(), due_at=clock.now() + GRACE, job_ids=json.dumps(list(rows)))
    session.add(batch)
    _box(session)["batches"].append((batch.id, rows, message_of))


def cancel_after_commit(session: Session, job_ids: Sequence[str]) -> None:
    """Tells the workers not to run these jobs, after the commit."""
    _box(session)["cancelled"].extend(job_ids)


def announce_after_commit(session: Session, job_ids: Sequence[str]) -> None:
    """Tells open pages that these jobs changed ("*": any), after the commit."""
    _box(session)["changed"].extend(job_ids)


def tell_after_commit(session: Session, topic: str) -> None:
    """Tells open pages that what a topic stands for changed, after the commit."""
    _box(session)["topics"].append(topic)


def wake_after_commit(session: Session) -> None:
    """Tells beat that something may be due sooner than it knows, after the commit."""
    _box(session)["wake"].append(True)


def announce(job_ids: Sequence[str], topics: Sequence[str] = (), *, lists: bool = True) -> None:
    """Tells open pages what changed; `lists`: those of lists and counts, too.

    A lost notice costs a late update, so a broker that is absent, or not known, is not an error.
    """
    named = ["job:*"] if len(job_ids) > MAX_NAMED_JOBS or "*" in job_ids else [f"job:{job_id}" for job_id in job_ids]
    of_jobs = [*(("overview", "jobs") if lists else ()), *named] if job_ids else []
    body = json.dumps({"topics": [*of_jobs, *dict.fromkeys(topics)], "v": clock.now_ms()})
    try:
        valkey.client().publish(LIVE_CHANNEL, body)
    except (redis.RedisError, NotConfigured) as error:
        log.warning("could not announce a change to open pages: %s", error)


def publish(messages: Sequence[Message]) -> None:
    """Publishes messages of committed rows and notes that they need no sweeping. Raises `Unavailable`."""
    broker().publish(messages)
    with db.writing() as session:
        sets.mark_published(session.connection(), [message.id for message in messages])


class Courier:
    """Sends what many transactions leave, one after the other; `carry` each of them.

    What was published is forgotten by the transactions that follow, and at the end, so that each is one commit. In
    PostgreSQL it is sent while the next one is at work. In SQLite only one can write at a time: there others get their
    turn meanwhile.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._sending: Future[list[str]] | None = None
        self._sent: list[str] = []
        self._session: Session | None = None

    def carry(self, session: Session) -> None:
        """What the session's present transaction leaves is sent by this courier."""
        if self._sending is not None and self._sending.done():
            self._collect()
        if self._sent:
            forget(session, self._sent)
            self._sent = []
        if self._pool is None and session.get_bind().dialect.name == "postgresql":
            self._pool = ThreadPoolExecutor(1, "courier")
        session.info[_COURIER], self._session = self, session

    def take(self, box: Box) -> None:
        """Sends it, after what was taken before."""
        if self._pool is None:
            self._sent += _deliver(box)
        else:
            self._collect()
            self._sending = self._pool.submit(_deliver, box)

    def _collect(self) -> None:
        if self._sending is not None:
            self._sent += self._sending.result()
            self._sending = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.info.pop(_COURIER, None)
        self._collect()
        if self._pool is not None:
            self._pool.shutdown()
        if self._sent:
            with db.writing() as session:
                forget(session, self._sent)


def forget(session: Session, batches: Sequence[str]) -> None:
    """These batches are published."""
    session.execute(delete(UnsentBatch).where(UnsentBatch.id.in_(batches)))


def _box(session: Session) -> Box:
    """What waits for this session's commit; made, and hooked to it, at first use."""
    if "outbox" not in session.info:
        session.info["outbox"] = {"batches": [], "cancelled": [], "changed": [], "topics": [], "wake": []}
        event.listen(session, "after_commit", _send)
        event.listen(session, "after_rollback", _forget)
    box: Box = session.info["outbox"]
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
    courier: Courier | None = session.info.pop(_COURIER, None)
    if courier is not None:
        courier.take(box)
    elif sent := _deliver(box):
        with db.writing() as other:
            forget(other, sent)


def _deliver(box: Box) -> list[str]:
    """Sends it; the ids of the batches that were published."""
    sent: list[str] = []
    try:
        for batch_id, rows, message_of in box["batches"]:
            broker().publish([message_of(row) for row in rows.values()])
            sent.append(batch_id)
        if box["cancelled"]:
            broker().cancel(box["cancelled"])
        if box["wake"]:
            valkey.client().publish(WAKE_CHANNEL, "1")
    except (Unavailable, redis.RedisError) as error:
        log.warning("committed, but not sent yet: %s; beat sends it when the broker is back", error)
        return sent  # open pages cannot be told either; trying would only make the caller wait again
    if box["changed"] or box["topics"]:
        announce(box["changed"], box["topics"])
    return sent
