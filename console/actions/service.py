"""What people do with actions. Each change is a compare-and-set, with its audit entry in the same transaction.

A change waits for the batch that is at work and comes before the next one, so that after it nothing more is done.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from console import clock, ids
from console.actions.estimate import estimate
from console.actions.models import BulkAction
from console.actions.queries import get_action
from console.actions.rules import (
    CAN_PAUSE,
    CAN_RESUME,
    CAN_STOP,
    CAN_UNDO,
    LEAST_RATE,
    LONGEST_TRIAL_S,
    MAX_NAME,
    MAX_RATE,
    MAX_TRIAL,
    ActionState,
    Kind,
)
from console.actor import Actor
from console.audit.service import record
from console.config import settings
from console.errors import Conflict, InvalidInput
from console.jobs import outbox
from console.jobs.filters import JobFilter

TOPIC = "actions"
PASS_PERCENT = 90
TRIAL_WAIT_S = 600


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, to which jobs, and how carefully. `trial`: so many first; 0: no trial."""

    kind: Kind
    wanted: JobFilter
    name: str = ""
    rate: float | None = None
    trial: int = 0
    pass_percent: int = PASS_PERCENT
    trial_wait_s: int = TRIAL_WAIT_S
    stop_percent: int | None = None


def create_action(session: Session, actor: Actor, plan: Plan) -> str:
    """Keeps the action, for a beat to work on; its id. The jobs that are meant are those that are there now.

    Raises `InvalidInput`.
    """
    check_plan(plan)
    expected = estimate(session, plan.kind, plan.wanted, plan.rate)
    if expected.wanted is None:
        raise _wrong("state", f"{expected.basis} Choose another one.")
    now = clock.now()
    row = BulkAction(
        id=ids.new_id(),
        kind=plan.kind,
        name=plan.name.strip(),
        filter=expected.wanted.to_json(),
        actor=actor.name[:255],
        role=actor.role,
        address=actor.address,
        state=ActionState.WAITING,
        estimate=expected.total,
        estimate_is_exact=expected.is_exact,
        rate=plan.rate,
        trial=plan.trial,
        pass_percent=plan.pass_percent,
        trial_wait_s=plan.trial_wait_s,
        stop_percent=plan.stop_percent,
        created_at=now,
        undo_until=now + timedelta(hours=settings().undo_hours) if plan.kind is Kind.FLUSH else None,
    )
    session.add(row)
    session.flush()
    _tell(session, actor, "create", row.id, kind=plan.kind, filter=plan.wanted.described(), estimate=expected.total)
    return row.id


def pause_action(session: Session, actor: Actor, action_id: str) -> None:
    """Nothing more is done until somebody resumes it. Raises `NotFound` or `Conflict`."""
    _change(session, actor, "pause", action_id, CAN_PAUSE, state=ActionState.PAUSED, outcome="")


def resume_action(session: Session, actor: Actor, action_id: str) -> None:
    """Goes on; after a trial that was not decided, with the rest. Raises `NotFound` or `Conflict`."""
    was = get_action(session, action_id)
    more: dict[str, Any] = {"tried": True} if was.state is ActionState.UNDECIDED else {}
    begun = was.started_at is not None
    if was.state is ActionState.PAUSED and was.trial_until and not was.tried:
        more["trial_until"] = clock.now() + timedelta(seconds=was.trial_wait_s)  # it could not be watched meanwhile
    still_to_try = was.trial > 0 and not was.tried and not more.get("tried")
    state = (ActionState.TRYING if still_to_try else ActionState.RUNNING) if begun else ActionState.WAITING
    more |= {"state": state, "outcome": "", "next_at": None, "ended_at": None}
    _change(session, actor, "resume", action_id, CAN_RESUME & {was.state}, **more)


def stop_action(session: Session, actor: Actor, action_id: str) -> None:
    """Ends it where it is; what was done stays done. Raises `NotFound` or `Conflict`."""
    done = get_action(session, action_id)
    outcome = f"{actor.name} stopped it."
    values: dict[str, Any] = {"state": ActionState.STOPPED, "outcome": outcome, "ended_at": clock.now()}
    _change(session, actor, "stop", done.id, CAN_STOP, **values)


def set_rate(session: Session, actor: Actor, action_id: str, rate: float | None) -> None:
    """From now on so many jobs a second; None: as fast as it goes. Raises `NotFound`, `Conflict` or `InvalidInput`."""
    _check_rate(rate)
    _change(session, actor, "rate", action_id, CAN_STOP, keep_lease=True, rate=rate, next_at=None)


def undo_action(session: Session, actor: Actor, action_id: str) -> None:
    """Has the flushed jobs brought back. Raises `NotFound` or `Conflict`."""
    was = get_action(session, action_id)
    if was.kind is not Kind.FLUSH:
        raise Conflict(f"A {was.kind} cannot be undone. A flush can, for {settings().undo_hours:g} hours.")
    if was.undo_until is None or clock.now() >= was.undo_until:
        raise Conflict("It is too late to undo it: the jobs are kept aside no longer.")
    values: dict[str, Any] = {"state": ActionState.UNDOING, "outcome": "", "next_at": None, "ended_at": None}
    _change(session, actor, "undo", action_id, CAN_UNDO, **values)


def _change(
    session: Session,
    actor: Actor,
    verb: str,
    action_id: str,
    possible: Collection[ActionState],
    *,
    keep_lease: bool = False,
    **values: Any,
) -> None:
    freed = {} if keep_lease else {"lease_owner": None, "lease_until": None}
    found = update(BulkAction).where(BulkAction.id == action_id, BulkAction.state.in_(list(possible)))
    changed: int = session.execute(found.values(**values, **freed)).rowcount  # type: ignore[attr-defined]
    if changed != 1:
        now = get_action(session, action_id)
        raise Conflict(f"The action is {now.state} now; that no longer allows to {_WORDS[verb]}.")
    _tell(session, actor, verb, action_id, **({"rate": values["rate"]} if "rate" in values else {}))


_WORDS = {
    "pause": "pause it", "resume": "resume it", "stop": "stop it", "rate": "change its rate", "undo": "undo it",
}  # fmt: skip


def _tell(session: Session, actor: Actor, verb: str, action_id: str, **detail: Any) -> None:
    record(session, actor, f"actions.{verb}", "action", action_id, **detail)
    outbox.tell_after_commit(session, TOPIC)


def check_plan(plan: Plan) -> None:
    """Raises `InvalidInput` naming the first thing that cannot be."""
    _check_rate(plan.rate)
    if len(plan.name) > MAX_NAME or not plan.name.isprintable():
        raise _wrong("name", f"Use one line of at most {MAX_NAME} characters.")
    if plan.kind is not Kind.RETRY and (plan.trial or plan.stop_percent is not None):
        raise _wrong("trial", "Only a retry makes jobs that can be watched; leave trial and stop out.")
    if not 0 <= plan.trial <= MAX_TRIAL:
        raise _wrong("trial", f"Try between 1 and {MAX_TRIAL:,} jobs first, or 0 for no trial.")
    if not 1 <= plan.pass_percent <= 100:
        raise _wrong("pass_percent", "Use 1 to 100 per cent.")
    if not 1 <= plan.trial_wait_s <= LONGEST_TRIAL_S:
        raise _wrong("trial_wait_s", f"Wait between 1 and {LONGEST_TRIAL_S:,} seconds for the trial.")
    if plan.stop_percent is not None and not 1 <= plan.stop_percent <= 99:
        raise _wrong("stop_percent", "Use 1 to 99 per cent.")


def _check_rate(rate: float | None) -> None:
    if rate is not None and not LEAST_RATE <= rate <= MAX_RATE:
        raise _wrong("rate", f"Use {LEAST_RATE:g} to {MAX_RATE:,.0f} jobs a second, or none for as fast as it goes.")


def _wrong(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"{field}: {message}", [{"field": field, "message": message}])
