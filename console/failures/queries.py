"""Reads of failure groups. Each reads a bounded number of rows whatever the table of jobs holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, or_, select, text
from sqlalchemy.orm import Session

from console import clock
from console.errors import NotFound
from console.failures.affected import Values, common_values
from console.failures.rules import AGES, GroupState, Sort, standing
from console.jobs.groups import EVER, HOUR_MS, hour_of
from console.jobs.models import OPEN, FailureGroup, FailureTally, JobCount, JobStatus
from console.jobs.redaction import rules_of
from console.jobs.rules import FAILURES, State

COUNT_LIMIT = 1_000
"""Where counting jobs stops: "1,000+"."""
DAY_HOURS = 24
MATRIX_TYPES = 20
NEWEST = 500
"""Failures of a group that are looked into for what they have in common."""
LONGEST_PAYLOAD = 16_384
"""Characters up to which a payload is looked into."""
LAST_PAGE = 200


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups; an empty field holds for all. `assignee` "-": nobody's."""

    state: GroupState | None = None
    type: str = ""
    assignee: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """A number of jobs; not `exact`: there are more."""

    n: int
    exact: bool


@dataclass(frozen=True, slots=True)
class GroupView:
    """A failure group as a list shows it.

    `total` ever and `day` in 24 hours count ends of jobs, also of those that are deleted by now; `trend` is `day` by
    hour, oldest first. `open`: failed jobs that nobody has retried or deleted.
    """

    fingerprint: str
    type: str
    error_type: str
    pattern: str
    frame: str
    first_seen_at: datetime
    last_seen_at: datetime
    state: GroupState
    state_at: datetime | None
    state_by: str | None
    reopened_at: datetime | None
    reopened_why: str | None
    ignore_until: datetime | None
    ignore_left: int | None
    ignore_rate: int | None
    assignee: str | None
    note: str | None
    runbook: str | None
    ver: int
    total: int
    day: int
    trend: tuple[int, ...]
    open: Counted


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One page of a list; `more`: there is another after it."""

    groups: list[GroupView]
    more: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """Failed jobs of each type by age (`rules.AGES`), the types with most failures first. `more`: types left out."""

    now: datetime
    rows: list[tuple[str, list[Counted]]]
    more: int


@dataclass(frozen=True, slots=True)
class Alike:
    """What the newest failures of a group have in common. `jobs`: how many were looked into."""

    jobs: int
    payloads: list[Values]
    workers: list[tuple[str, int]]


def list_groups(
    session: Session, wanted: GroupFilter, sort: Sort = Sort.LAST, page: int = 1, limit: int = 50
) -> GroupPage:
    """The groups that match; `limit` from 1 to 200, `page` from 1 on."""
    now = clock.now()
    limit, page = max(1, min(limit, 200)), max(1, min(page, LAST_PAGE))
    query = _sorted(select(FailureGroup).where(*_conditions(wanted, now)), sort, now)
    rows = session.scalars(query.limit(limit + 1).offset((page - 1) * limit)).all()
    return GroupPage(_views(session, rows[:limit], now), len(rows) > limit)


def get_group(session: Session, fingerprint: str) -> GroupView:
    """One group. Raises `NotFound`."""
    row = session.get(FailureGroup, fingerprint)
    if row is None:
        raise NotFound(f"There is no failure group {fingerprint!r}. `celeriac failed --group` lists them.")
    return _views(session, [row], clock.now())[0]


def count_by_state(session: Session) -> dict[GroupState, int]:
    """How many groups stand in each state now."""
    now = clock.now()
    found = dict.fromkeys(GroupState, 0)
    lapsed = and_(FailureGroup.ignore_until.is_not(None), FailureGroup.ignore_until <= now)
    rows = session.execute(
        select(FailureGroup.state, func.count(), func.count().filter(lapsed)).group_by(FailureGroup.state)
    )
    for state, n, n_lapsed in rows:
        reopened = n_lapsed if state == GroupState.IGNORED else 0
        found[GroupState(state)] += n - reopened
        found[GroupState.OPEN] += reopened
    return found


def known_values(session: Session) -> tuple[list[str], list[str]]:
    """The job types and the assignees that there are groups of, sorted."""
    types = session.scalars(select(FailureGroup.type).distinct().order_by(FailureGroup.type).limit(1_000))
    assigned = select(FailureGroup.assignee).where(FailureGroup.assignee.is_not(None)).distinct()
    people = session.scalars(assigned.order_by(FailureGroup.assignee).limit(1_000))
    return list(types), [name for name in people if name]


def trend(session: Session, fingerprint: str, span: timedelta, grain: timedelta) -> list[tuple[datetime, int]]:
    """How many failures ended in each bucket of `grain` (whole hours) over the last `span`, oldest first."""
    grain_ms = int(grain.total_seconds()) * 1_000
    now_ms = clock.now_ms()
    first_ms = (now_ms - int(span.total_seconds()) * 1_000) // grain_ms * grain_ms + grain_ms
    found: dict[int, int] = {}
    for _, hour_at, n in session.execute(_tallies([fingerprint], clock.from_ms(first_ms))):
        place = clock.to_ms(hour_at) // grain_ms * grain_ms
        found[place] = found.get(place, 0) + int(n)
    return [(clock.from_ms(at), found.get(at, 0)) for at in range(first_ms, now_ms + 1, grain_ms)]


def latest_job(session: Session, fingerprint: str) -> str | None:
    """The newest failed job of a group that is still stored; as an example."""
    newest = select(JobStatus.id).where(JobStatus.fingerprint == fingerprint).order_by(JobStatus.enqueued_at.desc())
    return session.scalar(newest.limit(1))


def count_jobs(session: Session, fingerprint: str) -> Counted:
    """How many failed jobs of a group are stored."""
    return _counted(_numbers(session, [_limited(JobStatus.fingerprint == fingerprint)])[0])


def alike(session: Session, fingerprint: str) -> Alike:
    """What the newest failures of a group have in common."""
    payload = func.substr(JobStatus.payload, 1, LONGEST_PAYLOAD)  # one that is cut is no JSON, and so not looked into
    newest = select(payload, JobStatus.worker, JobStatus.type).where(JobStatus.fingerprint == fingerprint)
    rows = session.execute(newest.order_by(JobStatus.enqueued_at.desc()).limit(NEWEST)).all()
    workers: dict[str, int] = {}
    for row in rows:
        if row.worker:
            workers[row.worker] = workers.get(row.worker, 0) + 1
    most_first = sorted(workers.items(), key=lambda item: (-item[1], item[0]))[:10]
    return Alike(len(rows), common_values((row[0] for row in rows), rules_of(rows[0].type if rows else "")), most_first)


def matrix(session: Session, *, open_only: bool = False) -> Matrix:
    """Failed jobs by type and age; `open_only`: those that can be retried.

    A cell means the jobs that the list shows for its type, states and times of enqueueing.
    """
    now = clock.now()
    states = (State.RETRYABLE,) if open_only else tuple(sorted(FAILURES))
    n = func.sum(JobCount.n)
    failing = session.execute(
        select(JobCount.type, n)
        .where(JobCount.state.in_(states), JobCount.type.not_like("celeriac.%"))
        .group_by(JobCount.type)
        .having(n > 0)
        .order_by(n.desc(), JobCount.type)
    ).all()
    types = [row.type for row in failing[:MATRIX_TYPES]]
    cells = [
        _limited(
            JobStatus.type == job_type,
            JobStatus.state.in_(states),
            JobStatus.enqueued_at < now - age.since,
            *([JobStatus.enqueued_at >= now - age.until] if age.until else []),
        )
        for job_type in types
        for age in AGES
    ]
    figures = [_counted(n) for n in _numbers(session, cells)]
    rows = [(job_type, figures[place * len(AGES) : (place + 1) * len(AGES)]) for place, job_type in enumerate(types)]
    return Matrix(now, rows, len(failing) - len(types))


def _conditions(wanted: GroupFilter, now: datetime) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    lapsed = and_(FailureGroup.state == GroupState.IGNORED, func.coalesce(FailureGroup.ignore_until <= now, False))
    if wanted.state is GroupState.OPEN:
        found.append(or_(FailureGroup.state == GroupState.OPEN, lapsed))
    elif wanted.state is not None:
        found += [FailureGroup.state == wanted.state, ~lapsed]
    if wanted.type:
        found.append(FailureGroup.type == wanted.type)
    if wanted.assignee:
        nobodys = wanted.assignee == "-"
        found.append(FailureGroup.assignee.is_(None) if nobodys else FailureGroup.assignee == wanted.assignee)
    if wanted.text:
        told = (FailureGroup.type, FailureGroup.error_type, FailureGroup.pattern, FailureGroup.frame, FailureGroup.note)
        found.append(or_(*(column.icontains(wanted.text, autoescape=True) for column in told)))
    return found


def _sorted(query: Select[Any], sort: Sort, now: datetime) -> Select[Any]:
    if sort is Sort.NEW:
        return query.order_by(FailureGroup.first_seen_at.desc(), FailureGroup.fingerprint)
    if sort is Sort.LAST:
        return query.order_by(FailureGroup.last_seen_at.desc(), FailureGroup.fingerprint)
    hours = FailureTally.hour_at == EVER if sort is Sort.TOTAL else FailureTally.hour_at >= _day_ago(now)
    sums = select(FailureTally.fingerprint, func.sum(FailureTally.n).label("n")).where(hours)
    counted = sums.group_by(FailureTally.fingerprint).subquery()
    query = query.outerjoin(counted, counted.c.fingerprint == FailureGroup.fingerprint)
    most = func.coalesce(counted.c.n, 0).desc()
    return query.order_by(most, FailureGroup.last_seen_at.desc(), FailureGroup.fingerprint)


def _day_ago(now: datetime) -> datetime:
    """The beginning of the first of the 24 hours whose last one is not over."""
    return hour_of(now) - timedelta(hours=DAY_HOURS - 1)


def _tallies(fingerprints: Sequence[str], since: datetime) -> Select[Any]:
    of_those = (FailureTally.fingerprint.in_(fingerprints), FailureTally.hour_at >= since)
    key = (FailureTally.fingerprint, FailureTally.hour_at)
    query = select(*key, func.sum(FailureTally.n)).where(*of_those)
    return cast("Select[Any]", query.group_by(*key))


def _views(session: Session, rows: Sequence[FailureGroup], now: datetime) -> list[GroupView]:
    if not rows:
        return []
    names = [row.fingerprint for row in rows]
    since = _day_ago(now)
    hours = {name: [0] * DAY_HOURS for name in names}
    for name, hour_at, n in session.execute(_tallies(names, since)):
        place = clock.to_ms(hour_at - since + clock.EPOCH) // HOUR_MS
        if place < DAY_HOURS:
            hours[name][place] += int(n)
    ever = _tallies(names, EVER).where(FailureTally.hour_at == EVER)
    totals = {name: int(n) for name, _, n in session.execute(ever)}
    counts = [
        _limited(text(OPEN), JobStatus.type == row.type, JobStatus.fingerprint == row.fingerprint) for row in rows
    ]
    return [
        _view(row, now, totals.get(row.fingerprint, 0), hours[row.fingerprint], open_)
        for row, open_ in zip(rows, _numbers(session, counts), strict=True)
    ]


def _view(row: FailureGroup, now: datetime, total: int, hours: list[int], open_: int) -> GroupView:
    state = standing(row.state, row.ignore_until, now)
    stored = {name: getattr(row, name) for name in GroupView.__slots__ if hasattr(row, name)}
    shown = {"state": state, "total": total, "day": sum(hours), "trend": tuple(hours), "open": _counted(open_)}
    return GroupView(**(stored | shown))


def _limited(*conditions: Any) -> Any:
    """How many jobs there are, as a value of a query; counting stops where it is clear that there are more."""
    found = select(literal_column("1")).select_from(JobStatus).where(*conditions).limit(COUNT_LIMIT + 1).subquery()
    return select(func.count()).select_from(found).scalar_subquery()


def _numbers(session: Session, values: Sequence[Any]) -> list[int]:
    return list(session.execute(select(*values)).one()) if values else []


def _counted(n: int) -> Counted:
    return Counted(min(n, COUNT_LIMIT), n <= COUNT_LIMIT)
