"""What the API takes and gives about what is done to one job."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field, JsonValue

from console import clock
from console.errors import InvalidInput
from console.jobs.schemas import AttemptAnswer, JobAnswer, Time
from console.web.rest import Input, Line, Output, PageQuery

MAX_DELAY_S = 315_360_000


class AttemptsQuery(PageQuery):
    """A page of the attempts that did not end well."""

    limit: int = Field(20, ge=1, le=50, description="How many at most.")


class AttemptList(Output):
    """One page of attempts, latest first."""

    data: list[AttemptAnswer]
    next: str | None = Field(description="The cursor of the next page; null: this is the last.")


class EditedRetryRequest(Input):
    """A retry with another payload. "[hidden]" at the place of a hidden value means the value that is there."""

    args: list[JsonValue] = Field([], description="Positional arguments; job types of ours take none.")
    kwargs: dict[str, JsonValue] = Field(description="Named arguments; have to fit the schema of the type.")


class ScheduleRequest(Input):
    """When to run a job that waits for its time. One of the three."""

    at: Time | None = Field(None, description="At this instant; a past one means now.")
    delay: float | None = Field(None, ge=0, le=MAX_DELAY_S, description="In so many seconds.")
    now: bool = Field(False, description="At once.")

    def time(self) -> datetime | None:
        """The instant; None: now. Raises `InvalidInput` unless exactly one is given."""
        if sum((self.at is not None, self.delay is not None, self.now)) != 1:
            raise InvalidInput("Give one of at, delay and now.", [{"field": "at", "message": "Give one of the three."}])
        return self.at if self.delay is None else clock.now() + timedelta(seconds=self.delay)


class QueueRequest(Input):
    """Where to run a job that waits."""

    queue: Line = Field(min_length=1, description="Name of a queue.")


class Rescheduled(Output):
    """The job, with its new time in `due_at`."""

    job: JobAnswer


class Moved(Output):
    """`was` is the queue it was on."""

    was: str
    job: JobAnswer
