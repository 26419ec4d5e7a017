"""What an action may be, and when it goes on, waits for a person or stops itself. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from console.errors import InvalidInput


class Kind(StrEnum):
    """What is done to the jobs."""

    RETRY = "retry"
    CANCEL = "cancel"
    FLUSH = "flush"


DESTRUCTIVE = frozenset({Kind.CANCEL, Kind.FLUSH})
"""To be confirmed: on a page by typing the word."""


class ActionState(StrEnum):
    """How an action stands."""

    WAITING = "waiting"
    TRYING = "trying"
    UNDECIDED = "undecided"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


ACTIVE = frozenset({ActionState.WAITING, ActionState.TRYING, ActionState.RUNNING, ActionState.UNDOING})
"""A beat works on these."""
CAN_PAUSE = frozenset({ActionState.WAITING, ActionState.TRYING, ActionState.RUNNING})
CAN_RESUME = frozenset({ActionState.PAUSED, ActionState.UNDECIDED, ActionState.FAILED})
CAN_STOP = CAN_PAUSE | CAN_RESUME - {ActionState.FAILED}
CAN_UNDO = frozenset({ActionState.DONE, ActionState.STOPPED, ActionState.FAILED})
OPEN = CAN_STOP | {ActionState.UNDOING}
"""Not over yet."""

MAX_RATE = 10_000.0
LEAST_RATE = 0.01
MAX_TRIAL = 2_000
"""What one transaction can do: a trial is to be small."""
MAX_NAME = 200
LONGEST_TRIAL_S = 86_400
LEAST_ENDED = 10
"""Of its jobs must have ended before the share of failures says anything."""
BATCH_S = 0.5
"""At a rate, one batch is what may be done in this time: so a change of the rate is seen at once."""
MAX_BEHIND_S = 1.0
"""Of what an action could not do in time, so much is made up for; after a pause of the beat it does not race."""


@dataclass(frozen=True, slots=True)
class Ends:
    """How the jobs that an action made have ended. `open`: those that have not, or are not there any more."""

    succeeded: int = 0
    failed: int = 0
    open: int = 0

    @property
    def ended(self) -> int:
        """How many have."""
        return self.succeeded + self.failed


class Verdict(StrEnum):
    """What a trial has shown."""

    WAIT = "wait"
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


def judge_trial(ends: Ends, pass_percent: int, is_overdue: bool) -> Verdict:
    """Passed as soon as enough have succeeded, failed as soon as that is no longer possible."""
    ran = ends.ended + ends.open
    needed = ceil(ran * pass_percent / 100)
    if ends.succeeded >= needed:
        return Verdict.PASSED
    if ends.failed > ran - needed:
        return Verdict.FAILED
    return Verdict.UNDECIDED if is_overdue else Verdict.WAIT


def fails_too_often(ends: Ends, stop_percent: int | None) -> bool:
    """Whether more of the jobs that have ended failed than the action puts up with."""
    if stop_percent is None or ends.ended < LEAST_ENDED:
        return False
    return ends.failed * 100 > ends.ended * stop_percent


def batch_size(rate: float | None, most: int) -> int:
    """How many jobs to take at once, `most` when there is no rate."""
    return most if rate is None else max(1, min(most, int(rate * BATCH_S)))


def next_ms(now_ms: int, planned_ms: int | None, done: int, rate: float) -> int:
    """When the next batch may go, after one that was planned for a time and did so many."""
    begun = max(planned_ms or now_ms, now_ms - int(MAX_BEHIND_S * 1000))
    return begun + int(done * 1000 / rate)


_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(?:(?:/|per )\s*(s|sec|second|min|minute|h|hour))?", re.ASCII)
_PER_S = {"s": 1, "m": 60, "h": 3_600}


def parse_rate(text: str) -> float | None:
    """A rate as people write it, "50", "50/s", "600/min", in jobs a second; None for nothing. Raises `InvalidInput`."""
    if not text.strip():
        return None
    found = _RATE.fullmatch(text.strip())
    rate = float(found[1]) / _PER_S[(found[2] or "s")[0]] if found else 0.0
    if not LEAST_RATE <= rate <= MAX_RATE:
        message = f"Write it like 50/s or 600/min: {LEAST_RATE:g} to {MAX_RATE:,.0f} jobs a second."
        raise InvalidInput(f"rate: {message}", [{"field": "rate", "message": message}])
    return rate
