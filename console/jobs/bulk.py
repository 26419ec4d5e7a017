"""One thing done to every job that matches: batch after batch, each in a transaction of its own.

So nothing is locked for long, the work shows as it goes on, and what was done stays done if it is interrupted.
Which jobs are meant is settled at the beginning: those that are there then, and of a text those in which a list looks
for it. So what is done is what a page counted before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.orm import Session

from console import clock
from console.access.idempotency import IdempotencyKey
from console.actor import Actor
from console.audit.service import record_many
from console.jobs import matching, outbox, queries
from console.jobs.filters import Cursor, JobFilter
from console.jobs.matching import BATCH
from console.jobs.rules import FAILURES, WAITING, State

Transaction = Callable[[], AbstractContextManager[Session]]
"""Opens a transaction that writes; it commits at the end of the block."""
Step = Callable[[Session, Actor, JobFilter, int], list[str]]
"""`retry_matching`, `cancel_matching`, `flush_failed`: does it to at most so many; [] when none is left."""
Claim = Callable[[Session], IdempotencyKey]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done to all that match. `states`: those of jobs for which it is possible.

    `sends`: workers are sent something, so that jobs which another broker carries are let be.
    """

    name: str
    states: frozenset[State]
    step: Step
    sends: bool = True


RETRY = Action("jobs.retry", frozenset({State.RETRYABLE}), matching.retry_matching)
CANCEL = Action("jobs.cancel", WAITING, matching.cancel_matching)
FLUSH = Action("jobs.flush", FAILURES, matching.flush_failed, sends=False)


def meant(session: Session, action: Action, wanted: JobFilter) -> JobFilter | None:
    """The jobs that match, are there now and that it can be done to; None: of those states none is wanted."""
    states = tuple(state for state in State if state in action.states and (not wanted.states or state in wanted.states))
    ahead = clock.now() + timedelta(milliseconds=1)  # `before` excludes its own millisecond
    if not states:
        return None
    until = min(wanted.before or ahead, ahead)
    return queries.settle(session, replace(wanted, states=states, before=until, ours=action.sends))


@dataclass(slots=True)
class _Progress:
    """Which jobs are meant, the same for a repetition of the request, and how far it came.

    `entry`: that of the audit log, which counts on.
    """

    wanted: JobFilter | None
    most: int | None
    done: int = 0
    entry: str | None = None
    is_over: bool = False

    def read(self, row: IdempotencyKey | None) -> None:
        if row is not None and row.answer and self.wanted:
            kept = json.loads(row.answer)
            before, back_to = clock.from_ms(kept["before"]), Cursor.decode(kept["back_to"])
            self.wanted, self.done = replace(self.wanted, before=before, back_to=back_to), kept["done"]
            self.entry = kept["entry"]
        self.is_over = row is not None and row.complete

    def write(self, row: IdempotencyKey | None) -> None:
        if row is None:
            return
        if self.wanted and self.wanted.before:
            back_to = self.wanted.back_to.encode() if self.wanted.back_to else ""
            kept = {"before": clock.to_ms(self.wanted.before), "back_to": back_to}
            row.answer = json.dumps(kept | {"done": self.done, "entry": self.entry})
        row.complete = self.is_over


def do_to_all(
    transaction: Transaction,
    action: Action,
    actor: Actor,
    wanted: JobFilter,
    most: int | None = None,
    claim: Claim | None = None,
) -> int:
    """Takes the action's step until no job that is meant is left or `most` are done; returns how many were.

    Jobs that fail again while others are still being retried are not retried for ever. With a `claim` of an
    Idempotency-Key, a repetition of the request gives the same number, and goes on where an interrupted one stopped.
    """
    progress: _Progress | None = None
    with outbox.Courier() as courier:
        while progress is None or not progress.is_over:
            with transaction() as session:
                row = claim(session) if claim else None
                progress = progress or _Progress(meant(session, action, wanted), most)
                progress.read(row)
                if not progress.is_over:
                    courier.carry(session)
                    _go_on(session, action, actor, progress)
                    progress.write(row)
    return progress.done


def _go_on(session: Session, action: Action, actor: Actor, progress: _Progress) -> None:
    """Does it to one more batch, and adds that to the audit log."""
    size = BATCH if progress.most is None else min(BATCH, progress.most - progress.done)
    moved = action.step(session, actor, progress.wanted, size) if size and progress.wanted else []
    if moved and progress.wanted:
        described = progress.wanted.described()
        progress.entry = record_many(session, actor, action.name, moved, progress.entry, filter=described)
    progress.done += len(moved)
    progress.is_over = not moved or progress.done == progress.most
