"""What the API takes and gives about jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, JsonValue, StringConstraints

from console import clock
from console.jobs.filters import JobFilter
from console.jobs.queries import AttemptView, JobDetail, JobLine, Page
from console.jobs.registry import JobType
from console.jobs.rules import REASONS, State
from console.jobs.search.language import combined, to_filter
from console.jobs.search.terms import MAX_TEXT
from console.jobs.service import DispatchOptions
from console.jobs.usage import Usage
from console.web.rest import Input, Instant, Line, Output, PageQuery

MAX_COUNT = 10_000
MAX_TAGS = 20

_MEANINGS = (
    "SCHEDULED waits for its time, PENDING for a worker; PROCESSING runs; RETRYING failed and will run again by "
    "itself; RETRYABLE failed for good and can be retried by hand; FAILED failed for good, and was retried already or "
    "its payload was not kept; COMPLETED and CANCELLED ended."
)
_Q = "A search as in the box of the Jobs page: state:failed error:Timeout* args.user_id:42 after:2h."
_TEXT = "Part of the id, type, error, payload or arguments; looks at the newest 20,000 that fit the rest."
_UNIQUE_KEY = "While a job with this key has not ended, that job is the answer, and no other is made."


def _as_written(value: Any) -> Any:
    """A time in a query string. An unescaped "+" there means a space, so 12:00:00+02:00 arrives as "12:00:00 02:00"."""
    if not isinstance(value, str):
        return value
    if "-" not in value[1:]:
        raise ValueError("Write a time like 2026-03-01T12:00:00Z")
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", value)
    try:
        return datetime.fromisoformat(text)  # here, since a strict body takes no text for a time after this function
    except ValueError:
        return text


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("Lies outside the years 1 to 9999") from None


Time = Annotated[AwareDatetime, BeforeValidator(_as_written), AfterValidator(_in_utc)]
Query = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Tag = Annotated[Line, Field(min_length=1, max_length=64)]


def _is_true(value: Any) -> Any:
    """1 equals True in Python; here it does not stand for it."""
    if value is not True:
        raise ValueError("Must be true")
    return value


Confirmed = Annotated[Literal[True], BeforeValidator(_is_true)]


class JobsWanted(Input):
    """Which jobs are meant. Every condition that is given must hold."""

    q: Query = Field("", description=_Q)
    state: list[Line] = Field([], max_length=50, description=f"State names; FAILED includes RETRYABLE. {_MEANINGS}")
    queue: Line = Field("", description="Name of a queue.")
    type: Line = Field("", description="Name of a job type.")
    text: Line = Field("", description=_TEXT)
    before: Time | None = Field(None, description="Enqueued before this instant.")
    after: Time | None = Field(None, description="Enqueued at this instant or later.")
    internal: bool = Field(False, description="Include the upkeep jobs of Celeriac itself.")

    def filter(self) -> JobFilter:
        """As the queries take it. Raises `InvalidInput`."""
        times = {name: [at.isoformat()] for name in ("before", "after") if (at := getattr(self, name))}
        given = {"state": self.state, "queue": [self.queue], "type": [self.type], "text": [self.text]} | times
        return to_filter(combined(self.q, given | {"internal": ["1"] if self.internal else []}), clock.now())


class JobsQuery(JobsWanted, PageQuery):
    """A page of the jobs that are meant, newest first."""


class BulkRequest(JobsWanted):
    """Which jobs to act on; `{}` stands for all that the action is possible for."""

    limit: int | None = Field(None, ge=1, description="Act on so many at most; null: on all.")


class FlushRequest(BulkRequest):
    """Which failed jobs to delete. What is deleted cannot be had back, so it has to be said twice."""

    confirm: Confirmed = Field(description="Must be true: the jobs are gone afterwards.")


class ExportRequest(JobsWanted):
    """Which jobs to write into a file."""

    format: Literal["csv", "json"] = Field("csv", description="Of the file.")


class DispatchRequest(Input):
    """A job to run. `delay` and `at` exclude each other; with neither it runs as soon as a worker is free."""

    type: Line = Field(min_length=1, description="Name of a job type; see /api/v1/job-types.")
    payload: dict[str, JsonValue] = Field({}, description="What the job gets; has to fit the schema of the type.")
    queue: Line | None = Field(None, min_length=1, description="Where to queue it; null: the type's own queue.")
    priority: int | None = Field(None, ge=0, le=9, description="0 (first) to 9 (last).")
    delay: float | None = Field(None, ge=0, le=315_360_000, description="Seconds to wait; at most ten years.")
    at: Time | None = Field(None, description="When to run it; a time in the past means at once.")
    unique_key: Line | None = Field(None, min_length=1, description=_UNIQUE_KEY)
    tags: list[Tag] = Field([], max_length=MAX_TAGS, description="Words to find it by.")
    count: int = Field(1, ge=1, le=MAX_COUNT, description="How many equal jobs.")

    def options(self) -> DispatchOptions:
        """As the service takes them."""
        return DispatchOptions(
            queue=self.queue,
            priority=self.priority,
            delay_s=self.delay,
            at=self.at,
            unique_key=self.unique_key,
            tags=tuple(self.tags),
        )


class JobError(Output):
    """Why an attempt did not end well: `reason` is one word for programs, `explanation` the same for people."""

    type: str | None = Field(description="Exception class.")
    message: str | None
    reason: str | None = Field(description=f"One of {', '.join(REASONS)}.")
    explanation: str | None


class JobAnswer(Output):
    """A job as lists give it."""

    id: str
    type: str = Field(description="Empty while it is not known.")
    queue: str = Field(description="Empty while it is not known.")
    state: State = Field(description=_MEANINGS)
    attempts: int = Field(description="Attempts begun so far.")
    max_attempts: int | None
    priority: int | None
    progress: int | None = Field(description="0 to 100; null: it reports none.")
    progress_note: str | None
    worker: str | None = Field(description="Worker of the latest attempt.")
    reason: str | None = Field(description=f"Why it failed or was cancelled, one of {', '.join(REASONS)}.")
    error: JobError | None = Field(description="Of the latest attempt that failed; null when the job ended otherwise.")
    enqueued_at: Instant
    due_at: Instant | None = Field(description="When it will run, while it is SCHEDULED or RETRYING.")
    started_at: Instant | None = Field(description="Start of the latest attempt.")
    finished_at: Instant | None = Field(description="End of the latest attempt.")
    runtime_ms: int | None
    retry_of: str | None = Field(description="The failed job that this one retries.")
    retried_as: str | None = Field(description="The job that retries this one.")
    internal: bool = Field(description="Upkeep of Celeriac itself.")
    tags: list[str]
    source: str | None = Field(description="The observed application that it belongs to; null: none.")


class JobList(Output):
    """One page of jobs, newest first."""

    data: list[JobAnswer]
    next: str | None = Field(description="The cursor of the next page; null: this is the last.")
    searched_back_to: Instant | None = Field(description="A text search looked no further back; null: at all.")


class MomentAnswer(Output):
    """One thing that happened to a job."""

    at: Instant
    kind: str = Field(description="scheduled published received started retry succeeded failed cancelled lost")
    attempt: int
    note: str


class AttemptAnswer(Output):
    """An attempt that did not end well."""

    attempt: int = Field(description="1 for the first.")
    run: int = Field(description="How often the message had been delivered again.")
    state: str = Field(description="RETRYING, FAILED, CANCELLED or LOST.")
    started_at: Instant | None
    finished_at: Instant | None
    worker: str | None
    error: JobError | None
    traceback: str | None


class UsageAnswer(Output):
    """What a running attempt uses, as its worker told it in the last seconds."""

    memory: int = Field(description="Bytes of memory that its process holds.")
    peak: int = Field(description="The most of it that was seen during this attempt, looking every 2 s.")
    cpu: float = Field(description="Percent of one processor core.")
    is_shared: bool = Field(description="Whether the process runs other jobs too, so that the figures are of all.")
    pid: int = Field(description="The process, on the worker's machine.")
    at: Instant
    limit: int | None = Field(description="Bytes that the job type may use beyond what its process had; null: any.")


class JobDetailAnswer(JobAnswer):
    """Everything known of one job. In the place of a sensitive value stands "[hidden]"."""

    payload: JsonValue = Field(description='{"args": […], "kwargs": {…}}; null: it was not kept.')
    hidden: list[str] = Field(description="Where values are hidden: `kwargs.user.password`; at most 200 places.")
    arguments: str | None = Field(description="Of an observed job, what Celery shows of them; null: not told.")
    result: JsonValue
    traceback: str | None
    timeline: list[MomentAnswer] = Field(description="Oldest first.")
    failed_attempts: list[AttemptAnswer] = Field(description="The latest 20, latest first.")
    parent_id: str | None
    root_id: str | None
    group_id: str | None = Field(description="The group of a canvas that it was sent in.")
    chord_id: str | None = Field(description="The job that runs when all of its group are done.")
    unique_key: str | None
    usage: UsageAnswer | None = Field(None, description="What the running attempt uses; null: it is not told.")
    fingerprint: str | None = Field(description="Of a failed job: its failure group.")
    action_id: str | None = Field(description="The bulk action that made it.")


class Dispatched(Output):
    """What was dispatched. `job` is the job itself when it is one."""

    ids: list[str]
    job: JobAnswer | None


class Retried(Output):
    """The new job that does the failed one's work."""

    job: JobAnswer


class Cancelled(Output):
    """`was` is the state it was in. A PROCESSING job ends a moment later, when its worker has stopped it."""

    was: State
    job: JobAnswer


class Count(Output):
    """How many jobs the action was done to."""

    count: int


class LimitsAnswer(Output):
    """What an attempt may use."""

    max_attempts: int
    timeout_s: int
    retry_after_s: int = Field(description="A job of a dead worker is queued again after this at the latest.")
    memory_mb: int


class JobTypeAnswer(Output):
    """What can be dispatched."""

    name: str
    queue: str
    priority: int | None
    description: str
    limits: LimitsAnswer
    payload_schema: dict[str, JsonValue] = Field(description="JSON Schema of the payload.")


class JobTypeList(Output):
    """Every job type, by name."""

    data: list[JobTypeAnswer]
    next: None = None


def job_answer(line: JobLine) -> JobAnswer:
    """A line of a list as the API gives it."""
    return JobAnswer(**_summary(line))


def job_list_answer(page: Page) -> JobList:
    """A page of a list as the API gives it."""
    return JobList(
        data=[job_answer(line) for line in page.jobs],
        next=page.next.encode() if page.next else None,
        searched_back_to=page.searched_back_to,
    )


def job_detail_answer(job: JobDetail, hidden: Sequence[str] = (), usage: Usage | None = None) -> JobDetailAnswer:
    """One job as the API gives it; `hidden`: where values are hidden in what is given."""
    return JobDetailAnswer(
        **_summary(job.line),
        payload=job.payload,
        hidden=list(hidden),
        arguments=job.arguments,
        result=job.result,
        traceback=job.traceback,
        timeline=[MomentAnswer.model_validate(moment) for moment in job.timeline],
        failed_attempts=[attempt_answer(item) for item in job.failed_attempts],
        parent_id=job.parent_id,
        root_id=job.root_id,
        group_id=job.group_id,
        chord_id=job.chord_id,
        unique_key=job.unique_key,
        fingerprint=job.fingerprint,
        action_id=job.action_id,
        usage=None if usage is None else UsageAnswer.model_validate(usage),
    )


def attempt_answer(item: AttemptView) -> AttemptAnswer:
    """An attempt as the API gives it."""
    return AttemptAnswer(
        attempt=item.attempt,
        run=item.run,
        state=item.state,
        started_at=item.started_at,
        finished_at=item.finished_at,
        worker=item.worker,
        traceback=item.traceback,
        error=_error(item.error_type, item.error_message, item.reason),
    )


def job_type_answer(kind: JobType) -> JobTypeAnswer:
    """A job type as the API gives it."""
    return JobTypeAnswer(
        name=kind.name,
        queue=kind.queue,
        priority=kind.priority,
        description=kind.description,
        limits=LimitsAnswer.model_validate(kind.limits),
        payload_schema=kind.schema.model_json_schema(),
    )


def _summary(line: JobLine) -> dict[str, Any]:
    values = {name: getattr(line, name) for name in JobAnswer.model_fields if name != "error"}
    has_failed = line.state not in (State.COMPLETED, State.CANCELLED)
    error = _error(line.error_type, line.error_message, line.reason) if has_failed else None
    return values | {"error": error, "tags": list(line.tags)}


def _error(kind: str | None, message: str | None, reason: str | None) -> JobError | None:
    if kind is None and message is None and reason is None:
        return None
    return JobError(type=kind, message=message, reason=reason, explanation=REASONS.get(reason or ""))
