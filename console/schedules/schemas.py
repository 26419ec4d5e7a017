"""What the API takes and gives about schedules."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, JsonValue

from console.jobs.rules import State
from console.schedules.definition import At, Definition
from console.schedules.lists import ScheduleFilter
from console.schedules.queries import Backfill, Coming, Fire, ScheduleView, VersionView
from console.schedules.rules import Run
from console.schedules.usual import Usual
from console.web.rest import Input, Instant, Line, Output, PageQuery

_REV = "The `rev` that you saw; 409 when somebody changed the schedule since. null: whatever it is."
Rev = Annotated[int | None, Field(description=_REV)]


class ScheduleRequest(Definition, Input):
    """A schedule as it is to be. Which fields its times need follows from `kind`."""

    def definition(self) -> Definition:
        """As the service takes it."""
        return Definition.model_validate(self.model_dump(include=set(Definition.model_fields)))


class ScheduleEdit(ScheduleRequest):
    """All of a schedule as it is to be from now on."""

    rev: Rev = None


class SchedulesQuery(PageQuery):
    """Which schedules."""

    q: Annotated[Line, Field(description="A part of the name or of the job type.")] = ""
    state: Annotated[Line, Field(description="active, paused or ended.")] = ""
    type: Annotated[Line, Field(description="Of this job type.")] = ""
    flagged: Annotated[bool, Field(description="Only those that need a look.")] = False

    def filter(self) -> ScheduleFilter:
        """As the query takes it."""
        return ScheduleFilter(self.q, self.state, self.type, self.flagged)


class PauseRequest(Input):
    """Why, and until when."""

    reason: Annotated[Line, Field(description="Shown beside the schedule.")] = ""
    until: Annotated[At | None, Field(description="Then it goes on by itself; null: when somebody resumes it.")] = None
    rev: Rev = None


class RevRequest(Input):
    """What you saw of it."""

    rev: Rev = None


class DuplicateRequest(Input):
    """The copy's name."""

    name: Annotated[str, Field(max_length=200, description="Empty: the name with “(copy)”.")] = ""


class BackfillRequest(Input):
    """Past times to be run: start ≤ time < end."""

    start: At
    end: At
    only_missing: Annotated[bool, Field(description="Leave out the times that ran.")] = True
    spacing_s: Annotated[float, Field(ge=0, le=86_400, description="Seconds between two jobs.")] = 0

    def wanted(self) -> Backfill:
        """As the service takes it."""
        return Backfill(self.start, self.end, self.only_missing, self.spacing_s)


class WindowQuery(Input):
    """From when to when."""

    start: At
    end: At
    limit: Annotated[int, Field(ge=1, le=2_000, description="How many at most.")] = 500


class ScheduleAnswer(Output):
    """A schedule, and how it stands."""

    id: str
    name: str
    type: str
    kind: str
    words: str = Field(description="When it fires, in words.")
    definition: dict[str, JsonValue] = Field(description="What it is to do, where that is not the default.")
    state: str = Field(description="active, paused or ended.")
    next_at: Instant | None = Field(description="The time that comes next.")
    due_at: Instant | None = Field(description="The same with jitter; of a paused one, when it goes on.")
    last_at: Instant | None
    fired: int = Field(description="Runs by time so far.")
    missed: int = Field(description="Times that passed without a run.")
    overdue: int = Field(description="Runs whose job had not ended by its time.")
    trouble_at: Instant | None = Field(description="When a time was last found missed, or a run overdue.")
    late: bool = Field(description="It has been due for over a minute.")
    troubled: bool = Field(description="In the last day a time was missed, or a run overdue.")
    problem: str = Field(description="Why it cannot fire; empty: it can.")
    usual_ms: int | None = Field(description="Half of its runs, or its type's, take at most this; null: none has run.")
    usual_p95_ms: int | None = Field(description="95 of 100 of them take at most this.")
    pause_reason: str
    paused_by: str | None
    paused_until: Instant | None
    file: str | None = Field(description="The file that owns it; it is changed there only.")
    built_in: bool
    ver: int = Field(description="Number of its newest version.")
    rev: int
    can: list[str] = Field(description="What can be asked of it now.")
    created_at: Instant
    changed_at: Instant
    changed_by: str


class ScheduleList(Output):
    """One page of schedules, by name."""

    data: list[ScheduleAnswer]
    next: str | None = Field(description="The cursor of the next page; null: this is the last.")


class RunAnswer(Output):
    """One time of a schedule, and what came of it."""

    nominal_at: Instant
    trigger: str = Field(description="time, manual, or backfill…")
    state: str = Field(description="fired, waiting, skipped or missed.")
    at: Instant
    job_id: str | None
    job_state: State | None
    runtime_ms: int | None
    lag_ms: int | None = Field(description="So much later than it should it fired.")
    slots: int = Field(description="How many times a row of missed ones stands for.")
    until_at: Instant | None
    reason: str
    overdue: bool = Field(description="Its job had not ended by its time.")


class RunList(Output):
    """What a schedule did, newest first."""

    data: list[RunAnswer]
    next: str | None = Field(description="The cursor of the next page; null: this is the last.")


class VersionAnswer(Output):
    """A definition that a schedule has or had."""

    ver: int
    at: Instant
    by: str
    why: str
    definition: dict[str, JsonValue]
    changes: dict[str, list[JsonValue]] = Field(description="Field → before and after.")


class VersionList(Output):
    """The versions of a schedule, newest first."""

    data: list[VersionAnswer]


class ComingAnswer(Output):
    """A coming run."""

    schedule_id: str
    name: str
    type: str
    at: Instant
    due_at: Instant = Field(description="With jitter.")
    local: str = Field(description="By the clocks of the schedule's zone.")
    mark: str = Field(description="What the clocks' change does to it; empty: nothing.")


class ComingList(Output):
    """Coming runs, in order."""

    data: list[ComingAnswer]
    is_complete: bool = Field(description="False: there are more than are shown.")


class PreviewAnswer(Output):
    """What a definition means."""

    words: str
    data: list[ComingAnswer]


class BackfillAnswer(Output):
    """What a backfill runs, or would."""

    count: int
    left_out: int = Field(description="Times that ran already.")
    seconds: float | None = Field(description="Until all are over, as things go; null: not known.")
    job_ids: list[str]


class MadeAnswer(Output):
    """The job that was made."""

    job_id: str


class Gone(Output):
    """What was taken away."""

    name: str


class CalendarRequest(Input):
    """Dates, one a line (2026-12-25, 2026-12-24..2027-01-01), or the text of an iCalendar file."""

    text: Annotated[str, Field(max_length=500_000)]
    rev: Rev = None
    add: Annotated[
        list[Annotated[str, Field(max_length=200)]],
        Field(default_factory=list, max_length=100, description="Schedules that keep to it from now on."),
    ]


class CalendarRemoval(Input):
    """What to do with those that keep to it."""

    detach: Annotated[bool, Field(description="Take it out of them; else it cannot go while one does.")] = False


class AffectedAnswer(Output):
    """What a calendar does to a schedule in the coming year."""

    schedule_id: str
    name: str
    gone: int = Field(description="Runs that fall away.")
    back: int = Field(description="Runs that come back.")
    first: Instant | None = Field(description="The first of either.")
    is_exact: bool = Field(description="False: at least so many.")


class CalendarEffect(Output):
    """What a calendar would do."""

    ahead: int = Field(description="Blackouts of the coming year.")
    gone: int
    back: int
    users: int = Field(description="Schedules that keep to it; at most 100 are looked at.")
    affected: list[AffectedAnswer]


class CalendarAnswer(Output):
    """A calendar of times at which nothing fires."""

    name: str
    text: str
    rev: int
    changed_at: Instant
    changed_by: str


class CalendarList(Output):
    """Calendars of blackouts, by name."""

    data: list[CalendarAnswer]


def schedule_answer(view: ScheduleView, usual: Usual | None) -> ScheduleAnswer:
    """A schedule as the API gives it."""
    given: dict[str, Any] = {
        "definition": view.definition.described(),
        "can": sorted(view.can),
        "usual_ms": round(usual.median_ms) if usual else None,
        "usual_p95_ms": round(usual.p95_ms) if usual else None,
    }
    same = {name: getattr(view, name) for name in ScheduleAnswer.model_fields if name not in given}
    return ScheduleAnswer(**same, **given)


def run_answer(fire: Fire) -> RunAnswer:
    """A run as the API gives it."""
    return RunAnswer.model_validate(fire)


def version_answer(view: VersionView) -> VersionAnswer:
    """A version as the API gives it."""
    return VersionAnswer(
        ver=view.ver, at=view.at, by=view.by, why=view.why, definition=view.definition.described(), changes=view.changes
    )


def coming_answer(one: Coming) -> ComingAnswer:
    """A coming run as the API gives it."""
    return run_of(one.run, one.schedule_id, one.name, one.type)


def run_of(run: Run, schedule_id: str, name: str, job_type: str) -> ComingAnswer:
    """The same, of a schedule that need not be stored."""
    return ComingAnswer(
        schedule_id=schedule_id, name=name, type=job_type, at=run.nominal_at, due_at=run.due_at,
        local=run.local.isoformat(), mark=run.mark,
    )  # fmt: skip
