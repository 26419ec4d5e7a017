"""Reads of jobs. Each reads a bounded number of rows whatever the table holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic_core import from_json
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Row,
    Select,
    Tuple,
    desc,
    func,
    literal_column,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session, undefer

from console import clock
from console.errors import NotFound
from console.jobs.filters import Condition, Cursor, JobFilter
from console.jobs.models import FOREIGN, JobAttempt, JobCount, JobStatus
from console.jobs.rules import State, moments_of
from console.jobs.search import reach
from console.jobs.search.sql import sql_of
from console.jobs.sendable import why_not_ours

TEXT_SCAN = 20_000
"""How many of the newest jobs that fit the other conditions a text is looked for in; lists, counts and bulk alike."""
ATTEMPTS = 20
PAGE_PAYLOAD = 200_000
"""Characters of a payload that the page of a job reads."""
COUNT_LIMIT = 10_000
"""Where counting by time stops: "10,000 or more"."""
ALIKE_LIMIT = 1_000
LINE_COLUMNS = (
    "id",
    "type",
    "queue",
    "state",
    "attempts",
    "max_attempts",
    "priority",
    "progress",
    "progress_note",
    "worker",
    "enqueued_at",
    "due_at",
    "started_at",
    "finished_at",
    "runtime_ms",
    "reason",
    "error_type",
    "error_message",
    "retry_of",
    "retried_as",
    "internal",
    "tags",
    "source",
)


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job as a list shows it. `due_at` is set while it waits for its time (SCHEDULED, RETRYING)."""

    id: str
    type: str
    queue: str
    state: State
    attempts: int
    max_attempts: int | None
    priority: int | None
    progress: int | None
    progress_note: str | None
    worker: str | None
    enqueued_at: datetime
    due_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    runtime_ms: int | None
    reason: str | None
    error_type: str | None
    error_message: str | None
    retry_of: str | None
    retried_as: str | None
    internal: bool
    tags: tuple[str, ...]
    source: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `next` leads to the older ones; None: there are none.

    `searched_back_to`: a text search looked no further back than this; None: it saw everything.
    """

    jobs: list[JobLine]
    next: Cursor | None
    searched_back_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened to a job. `kind` is the name of a `Kind` in lower case."""

    at: datetime
    kind: str
    attempt: int
    note: str


@dataclass(frozen=True, slots=True)
class AttemptView:
    """An attempt that did not end well."""

    attempt: int
    run: int
    state: str
    reason: str | None
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    error_type: str | None
    error_message: str | None
    traceback: str | None


@dataclass(frozen=True, slots=True)
class JobDetail:
    """Everything known of one job. `payload` is None when it was not kept, `result` when there is none.

    `payload_is_cut`: it is only the beginning, and the last value in it may be, too. `arguments`: of an observed job,
    as Celery shows them. `not_ours`: why nothing can be done with it from here.
    """

    line: JobLine
    timeline: list[Moment]
    failed_attempts: list[AttemptView]
    payload: dict[str, Any] | None
    arguments: str | None
    result: Any
    traceback: str | None
    parent_id: str | None
    root_id: str | None
    group_id: str | None
    chord_id: str | None
    unique_key: str | None
    not_ours: str | None
    fingerprint: str | None
    action_id: str | None
    """The bulk action that made it."""
    alike: int
    """Failures of the same group that are stored, itself among them; counting stops above `ALIKE_LIMIT`."""
    payload_is_cut: bool = False


def list_jobs(session: Session, wanted: JobFilter, cursor: Cursor | None = None, limit: int = 50) -> Page:
    """The newest jobs that match, from the cursor on; `limit` from 1 to 500."""
    limit = max(1, min(limit, 500))
    settled = settle(session, wanted)
    rows = _newest(session, settled, cursor, limit + 1)
    jobs = [line_of(row) for row in rows[:limit]]
    more = Cursor(jobs[-1].enqueued_at, jobs[-1].id) if len(rows) > limit else None
    return Page(jobs, more, settled.back_to.enqueued_at if settled.back_to else None)


def count_jobs(session: Session, wanted: JobFilter, first: Page | None = None) -> tuple[int, bool]:
    """How many match, and whether that is exact; counting by time stops at `COUNT_LIMIT`.

    `first`: the first page of them, where that is read already; if all are on it, they are not looked for again.
    """
    if reach.is_counted(wanted):
        total = sum(count_by_state(session, wanted).values())
        others = sum(_count_foreign(session, one) for one in reach.branches(wanted)) if wanted.ours else 0
        if others < COUNT_LIMIT:
            return max(0, total - others), True
    if first is not None and first.next is None:
        return len(first.jobs), True
    is_scanned = reach.is_scanned(wanted)
    limit = TEXT_SCAN if is_scanned else COUNT_LIMIT
    walks = [walk.subquery() for walk in _walks(settle(session, wanted), None, limit, (JobStatus.id,))]
    matching = sum(session.scalar(select(func.count()).select_from(walk)) or 0 for walk in walks)
    return (matching, True) if is_scanned else (min(matching, limit), matching < limit)


def count_by_state(session: Session, wanted: JobFilter) -> dict[State, int]:
    """How many jobs of the filter's types, queues and states are in each state; the rest of it is ignored."""
    named = [one for one in wanted.conditions if one.key in ("queue", "type")]
    query = select(JobCount.state, func.sum(JobCount.n)).group_by(JobCount.state).where(*sql_of(named, JobCount))
    if wanted.type:
        query = query.where(JobCount.type == wanted.type)
    if wanted.queue:
        query = query.where(JobCount.queue == wanted.queue)
    if wanted.states:
        query = query.where(JobCount.state.in_(wanted.states))
    if not wanted.internal:
        query = query.where(JobCount.type.not_like("celeriac.%"))
    return {State(state): int(n) for state, n in session.execute(query) if n}


def get_job(session: Session, job_id: str, *, for_page: bool = False) -> JobDetail:
    """One job, with the latest `ATTEMPTS` that did not end well. Raises `NotFound`.

    `for_page`: without attempts, which `attempts` reads, and of a large payload only the beginning.
    """
    wanted = [name for name in _DEFERRED if not (for_page and name == "payload")]
    row = session.get(JobStatus, job_id, options=[undefer(getattr(JobStatus, name)) for name in wanted])
    if row is None:
        raise NotFound(f"There is no job {job_id!r}. It may have been flushed, or its first event is still on its way.")
    latest = select(JobAttempt).where(JobAttempt.job_id == job_id)
    latest = latest.order_by(JobAttempt.run.desc(), JobAttempt.attempt.desc()).limit(ATTEMPTS)
    attempts = [] if for_page else session.scalars(latest).all()
    payload, is_cut = _beginning_of_payload(session, job_id) if for_page else (_json(row.payload), False)
    return JobDetail(
        line=line_of(row),
        timeline=[
            Moment(clock.from_ms(at), kind, retries + 1, note)
            for at, kind, _, retries, note in moments_of(row.timeline)
        ],
        failed_attempts=[attempt_view(attempt) for attempt in attempts],
        payload=payload,
        payload_is_cut=is_cut,
        arguments=row.arguments,
        result=_json(row.result),
        traceback=row.traceback,
        parent_id=row.parent_id,
        root_id=row.root_id,
        group_id=row.group_id,
        chord_id=row.chord_id,
        unique_key=row.unique_key,
        not_ours=why_not_ours(row.source, row.message),
        fingerprint=row.fingerprint,
        action_id=row.action_id,
        alike=_count_alike(session, row.fingerprint),
    )


def state_and_attempts(session: Session, job_id: str) -> tuple[State, int] | None:
    """A job's state and how many attempts it has begun; None when it is not stored yet."""
    row = session.execute(select(JobStatus.state, JobStatus.attempts).where(JobStatus.id == job_id)).one_or_none()
    return None if row is None else (State(row.state), row.attempts)


def known_values(session: Session) -> tuple[list[str], list[str]]:
    """The queues and the job types that jobs of are stored, sorted; for choices and completion."""
    queues = session.scalars(
        select(JobCount.queue).group_by(JobCount.queue).having(func.sum(JobCount.n) > 0).limit(1_000)
    )
    types = session.scalars(select(JobCount.type).group_by(JobCount.type).having(func.sum(JobCount.n) > 0).limit(1_000))
    return sorted(filter(None, queues)), sorted(filter(None, types))


def newer_than(session: Session, wanted: JobFilter, top: Cursor, limit: int = 100) -> int:
    """How many matching jobs came after the one at the top of a list; at most `limit`."""
    rows = _newest(session, settle(session, wanted), None, limit)
    return sum(1 for row in rows if (row.enqueued_at, row.id) > (top.enqueued_at, top.id))


_DEFERRED = ("timeline", "payload", "message", "arguments", "result", "traceback")


def settle(session: Session, wanted: JobFilter) -> JobFilter:
    """The filter with `back_to` set: where no index answers all of it, to the oldest job that is looked at (`reach`).

    It stays as it is when that is settled already, or when fewer than `TEXT_SCAN` jobs fit the other conditions.
    """
    if not reach.is_scanned(wanted) or wanted.back_to:
        return wanted
    walks = _walks(reach.indexed(wanted), None, TEXT_SCAN, (JobStatus.enqueued_at,))
    newest = union_all(*(select(walk.subquery()) for walk in walks)).order_by(desc("enqueued_at"))
    last = session.scalar(newest.offset(TEXT_SCAN - 1).limit(1))
    return wanted if last is None else replace(wanted, back_to=Cursor(last, ""))


def conditions(wanted: JobFilter) -> list[ColumnElement[bool]]:
    """The filter's conditions except states."""
    text = (Condition("text", wanted.text),) if wanted.text else ()
    found = sql_of((*text, *wanted.conditions))
    if wanted.queue:
        found.append(JobStatus.queue == wanted.queue)
    if wanted.type:
        found.append(JobStatus.type == wanted.type)
    if wanted.before:
        found.append(JobStatus.enqueued_at < wanted.before)
    if wanted.after:
        found.append(JobStatus.enqueued_at >= wanted.after)
    if wanted.back_to:
        found += [_place() >= _as_place(wanted.back_to), JobStatus.enqueued_at >= wanted.back_to.enqueued_at]
    if not wanted.internal:
        found.append(JobStatus.internal.is_(False))
    if wanted.ours:
        found.append(literal_column(f"(({FOREIGN}) IS NOT TRUE)", Boolean))
    return found


def _count_foreign(session: Session, wanted: JobFilter) -> int:
    """How many of the jobs that the filter means are carried by another broker; counting stops at `COUNT_LIMIT`."""
    where = [*conditions(replace(wanted, ours=False)), literal_column(f"({FOREIGN})", Boolean)]
    if wanted.states:
        where.append(JobStatus.state.in_(wanted.states))
    found = select(JobStatus.id).where(*where).limit(COUNT_LIMIT).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def _newest(session: Session, wanted: JobFilter, cursor: Cursor | None, limit: int) -> Sequence[Row[Any]]:
    """Rows newest first, merged from walks along an index."""
    shown = tuple(getattr(JobStatus, name) for name in LINE_COLUMNS)
    walks = _walks(wanted, cursor, limit, shown)
    if len(walks) == 1:
        return session.execute(walks[0]).all()
    merged = union_all(*(select(walk.subquery()) for walk in walks)).order_by(desc("enqueued_at"), desc("id"))
    return session.execute(merged.limit(limit)).all()


def _walks(wanted: JobFilter, cursor: Cursor | None, limit: int, shown: Sequence[Any]) -> list[Select[Any]]:
    """One per state, queue and type: with these, every filter has an index."""
    return [
        _walk(branch, state, cursor, limit, shown) for branch in reach.branches(wanted) for state in walked(branch)
    ]


def walked(wanted: JobFilter) -> tuple[State | None, ...]:
    """The states to walk through, each in its index; None: one walk through all."""
    has_states = wanted.queue or wanted.type or reach.is_of_action(wanted)  # in front of the time in their indexes
    return wanted.states or (tuple(State) if has_states else (None,))


def _walk(
    wanted: JobFilter, state: State | None, cursor: Cursor | None, limit: int, shown: Sequence[Any]
) -> Select[Any]:
    where = conditions(wanted)
    if state is not None:
        where.append(JobStatus.state == state)
    if cursor is not None:
        where += [_place() < _as_place(cursor), JobStatus.enqueued_at <= cursor.enqueued_at]  # the second has an index
    newest = [column.desc() for column in (JobStatus.enqueued_at, JobStatus.id) if column in shown]
    return select(*shown).where(*where).order_by(*newest).limit(limit)


def _place() -> Tuple:
    return tuple_(JobStatus.enqueued_at, JobStatus.id)


def _as_place(cursor: Cursor) -> Tuple:
    """The types are named because a tuple does not pass those of its columns on to what they are compared with."""
    types = [column.type for column in (JobStatus.enqueued_at, JobStatus.id)]
    return tuple_(cursor.enqueued_at, cursor.id, types=types)


def line_of(row: Any) -> JobLine:
    """A row of `LINE_COLUMNS` as a list shows it."""
    values = {name: getattr(row, name) for name in LINE_COLUMNS}
    values["state"] = State(values["state"])
    values["tags"] = tuple(json.loads(values["tags"] or "[]"))
    if values["state"] not in (State.SCHEDULED, State.RETRYING):
        values["due_at"] = None
    return JobLine(**values)


def _count_alike(session: Session, fingerprint: str | None) -> int:
    if fingerprint is None:
        return 0
    found = select(JobStatus.id).where(JobStatus.fingerprint == fingerprint).limit(ALIKE_LIMIT + 1).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def attempt_view(row: JobAttempt) -> AttemptView:
    """An attempt as it is stored."""
    return AttemptView(**{name: getattr(row, name) for name in AttemptView.__slots__})


def _beginning_of_payload(session: Session, job_id: str) -> tuple[dict[str, Any] | None, bool]:
    """What a page can show of it: reading and parsing all of 5 MB would take longer than everything else."""
    told = select(func.substr(JobStatus.payload, 1, PAGE_PAYLOAD), func.length(JobStatus.payload))
    text, length = session.execute(told.where(JobStatus.id == job_id)).one()
    if text is None or length <= PAGE_PAYLOAD:
        return _json(text), False
    return from_json(text, allow_partial="trailing-strings"), True


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
