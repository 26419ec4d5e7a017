"""Which schedules there are: by state, type, a part of the name, or those that somebody should look at.

Whatever is asked for, a page reads a bounded number of rows: a search goes through a narrow index in the order of
names until the page is full, and of what it finds at most `MOST_LOOKED_AT` are looked at for what else was asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from console import clock
from console.schedules import planning
from console.schedules.models import Schedule, ScheduleSearch
from console.schedules.queries import ScheduleView, view_of
from console.schedules.trouble import any_sign, flagged, late

SelectT = TypeVar("SelectT", bound=Select[*tuple[Any, ...]])
MOST_LOOKED_AT = 500
MOST_COUNTED = 2_000


@dataclass(frozen=True, slots=True)
class ScheduleFilter:
    """Which schedules: a text of name or type, and exact values. `flagged`: only those that need a look."""

    text: str = ""
    state: str = ""
    type: str = ""
    flagged: bool = False

    @property
    def is_only_text(self) -> bool:
        """Whether whatever matches the text is wanted."""
        return not (self.state or self.type or self.flagged)


def list_schedules(
    session: Session, wanted: ScheduleFilter = ScheduleFilter(), after: str | None = None, limit: int = 50,
) -> tuple[list[ScheduleView], str | None]:  # fmt: skip
    """Schedules by name, from after that name on, and the name that the next page begins after; None: the last.

    A page of a search with more conditions can be short, and there may be more nevertheless.
    """
    query = _exact(select(Schedule).order_by(Schedule.name).limit(limit + 1), wanted)
    following = None
    if after is not None:
        query = query.where(Schedule.name > after)
    if wanted.text:
        found, following = _matching(session, wanted, after, limit)
        if not found:
            return [], None
        query = query.where(Schedule.id.in_(found))
    if wanted.flagged:
        query = query.where(flagged(session, clock.now()))
    rows = session.scalars(query).all()
    shown = [view_of(row) for row in rows[:limit]]
    return shown, shown[-1].name if len(rows) > limit else following


def matching(query: SelectT, wanted: ScheduleFilter) -> SelectT:
    """A query that looks at schedules anyway, of those that fit."""
    query = _exact(query, wanted)
    if wanted.text:
        query = query.where(Schedule.id.in_(select(ScheduleSearch.schedule_id).where(_has(wanted.text))))
    if wanted.flagged:
        query = query.where(any_sign(clock.now()))
    return query


def counts(session: Session) -> dict[str, int]:
    """How many schedules are in each state, and how many are late."""
    by_state = session.execute(select(Schedule.state, func.count()).group_by(Schedule.state))
    found = {state: int(n) for state, n in by_state}
    n_late = session.scalar(select(func.count()).select_from(Schedule).where(late(clock.now()))) or 0
    return {state: found.get(state, 0) for state in planning.STATES} | {"late": n_late}


def counts_up_to(session: Session, most: int = MOST_COUNTED) -> dict[str, int]:
    """As `counts`, but no further than to one more than `most`: a page that says "2,000+" costs little."""
    wanted = {state: [Schedule.state == state] for state in planning.STATES}
    wanted["late"] = [late(clock.now())]
    counted = (
        select(func.count()).select_from(select(1).select_from(Schedule).where(*some).limit(most + 1).subquery(name))
        .scalar_subquery().label(name)
        for name, some in wanted.items()
    )  # fmt: skip
    return dict(session.execute(select(*counted)).mappings().one())


def _exact(query: SelectT, wanted: ScheduleFilter) -> SelectT:
    if wanted.state:
        query = query.where(Schedule.state == wanted.state)
    return query.where(Schedule.type == wanted.type) if wanted.type else query


def _matching(session: Session, wanted: ScheduleFilter, after: str | None, limit: int) -> tuple[list[str], str | None]:
    """The ids of those that the text is in, in the order of names, and the name to go on after when there are more."""
    most = limit + 1 if wanted.is_only_text else max(limit + 1, MOST_LOOKED_AT)
    query = select(ScheduleSearch.schedule_id, ScheduleSearch.name).where(_has(wanted.text))
    if after is not None:
        query = query.where(ScheduleSearch.name > after)
    found = session.execute(query.order_by(ScheduleSearch.name).limit(most)).all()
    is_all = wanted.is_only_text or len(found) < most
    return [row.schedule_id for row in found], None if is_all else found[-1].name


def _has(text: str) -> ColumnElement[bool]:
    return ScheduleSearch.text.contains(text.lower(), autoescape=True)
