"""One step of an action: jobs and progress change in one transaction, and only for whoever holds the lease.

So it may be killed at any time: either both are there or neither is. What is to be sent to workers is sent after the
commit, and by beat if this process dies in between (`console.jobs.outbox`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from console import clock
from console.actions.estimate import HOW
from console.actions.models import BulkAction
from console.actions.queries import ends_of
from console.actions.rules import (
    ACTIVE,
    ActionState,
    Ends,
    Kind,
    Verdict,
    batch_size,
    fails_too_often,
    judge_trial,
    next_ms,
)
from console.actions.service import TOPIC
from console.actor import SYSTEM, Actor
from console.audit.service import record, record_many
from console.errors import CeleriacError
from console.jobs import archive, matching, outbox
from console.jobs.filters import JobFilter

LEASE = timedelta(seconds=10)
"""How long a beat that says nothing keeps others from going on with its action."""
KEPT_LONGER = timedelta(hours=1)
"""Flushed jobs stay for longer than it can be undone, so that upkeep does not take away what is being brought back."""
WATCH_S = 1.0
"""How often the ends of its jobs are counted."""
LOCKED_S = 0.5
"""When all that are left are at work by somebody else: then it is seen what they left."""
_DONE = {Kind.RETRY: "Retried", Kind.CANCEL: "Cancelled", Kind.FLUSH: "Deleted"}


@dataclass(frozen=True, slots=True)
class Turn:
    """What a step came to: in how many seconds the next one is due; None: nothing to do until a person says so."""

    wait_s: float | None


def take_step(session: Session, action_id: str, owner: str, *, watch: bool) -> Turn:
    """Takes the next step, if the action is still this owner's. `watch`: look at how its jobs have ended.

    The caller commits. Another beat, or a person who wants to change it, waits until then.
    """
    held = select(BulkAction).where(
        BulkAction.id == action_id, BulkAction.lease_owner == owner, BulkAction.state.in_(list(ACTIVE))
    )
    row = session.scalar(held.with_for_update())
    if row is None:
        return Turn(None)
    now = clock.now()
    row.lease_until = now + LEASE
    turn = _STEPS[ActionState(row.state)](session, row, now, watch)
    if turn.wait_s is None:
        row.lease_owner = row.lease_until = None
    return turn


def fail(session: Session, action_id: str, owner: str, error: Exception) -> None:
    """Something happened that nobody foresaw: the action rests, and says so, instead of meeting it for ever."""
    held = select(BulkAction).where(BulkAction.id == action_id, BulkAction.lease_owner == owner)
    row = session.scalar(held.with_for_update())
    if row is not None:
        what = error.detail if isinstance(error, CeleriacError) else f"{type(error).__name__}: {error}"
        # Undoing must not be resumed, since that would flush again; it can be asked for again.
        state = ActionState.DONE if row.state == ActionState.UNDOING else ActionState.FAILED
        _end(session, row, state, f"Stopped by an error. {what}"[:500])
        row.lease_owner = row.lease_until = None


def _begin(session: Session, row: BulkAction, now: datetime, _watch: bool) -> Turn:
    row.started_at = row.started_at or now
    row.state = ActionState.TRYING if row.trial and not row.tried else ActionState.RUNNING
    outbox.tell_after_commit(session, TOPIC)
    return Turn(0.0)


def _try(session: Session, row: BulkAction, now: datetime, watch: bool) -> Turn:
    """The trial's jobs first; then it is looked at how they end."""
    if row.trial_until is None:
        if (wait := _until_next(row, now)) > 0:
            return Turn(wait)
        moved = _batch(session, row, now, row.trial - row.done)
        if not moved or row.done >= row.trial:
            row.trial_until = now + timedelta(seconds=row.trial_wait_s)
        return Turn(_until_next(row, now))
    if not watch:
        return Turn(WATCH_S)
    ends = ends_of(session, row.id, row.done)
    verdict = judge_trial(ends, row.pass_percent, now >= row.trial_until)
    return Turn(WATCH_S) if verdict is Verdict.WAIT else _decided(session, row, verdict, ends)


def _decided(session: Session, row: BulkAction, verdict: Verdict, ends: Ends) -> Turn:
    said = f"{ends.succeeded:,} of {row.done:,} succeeded, {ends.failed:,} failed"
    if verdict is Verdict.PASSED:
        row.tried, row.state = True, ActionState.RUNNING
        _note(session, row, "trial_passed", ends)
        return Turn(0.0)
    if verdict is Verdict.FAILED:
        _end(session, row, ActionState.STOPPED, f"The trial failed: {said}. Nothing else was run.")
        _note(session, row, "trial_failed", ends)
    else:
        row.state = ActionState.UNDECIDED
        row.outcome = f"The trial is undecided: {said}, and the others have not ended in time. Go on, or stop it."
        _note(session, row, "trial_undecided", ends)
    return Turn(None)


def _run(session: Session, row: BulkAction, now: datetime, watch: bool) -> Turn:
    """The rest, as long as not too many of its jobs fail."""
    if watch and row.stop_percent is not None:
        ends = ends_of(session, row.id, row.done)
        if fails_too_often(ends, row.stop_percent):
            why = f"{ends.failed:,} of the {ends.ended:,} that have ended failed, more than {row.stop_percent} %"
            _end(session, row, ActionState.STOPPED, f"It stopped by itself: {why}.")
            _note(session, row, "stopped_itself", ends)
            return Turn(None)
    if (wait := _until_next(row, now)) > 0:
        return Turn(wait)
    if _batch(session, row, now, matching.BATCH):
        return Turn(_until_next(row, now))
    if matching.is_any_left(session, JobFilter.from_json(row.filter), HOW[Kind(row.kind)].states):
        return Turn(LOCKED_S)
    noun = "job" if row.done == 1 else "jobs"
    refused = f" {row.refused:,} could not be." if row.refused else ""
    _end(session, row, ActionState.DONE, f"{_DONE[Kind(row.kind)]} {row.done:,} {noun}.{refused}")
    return Turn(None)


def _undo(session: Session, row: BulkAction, _now: datetime, _watch: bool) -> Turn:
    restored, taken = archive.restore(session, row.id, matching.BATCH)
    row.restored += len(restored)
    outbox.tell_after_commit(session, TOPIC)
    if taken:
        outbox.announce_after_commit(session, ["*"])
        return Turn(0.0)
    _end(session, row, ActionState.UNDONE, f"Undone: {row.restored:,} of {row.done:,} jobs are back.")
    return Turn(None)


_STEPS = {
    ActionState.WAITING: _begin,
    ActionState.TRYING: _try,
    ActionState.RUNNING: _run,
    ActionState.UNDOING: _undo,
}


def _batch(session: Session, row: BulkAction, now: datetime, most: int) -> int:
    """Does it to a few more jobs; how many, refused ones included. 0: none is left."""
    wanted, actor = JobFilter.from_json(row.filter), Actor(row.actor, row.role, row.address)
    size = batch_size(row.rate, min(most, matching.BATCH))
    done, refused = _do(session, row, actor, wanted, size)
    if done:
        row.entry_id = record_many(
            session, actor, f"jobs.{row.kind}", done, row.entry_id, filter=wanted.described(), bulk_action=row.id
        )
    row.done += len(done)
    row.refused += refused
    if row.rate is not None and done:
        planned = clock.to_ms(row.next_at) if row.next_at else None
        row.next_at = clock.from_ms(next_ms(clock.to_ms(now), planned, len(done), row.rate))
    outbox.tell_after_commit(session, TOPIC)
    return len(done) + refused


def _do(session: Session, row: BulkAction, actor: Actor, wanted: JobFilter, size: int) -> tuple[list[str], int]:
    if row.kind == Kind.RETRY:
        return matching.retry_some(session, wanted, size, row.id)
    if row.kind == Kind.CANCEL:
        return matching.cancel_matching(session, actor, wanted, size), 0
    keep = archive.Keep(row.id, (row.undo_until or clock.now()) + KEPT_LONGER)
    return matching.flush_failed(session, actor, wanted, size, keep), 0


def _until_next(row: BulkAction, now: datetime) -> float:
    """Seconds until the rate lets the next batch go."""
    return max(0.0, (row.next_at - now).total_seconds()) if row.rate is not None and row.next_at else 0.0


def _end(session: Session, row: BulkAction, state: ActionState, outcome: str) -> None:
    row.state, row.outcome, row.ended_at = state, outcome, clock.now()
    outbox.tell_after_commit(session, TOPIC)


def _note(session: Session, row: BulkAction, what: str, ends: Ends) -> None:
    """What it decided by itself stands in the audit log beside what people did."""
    record(
        session, SYSTEM, f"actions.{what}", "action", row.id,
        succeeded=ends.succeeded, failed=ends.failed, open=ends.open,
    )  # fmt: skip
    outbox.tell_after_commit(session, TOPIC)
