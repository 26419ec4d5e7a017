"""What the API takes and gives about actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, JsonValue

from console.actions.estimate import Estimate
from console.actions.queries import ActionView
from console.actions.rules import (
    DESTRUCTIVE,
    LEAST_RATE,
    LONGEST_TRIAL_S,
    MAX_NAME,
    MAX_RATE,
    MAX_TRIAL,
    ActionState,
    Kind,
)
from console.actions.service import PASS_PERCENT, TRIAL_WAIT_S, Plan
from console.errors import InvalidInput
from console.jobs.rules import State
from console.jobs.schemas import JobsWanted
from console.web.rest import Input, Instant, Line, Output, PageQuery

Rate = Annotated[
    float | None,
    Field(ge=LEAST_RATE, le=MAX_RATE, description="Jobs a second at most; null: as fast as it goes."),
]
_FIRST = "So many jobs first, and the rest only if enough of them succeed; 0: no trial. Retries only."
_STOP = "Stops when more of the jobs it made, of those that have ended, failed; null: never. Retries only."
_CONFIRM = "Must be true for what is destructive: cancel and flush."
_STATES = (
    "waiting for a beat; trying; undecided: the trial took too long, a person is asked; running; paused; stopped; "
    "done; failed: an error stopped it; undoing; undone"
)


class ActionWanted(JobsWanted):
    """What to do, to which jobs, and how fast."""

    kind: Kind = Field(description="What is done to each job that matches.")
    rate: Rate = None


class ActionRequest(ActionWanted):
    """An action to begin. Only jobs that are there when the request comes are meant."""

    name: Line = Field("", max_length=MAX_NAME, description="What to call it, or why it is done.")
    trial: int = Field(0, ge=0, le=MAX_TRIAL, description=_FIRST)
    pass_percent: int = Field(PASS_PERCENT, ge=1, le=100, description="Of the trial's jobs, so many must succeed.")
    trial_wait_s: int = Field(
        TRIAL_WAIT_S, ge=1, le=LONGEST_TRIAL_S, description="Seconds to wait for that before a person is asked."
    )
    stop_percent: int | None = Field(None, ge=1, le=99, description=_STOP)
    confirm: bool = Field(False, description=_CONFIRM)

    def plan(self, *, sees_all: bool) -> Plan:
        """As the service takes it. Raises `InvalidInput`; `sees_all`: see `filter`."""
        if self.kind in DESTRUCTIVE and not self.confirm:
            message = f"Must be true: a {self.kind} changes many jobs at once."
            raise InvalidInput(f"confirm: {message}", [{"field": "confirm", "message": message}])
        return Plan(
            self.kind,
            self.filter(sees_all=sees_all),
            name=self.name,
            rate=self.rate,
            trial=self.trial,
            pass_percent=self.pass_percent,
            trial_wait_s=self.trial_wait_s,
            stop_percent=self.stop_percent,
        )


class RateRequest(Input):
    """The rate from now on."""

    rate: Rate


class ActionsQuery(PageQuery):
    """A page of actions, newest first."""


class EstimateAnswer(Output):
    """What an action would come to."""

    count: int
    exact: bool = Field(description="False: there are at least so many.")
    seconds: float | None = Field(description="Until all are over, as things go now; null: not known.")
    basis: str = Field(description="What the time follows from, or why it is not known.")


class ActionAnswer(Output):
    """An action, and how far it came."""

    id: str
    kind: Kind
    name: str
    state: ActionState = Field(description=_STATES)
    jobs: str = Field(description="Which jobs are meant, in words.")
    filter: dict[str, JsonValue] = Field(description="Which jobs are meant.")
    actor: str = Field(description="Who asked for it.")
    estimate: int = Field(description="How many jobs it was thought to mean.")
    estimate_is_exact: bool
    done: int
    refused: int = Field(description="It turned out not to be possible for these.")
    restored: int = Field(description="Brought back by undoing it.")
    rate: float | None
    trial: int
    pass_percent: int
    trial_wait_s: int
    trial_until: Instant | None = Field(description="When a person is asked, if the trial is not decided by then.")
    stop_percent: int | None
    outcome: str = Field(description="Why it ended, or waits, in words.")
    can: list[str] = Field(description="What can be asked of it now: pause, rate, resume, stop, undo.")
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    undo_until: Instant | None = Field(description="Of a flush: until then it can be undone.")


class ActionDetailAnswer(ActionAnswer):
    """An action with how the jobs that it made stand."""

    made: dict[str, int] = Field(description="How many of the jobs it made are in each state.")


class ActionList(Output):
    """One page of actions, newest first."""

    data: list[ActionAnswer]
    next: str | None = Field(description="The cursor of the next page; null: this is the last.")


def estimate_answer(expected: Estimate) -> EstimateAnswer:
    """An estimate as the API gives it."""
    return EstimateAnswer(
        count=expected.total, exact=expected.is_exact, seconds=expected.seconds, basis=expected.basis
    )


def action_answer(action: ActionView) -> ActionAnswer:
    """A line of a list as the API gives it."""
    return ActionAnswer(**_same(action))


def action_detail_answer(action: ActionView, made: Mapping[State, int]) -> ActionDetailAnswer:
    """One action as the API gives it."""
    return ActionDetailAnswer(**_same(action), made={str(state): n for state, n in made.items()})


def _same(action: ActionView) -> dict[str, object]:
    given = {"jobs": ", ".join(action.words), "filter": action.wanted.described(), "can": sorted(action.can)}
    return {name: getattr(action, name) for name in ActionAnswer.model_fields if name not in given} | given
