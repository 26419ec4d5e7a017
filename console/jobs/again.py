"""A job's work done once more, as a new job: with another payload after it failed, or as it was after any end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session, undefer

from console import clock
from console.access.idempotency import claim
from console.audit.service import Actor, record
from console.errors import Conflict, InvalidInput, NotFound
from console.jobs import matching, new_jobs, registry, service
from console.jobs.attempts import Change, payload_difference
from console.jobs.models import JobStatus
from console.jobs.redaction import redacted, restored, rules_of
from console.jobs.rules import ENDED, State
from console.jobs.sendable import why_not, why_not_ours
from console.jobs.tally import Tally

Payload = dict[str, Any]
COPIED = ("message", "priority", "max_attempts", "tags", "internal")
MAX_CHARACTERS = 5_000_000
_AUDITED_LINES, _AUDITED_LENGTH = 60, 200
_WHOLE = [undefer(JobStatus.payload), undefer(JobStatus.message), undefer(JobStatus.timeline)]


@dataclass(frozen=True, slots=True)
class Edit:
    """A payload that may be sent: as text, and what differs from the present one without what is sensitive."""

    payload: str
    changes: list[Change]


def check_edit(session: Session, job_id: str, payload: Payload) -> Edit:
    """What a retry with this payload would send. Raises `NotFound`, `Conflict`, or `InvalidInput` naming the fields."""
    return _edit(_found(session, job_id), payload)


def retry_with(session: Session, actor: Actor, job_id: str, payload: Payload) -> str:
    """`service.retry_job` with another payload; the id of the new job. The difference is audited.

    Raises `InvalidInput` when the payload does not fit the job type, and what `retry_job` raises.
    """
    row = _found(session, job_id, lock=True)
    edit = _edit(row, payload)
    if not edit.changes and edit.payload == row.payload:
        return service.retry_job(session, actor, job_id)
    changed = SimpleNamespace(
        id=row.id, type=row.type, queue=row.queue, payload=edit.payload, message=row.message, priority=row.priority
    )
    [new_id] = matching.retry_rows(session, [changed])
    session.execute(update(JobStatus).where(JobStatus.id == new_id).values(payload=edit.payload))
    session.expire(row)
    record(session, actor, "jobs.edit", "job", job_id, retried_as=new_id, changes=_audited(edit.changes))
    return new_id


def run_again(session: Session, actor: Actor, job_id: str, payload: Payload | None = None, key: str = "") -> str:
    """Does the work of a job that has ended once more, as a new job, and returns its id. A failed one is retried.

    `payload`: instead of the job's own. `key`: a second call of the same actor with it returns the same new job.
    Raises `NotFound`, `InvalidInput`, or `Conflict` when it has not ended or cannot be sent from here.
    """
    done = claim(session, actor.name, key, f"again {job_id}") if key else None
    if done is not None and done.complete:
        return done.answer
    row = _found(session, job_id, lock=True)
    if row.state not in ENDED:
        raise Conflict(f"It has not ended yet: it is {row.state}. Cancel it first, or wait for its end.")
    if row.state == State.RETRYABLE:
        new_id = retry_with(session, actor, job_id, payload) if payload else service.retry_job(session, actor, job_id)
    else:
        new_id = _send_again(session, actor, row, payload)
    if done is not None:
        done.finish(201, new_id)
    return new_id


def _send_again(session: Session, actor: Actor, row: JobStatus, payload: Payload | None) -> str:
    if row.payload is None:
        raise Conflict("Its payload was not kept, so it cannot be run again from here.")
    edit = None if payload is None else _edit(row, payload, to_retry=False)
    begun = new_jobs.beginning(clock.now())
    made = new_jobs.new_row(row.type, row.queue, edit.payload if edit else row.payload, begun)
    made |= {name: getattr(row, name) for name in COPIED}
    made |= {"retry_of": row.id, "root_id": row.root_id or row.id}
    session.execute(insert(JobStatus), [made])
    tally = Tally()
    new_jobs.count(tally, [(row.type, row.queue)], begun)
    tally.write(session)
    new_jobs.send_after_commit(session, [made], begun)
    changes = {"changes": _audited(edit.changes)} if edit else {}
    record(session, actor, "jobs.again", "job", row.id, ran_as=made["id"], **changes)
    return str(made["id"])


def _found(session: Session, job_id: str, *, lock: bool = False) -> JobStatus:
    """The job, if a message of it can be sent from here."""
    row = session.get(JobStatus, job_id, options=_WHOLE, with_for_update=lock or None, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no job {job_id!r}. It may have been flushed, or its first event is still on its way.")
    if why := why_not_ours(row.source, row.message) or why_not(row.message):
        raise Conflict(why)
    return row


def _edit(row: JobStatus, payload: Payload, *, to_retry: bool = True) -> Edit:
    if to_retry and row.state != State.RETRYABLE:
        raise Conflict(service.why_not_retryable(row))
    if row.message is not None and "body" in json.loads(row.message):
        raise Conflict(
            "Its message has more than a payload: a chain, callbacks, or values that JSON has no word for. "
            "It can be retried as it was, but not with another payload."
        )
    rules, original = rules_of(row.type), json.loads(row.payload or new_jobs.NO_ARGUMENTS)
    given = restored(_shaped(payload), original, rules)
    kind = registry.known(row.type)
    if kind is not None and given["args"]:
        raise InvalidInput(f"{kind.name} takes named values only.", [{"field": "args", "message": "Must be empty."}])
    if kind is not None:
        given["kwargs"] = kind.validate(given["kwargs"])
    text = _encoded(given)
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(f"The payload is longer than {MAX_CHARACTERS:,} characters.")
    changes = payload_difference(redacted(original, rules), redacted(given, rules))
    if not changes and given != original:
        changes = [Change("…", "only values that are hidden differ")]
    return Edit(text, changes)


def _encoded(given: Payload) -> str:
    """As it is stored and sent. Raises `InvalidInput` for what Python reads as JSON though it is none."""
    try:
        return json.dumps(given, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        raise InvalidInput(
            "NaN and Infinity are no JSON.", [{"field": "payload", "message": "NaN and Infinity are no JSON."}]
        ) from None


def _shaped(payload: Payload) -> Payload:
    """Raises `InvalidInput` unless it is `{"args": […], "kwargs": {…}}`, each of which may be missing."""
    args, kwargs = payload.get("args", []), payload.get("kwargs", {})
    if payload.keys() - {"args", "kwargs"} or not isinstance(args, list) or not isinstance(kwargs, dict):
        raise InvalidInput(
            'A payload is {"args": […], "kwargs": {…}}.',
            [{"field": "payload", "message": 'Write {"args": […], "kwargs": {…}}.'}],
        )
    return {"args": args, "kwargs": kwargs}


def _audited(changes: list[Change]) -> list[str]:
    return [f"{one.sign} {one.text[:_AUDITED_LENGTH]}" for one in changes if one.sign != " "][:_AUDITED_LINES]
