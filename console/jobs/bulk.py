"""One thing done to every job that matches: batch after batch, each in a transaction of its own.

So nothing is locked for long, the work shows as it goes on, and what was done stays done if it is interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from console import clock
from console.access.idempotency import IdempotencyKey
from console.actor import Actor
from console.jobs.filters import JobFilter

BATCH = 500

Transaction = Callable[[], AbstractContextManager[Session]]
"""Opens a transaction that writes; it commits at the end of the block."""
Step = Callable[[Session, Actor, JobFilter, int], int]
"""`retry_matching`, `cancel_matching`, `flush_failed`: does it to at most so many; 0 when none is left."""
Claim = Callable[[Session], IdempotencyKey]


@dataclass(slots=True)
class _Progress:
    """How far it came. `before` bounds the jobs that are meant, and is the same for a repetition of the request."""

    before: datetime
    done: int = 0

    def read(self, row: IdempotencyKey | None) -> None:
        if row is not None and row.answer:
            kept = json.loads(row.answer)
            self.before, self.done = clock.from_ms(kept["before"]), kept["done"]

    def write(self, row: IdempotencyKey | None, is_last: bool) -> None:
        if row is not None:
            row.answer = json.dumps({"before": clock.to_ms(self.before), "done": self.done})
            row.complete = is_last


def do_to_all(
    transaction: Transaction,
    step: Step,
    actor: Actor,
    wanted: JobFilter,
    most: int | None = None,
    claim: Claim | None = None,
) -> int:
    """Takes the step until no job matches or `most` are done; returns how many were.

    Only jobs that were there at the beginning are meant: jobs that fail again while others are still being
    retried are not retried for ever. With a `claim` of an Idempotency-Key, a repetition of the request gives
    the same number, and goes on where an interrupted one stopped.
    """
    ahead = clock.now() + timedelta(milliseconds=1)  # `before` excludes its own millisecond
    progress = _Progress(min(wanted.before or ahead, ahead))
    while True:
        with transaction() as session:
            row = claim(session) if claim else None
            progress.read(row)
            if row is not None and row.complete:
                return progress.done
            size = BATCH if most is None else min(BATCH, most - progress.done)
            moved = step(session, actor, replace(wanted, before=progress.before), size) if size else 0
            progress.done += moved
            is_last = moved == 0 or progress.done == most
            progress.write(row, is_last)
        if is_last:
            return progress.done
