"""What can be changed of a job that waits: when it runs, and on which queue. Each is a compare-and-set, and audited."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from console import clock
from console.audit.service import Actor, record
from console.broker.port import Message
from console.broker.valkey import broker
from console.errors import Conflict, InvalidInput
from console.jobs import outbox, service
from console.jobs.models import JobStatus
from console.jobs.new_jobs import message_of
from console.jobs.rules import WAITING, State, retries_of
from console.jobs.tally import Tally

MAX_AHEAD = timedelta(days=3_650)
PLANNED = (State.SCHEDULED, State.RETRYING)


def reschedule(session: Session, actor: Actor, job_id: str, at: datetime | None) -> datetime:
    """Has a job that waits for its time run at another one; None, or a time that is past: now. Returns the new time.

    Raises `NotFound`, `InvalidInput`, or `Conflict` when it does not wait for a time, or not with us.
    """
    row = service.locked_ours(session, job_id)
    if row.state not in PLANNED:
        raise Conflict(_why_no_time(row))
    if row.due_at is None:
        raise Conflict("Its worker holds it until its time: the application planned this retry itself.")
    now = clock.now()
    if at is not None and at > now + MAX_AHEAD:
        raise InvalidInput("That lies more than ten years ahead.", [{"field": "at", "message": "Within ten years."}])
    before, row.due_at = row.due_at, max(at or now, now)
    record(session, actor, "jobs.reschedule", "job", job_id, before=before.isoformat(), at=row.due_at.isoformat())
    session.flush()
    outbox.announce_after_commit(session, [job_id])
    outbox.wake_after_commit(session)
    return row.due_at


def move(session: Session, actor: Actor, job_id: str, queue: str) -> str:
    """Has a waiting job run from another queue, and returns the one it was on.

    Of a PENDING one the message is moved, in one step of the broker, before the transaction commits: if that fails
    then, the job runs from the new queue while the old one is shown, but it runs once. Raises `NotFound`,
    `InvalidInput`, or `Conflict` when it does not wait, or its message is with a worker already.
    """
    queue = queue.strip()
    if not 1 <= len(queue) <= 255 or not queue.isprintable():
        raise InvalidInput("A queue's name has 1 to 255 characters.", [{"field": "queue", "message": "Name a queue."}])
    row = service.locked_ours(session, job_id)
    if row.state not in WAITING:
        raise Conflict(f"It does not wait any more: it is {row.state}.")
    if row.state == State.RETRYING and row.due_at is None:
        raise Conflict("Its worker holds it until its time: the application planned this retry itself.")
    before = row.queue
    if queue == before:
        raise Conflict(f"It is on the queue {queue} already.")
    tally = Tally()
    tally.moved((row.type, before, row.state), (row.type, queue, row.state))
    tally.write(session)
    row.queue = queue
    record(session, actor, "jobs.move", "job", job_id, before=before, queue=queue)
    session.flush()
    if row.state == State.PENDING and not broker().move(_message(row), before):
        raise Conflict(
            "Its message has left the queue: a worker has taken it and is about to begin. "
            "(Or very many wait before and after it, or it was enqueued this moment: then try again.)"
        )
    outbox.announce_after_commit(session, [job_id])
    return before


def _message(row: JobStatus) -> Message:
    columns = {name: getattr(row, name) for name in ("id", "type", "queue", "payload", "message", "priority", "run")}
    return message_of(columns, retries_of(row.ver))


def _why_no_time(row: JobStatus) -> str:
    if row.state == State.PENDING:
        return "It waits for a worker, not for a time. Its queue can be changed; or cancel it, and run it again later."
    return f"It does not wait any more: it is {row.state}."
