"""What came of a schedule's times, as pages show it: a word, a tone and a shape. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from console.jobs.rules import State
from console.schedules.queries import Fire


@dataclass(frozen=True, slots=True)
class Outcome:
    """`tone`: one of the states' colours; `sign`: an icon; `is_bad`: somebody should look."""

    word: str
    tone: str
    sign: str
    is_bad: bool = False


_OF_JOB = {
    State.PENDING: Outcome("pending", "pending", "circle-dashed"),
    State.SCHEDULED: Outcome("scheduled", "scheduled", "clock"),
    State.PROCESSING: Outcome("processing", "processing", "rotate-clockwise"),
    State.COMPLETED: Outcome("completed", "completed", "circle-check"),
    State.RETRYING: Outcome("retrying", "retrying", "refresh"),
    State.RETRYABLE: Outcome("failed", "failed", "circle-x", is_bad=True),
    State.FAILED: Outcome("failed", "failed", "circle-x", is_bad=True),
    State.CANCELLED: Outcome("cancelled", "cancelled", "ban"),
}
_OF_TIME = {
    "fired": Outcome("fired", "pending", "circle"),
    "waiting": Outcome("waiting", "scheduled", "clock"),
    "skipped": Outcome("skipped", "cancelled", "circle-minus"),
    "missed": Outcome("missed", "retrying", "alert-triangle", is_bad=True),
}


_OVERDUE = Outcome("overdue", "retrying", "alert-triangle", is_bad=True)


def outcome_of(fire: Fire, *, watched: bool = False) -> Outcome:
    """How its job stands; without one, what became of the time. `watched`: one that ended too late is overdue."""
    if watched and fire.overdue and fire.job_state not in (State.FAILED, State.RETRYABLE):
        return _OVERDUE
    return outcome_of_states(fire.state, fire.job_state)


def outcome_of_states(state: str, job_state: State | None) -> Outcome:
    """The same of a time's own state and that of its job."""
    return _OF_JOB[job_state] if job_state else _OF_TIME[state]


def summed(fires: Sequence[Fire], *, only_bad: bool = False) -> str:
    """In words: "8 completed, 1 failed"; `only_bad`: what somebody should look at alone."""
    each = [outcome_of(fire, watched=True) for fire in fires]
    found = Counter(one.word for one in each if one.is_bad or not only_bad)
    return ", ".join(f"{n} {word}" for word, n in found.most_common())
