"""Makes the jobs of schedules: the row of the time, which can be there once only, and the job that it stands for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from console import clock
from console.errors import InvalidInput
from console.jobs import new_jobs
from console.jobs.models import JobStatus
from console.jobs.registry import INTERNAL_PREFIX, known
from console.jobs.tally import Tally
from console.schedules.definition import Definition
from console.schedules.models import Schedule, ScheduleFire
from console.schedules.planning import payload_of
from console.schedules.rules import Missed, job_id_of

DEFAULT_QUEUE = "default"
TIME, MANUAL, BACKFILL = "time", "manual", "backfill"


@dataclass(frozen=True, slots=True)
class Slot:
    """A time of a schedule that is to become a job. `due_at`: later than now, by a backfill that is spread."""

    row: Schedule
    definition: Definition
    nominal_at: datetime
    trigger: str = TIME
    reason: str = ""
    due_at: datetime | None = None


def check_payload(definition: Definition) -> None:
    """Raises `InvalidInput` when the payload does not fit the job type; of one that is not ours nobody knows."""
    kind = known(definition.type)
    if kind is None:
        return
    if definition.args:
        raise InvalidInput(
            "args: Celeriac's own job types take a payload only.", [{"field": "args", "message": "Use the payload."}]
        )
    kind.validate(payload_of(definition, clock.now()))


def make(session: Session, slots: Sequence[Slot], now: datetime) -> list[str]:
    """Stores the times and their jobs, published when the session commits; the ids of the jobs.

    A time that is there already is left out: somebody else fired it. What a schedule made last is its open job.
    """
    by_id = {job_id_of(slot.row.id, slot.nominal_at, slot.trigger): slot for slot in slots}
    new = _store(session, [_fire(slot, job_id, now) for job_id, slot in by_id.items()])
    made = {job_id: by_id[job_id] for job_id in by_id if job_id in new}
    later = {slot.due_at for slot in made.values()}
    for due_at in sorted(later, key=lambda at: at or now):
        begun = new_jobs.beginning(now, due_at if due_at and due_at > now else None)
        rows = [_job(slot, job_id, begun) for job_id, slot in made.items() if slot.due_at == due_at]
        session.execute(insert(JobStatus), rows)
        tally = Tally()
        new_jobs.count(tally, [(row["type"], row["queue"]) for row in rows], begun)
        tally.write(session)
        new_jobs.send_after_commit(session, rows, begun)
    for job_id, slot in made.items():
        slot.row.open_job_id, slot.row.last_at = job_id, now
    return list(made)


def note(
    session: Session,
    row: Schedule,
    nominal: datetime,
    state: str,
    now: datetime,
    reason: str,
    missed: Missed | None = None,
) -> None:
    """Stores a time that does not become a job, or not yet."""
    values = _blank(row.id, nominal, TIME, state, now, reason)
    if missed is not None:
        values |= {"slots": missed.slots, "until_at": missed.last_at}
    _store(session, [values])


def _blank(schedule_id: str, nominal: datetime, trigger: str, state: str, now: datetime, reason: str) -> dict[str, Any]:
    return {
        "schedule_id": schedule_id, "nominal_at": nominal, "trigger": trigger, "state": state, "at": now,
        "job_id": None, "slots": 1, "until_at": None, "reason": reason[:300], "finish_by": None, "overdue": False,
    }  # fmt: skip


def _fire(slot: Slot, job_id: str, now: datetime) -> dict[str, Any]:
    within = slot.definition.finish_within_s
    blank = _blank(slot.row.id, slot.nominal_at, slot.trigger, "fired", now, slot.reason)
    begins = max(now, slot.due_at or now)
    return blank | {"job_id": job_id, "finish_by": begins + timedelta(seconds=within) if within else None}


def _store(session: Session, fires: list[dict[str, Any]]) -> set[str | None]:
    """The job ids of those that were not there yet."""
    if not fires:
        return set()
    insert_new = pg_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    table = ScheduleFire.__table__
    assert isinstance(table, Table)  # noqa: S101  for the type checker
    query = insert_new(table).on_conflict_do_nothing().returning(table.c.job_id)
    return set(session.execute(query, fires).scalars())


def _job(slot: Slot, job_id: str, begun: dict[str, Any]) -> dict[str, Any]:
    wanted, kind = slot.definition, known(slot.definition.type)
    queue = wanted.queue or (kind.queue if kind else DEFAULT_QUEUE)
    body: dict[str, Any] = {"args": wanted.args, "kwargs": payload_of(wanted, slot.nominal_at)}
    if kind is not None:
        body["kwargs"] = kind.validate(body["kwargs"])
    row = new_jobs.new_row(wanted.type, queue, json.dumps(body, separators=(",", ":")), begun)
    priority = kind.priority if kind and wanted.priority is None else wanted.priority
    return row | {
        "id": job_id,
        "priority": priority,
        "max_attempts": kind.limits.max_attempts if kind else None,
        "internal": wanted.type.startswith(INTERNAL_PREFIX),
        "tags": json.dumps(wanted.tags) if wanted.tags else None,
    }
