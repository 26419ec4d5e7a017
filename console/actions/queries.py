"""Reads of actions and of the jobs that they made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from console import clock
from console.actions.models import BulkAction
from console.actions.rules import CAN_PAUSE, CAN_RESUME, CAN_STOP, CAN_UNDO, OPEN, ActionState, Ends, Kind
from console.errors import NotFound
from console.jobs.filters import Cursor, JobFilter
from console.jobs.models import JobStatus
from console.jobs.queries import LINE_COLUMNS, JobLine, line_of
from console.jobs.rules import ENDED, State
from console.jobs.search.language import format_filter

AS_ASKED = timedelta(minutes=1)
_BOTH = frozenset({State.FAILED, State.RETRYABLE})
_FAILED = frozenset({State.FAILED, State.RETRYABLE, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class ActionView:
    """An action as pages, API and commands show it."""

    id: str
    kind: Kind
    name: str
    wanted: JobFilter
    actor: str
    state: ActionState
    estimate: int
    estimate_is_exact: bool
    done: int
    refused: int
    restored: int
    rate: float | None
    trial: int
    pass_percent: int
    trial_wait_s: int
    trial_until: datetime | None
    tried: bool
    stop_percent: int | None
    outcome: str
    worked_on: bool
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    undo_until: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it is not over yet."""
        return self.state in OPEN

    @property
    def words(self) -> list[str]:
        """Which jobs are meant. That they were there when it was asked for goes without saying."""
        before = self.wanted.before
        as_asked = before is not None and before > self.created_at - AS_ASKED
        return words_of(replace(self.wanted, before=None) if as_asked else self.wanted)

    @property
    def left_s(self) -> float | None:
        """At its rate, so many seconds more; None: nobody knows."""
        is_moving = self.state in (ActionState.RUNNING, ActionState.TRYING)
        if self.rate is None or not self.estimate_is_exact or not is_moving:
            return None
        return max(0, self.estimate - self.done - self.refused) / self.rate

    @property
    def percent(self) -> int | None:
        """How far it came; None: nobody knows how many there are."""
        if self.state in (ActionState.UNDOING, ActionState.UNDONE):
            return min(100, self.restored * 100 // self.done) if self.done else 100
        if self.state is ActionState.DONE:
            return 100
        seen = self.done + self.refused
        return min(100, seen * 100 // self.estimate) if self.estimate_is_exact and self.estimate else None

    @property
    def can(self) -> frozenset[str]:
        """What a person may ask of it as it stands: pause, resume, stop, rate, undo."""
        asked = {"pause": CAN_PAUSE, "resume": CAN_RESUME, "stop": CAN_STOP, "rate": CAN_STOP}
        found = {name for name, states in asked.items() if self.state in states}
        in_time = self.undo_until is not None and clock.now() < self.undo_until
        return frozenset(found | ({"undo"} if in_time and self.done and self.state in CAN_UNDO else set()))


def get_action(session: Session, action_id: str) -> ActionView:
    """One action. Raises `NotFound`."""
    row = session.get(BulkAction, action_id, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no action {action_id!r}.")
    return view_of(row)


def list_actions(
    session: Session, cursor: Cursor | None = None, limit: int = 50
) -> tuple[list[ActionView], Cursor | None]:
    """The newest actions from the cursor on, and where the next page begins."""
    query = select(BulkAction).order_by(BulkAction.created_at.desc(), BulkAction.id.desc()).limit(limit + 1)
    if cursor is not None:
        place = tuple_(BulkAction.created_at, BulkAction.id)
        types = [BulkAction.created_at.type, BulkAction.id.type]
        query = query.where(place < tuple_(cursor.enqueued_at, cursor.id, types=types))
    rows = session.scalars(query).all()
    shown = [view_of(row) for row in rows[:limit]]
    return shown, Cursor(shown[-1].created_at, shown[-1].id) if len(rows) > limit else None


def made_by_state(session: Session, action_id: str) -> dict[State, int]:
    """How many of the jobs that an action made are in each state; its index alone answers."""
    query = select(JobStatus.state, func.count()).where(JobStatus.action_id == action_id).group_by(JobStatus.state)
    return {State(state): int(n) for state, n in session.execute(query)}


def ends_of(session: Session, action_id: str, made: int) -> Ends:
    """How the jobs have ended, of which it made so many. One that is there no more counts as open."""
    counts = made_by_state(session, action_id)
    failed = sum(n for state, n in counts.items() if state in _FAILED)
    succeeded = counts.get(State.COMPLETED, 0)
    return Ends(succeeded, failed, max(0, made - succeeded - failed))


def list_made(session: Session, action_id: str, limit: int = 20) -> list[JobLine]:
    """Some of the jobs that an action made: those that failed first, then those that have not ended, then the rest."""
    counts = made_by_state(session, action_id)
    order = sorted(counts, key=lambda state: (state not in _FAILED, state in ENDED, state))
    shown = [getattr(JobStatus, name) for name in LINE_COLUMNS]
    found: list[JobLine] = []
    for state in order:
        if len(found) < limit:
            query = select(*shown).where(JobStatus.action_id == action_id, JobStatus.state == state)
            found += map(line_of, session.execute(query.limit(limit - len(found))))
    return found


def words_of(wanted: JobFilter) -> list[str]:
    """A filter in words, one for each condition."""
    both = set(wanted.states) >= _BOTH  # FAILED stands for RETRYABLE too
    states = [state.capitalize() for state in wanted.states if not (both and state is State.RETRYABLE)]
    said = [" or ".join(states)] if states else []
    said += [f"queue {wanted.queue}"] if wanted.queue else []
    said += [f"type {wanted.type}"] if wanted.type else []
    said += [f"contains “{wanted.text}”"] if wanted.text else []
    said += [format_filter(JobFilter(conditions=wanted.conditions))] if wanted.conditions else []
    said += [f"enqueued from {wanted.after:%Y-%m-%d %H:%M:%S} UTC"] if wanted.after else []
    said += [f"enqueued until {wanted.before:%Y-%m-%d %H:%M:%S} UTC"] if wanted.before else []
    return [*said, "upkeep too"] if wanted.internal else said


def view_of(row: BulkAction) -> ActionView:
    """A row as it is shown."""
    same = {name: getattr(row, name) for name in ActionView.__slots__ if name not in _OTHERWISE}
    held = row.lease_until is not None and row.lease_until > clock.now()
    wanted = JobFilter.from_json(row.filter)
    return ActionView(kind=Kind(row.kind), state=ActionState(row.state), wanted=wanted, worked_on=held, **same)


_OTHERWISE = ("kind", "state", "wanted", "worked_on")
