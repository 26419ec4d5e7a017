"""The jobs around one: what started it, what it started, what it retries and what retries it. Bounded in each way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from console.jobs.models import JobStatus
from console.jobs.queries import LINE_COLUMNS, JobDetail, JobLine, line_of

SHOWN = 50
COUNTED = 1_000
UP = 10
"""How many steps upwards are shown; then the first of the family stands above a gap."""
BELOW_EACH = 5
_COLUMNS = (*(getattr(JobStatus, name) for name in LINE_COLUMNS), JobStatus.parent_id)


@dataclass(slots=True)
class Branch:
    """A job in the tree. `line` is None when it is not stored. `why`: how it came from the one above it.

    `gap`: there are others between the one above and this one. `more`: how many below it are not shown, at least.
    """

    id: str
    line: JobLine | None
    why: str = ""
    is_self: bool = False
    gap: bool = False
    more: int = 0
    children: list[Branch] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Relatives:
    """`started`: those it started, oldest first, and whether there are more than these.

    `known`: its parent, the first job of its family, the job its group leads to, the one it retries and the one that
    retries it, by their ids; those that are not stored are missing. `beside`: how many of its group are stored, itself
    included, and `awaited`: how many lead to it as the body of their chord; both are counted up to `COUNTED`.
    """

    started: list[JobLine]
    has_more: bool
    known: dict[str, JobLine]
    beside: int = 0
    awaited: int = 0

    tree: Branch | None = None

    @property
    def are_any(self) -> bool:
        """Whether there is anything to show that does not follow from the job alone."""
        return bool(self.started or self.beside > 1 or self.awaited or self.tree)


def relatives_of(session: Session, job: JobDetail) -> Relatives:
    """The jobs around this one."""
    started, has_more = _children(session, [job.line.id], SHOWN)
    above = {job.parent_id, job.root_id, job.chord_id, job.line.retry_of, job.line.retried_as} - {None, job.line.id}
    known = {line.id: (line, parent) for line, parent in _read(session, above)}
    below = [line for line, _ in started]
    return Relatives(
        below,
        has_more,
        {job_id: line for job_id, (line, _) in known.items()},
        beside=_count(session, JobStatus.group_id == job.group_id) if job.group_id else 0,
        awaited=_count(session, JobStatus.chord_id == job.line.id),
        tree=_tree(session, job, below, known, has_more=has_more),
    )


Known = dict[str, tuple[JobLine, str | None]]


def _tree(session: Session, job: JobDetail, started: list[JobLine], known: Known, *, has_more: bool) -> Branch | None:
    """From the first known ancestor down to what was started by what this one started; None: it stands alone."""
    line = job.line
    top = Branch(line.id, line, _why(job.parent_id, line.retry_of), is_self=True, more=int(has_more))
    top.children = [Branch(other.id, other, "started") for other in started]
    _add_grandchildren(session, top.children)
    if line.retried_as:
        top.children.append(Branch(line.retried_as, _line(known, line.retried_as), "retried as"))
    above, steps = job.parent_id or line.retry_of, 0
    while above and above != top.id and steps < UP:
        if above not in known:
            known |= {other.id: (other, parent) for other, parent in _read(session, {above})}
        found, parent = known.get(above, (None, None))
        grand = parent or (found.retry_of if found else None)
        top = Branch(above, found, _why(parent, found.retry_of if found else None), children=[top])
        above, steps = grand, steps + 1
    if job.root_id and job.root_id not in (top.id, line.id) and not _holds(top, job.root_id):
        top.gap = True
        top = Branch(job.root_id, _line(known, job.root_id), children=[top])
    return top if top.children else None


def _add_grandchildren(session: Session, branches: list[Branch]) -> None:
    if not branches:
        return
    by_parent = defaultdict(list)
    rows, _ = _children(session, [branch.id for branch in branches], SHOWN * 2)
    for line, parent in rows:
        by_parent[parent].append(line)
    for branch in branches:
        found = by_parent[branch.id]
        branch.children = [Branch(line.id, line, "started") for line in found[:BELOW_EACH]]
        branch.more = max(0, len(found) - BELOW_EACH)


def _holds(branch: Branch, job_id: str) -> bool:
    return branch.id == job_id or any(_holds(child, job_id) for child in branch.children)


def _why(parent_id: str | None, retry_of: str | None) -> str:
    return "started" if parent_id else "retried as" if retry_of else ""


def _line(known: Known, job_id: str) -> JobLine | None:
    return known[job_id][0] if job_id in known else None


def _read(session: Session, job_ids: Collection[str | None]) -> list[tuple[JobLine, str | None]]:
    if not job_ids:
        return []
    return _lines(session.execute(select(*_COLUMNS).where(JobStatus.id.in_(job_ids))))


def _children(session: Session, parents: list[str], limit: int) -> tuple[list[tuple[JobLine, str | None]], bool]:
    """The first they started, of as many as are counted: a job may have started a million. And whether there are more.

    Of one that started more than `COUNTED`, the first of any thousand.
    """
    some = select(JobStatus.id).where(JobStatus.parent_id.in_(parents)).limit(COUNTED)
    rows = select(*_COLUMNS).where(JobStatus.id.in_(some)).order_by(JobStatus.enqueued_at, JobStatus.id)
    found = _lines(session.execute(rows.limit(limit + 1)))
    return found[:limit], len(found) > limit


def _lines(rows: Any) -> list[tuple[JobLine, str | None]]:
    return [(line_of(row), row.parent_id) for row in rows]


def _count(session: Session, which: ColumnElement[bool]) -> int:
    some = select(JobStatus.id).where(which).limit(COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0
