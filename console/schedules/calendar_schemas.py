"""What the API takes and gives about the calendar, the heat map and spreading."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, JsonValue

from console.schedules.agenda import Entry, Hour
from console.schedules.coming import MAX_HOURS, STEP_S
from console.schedules.definition import At
from console.schedules.heat import AT_LEAST, Heat, Peak
from console.schedules.lists import ScheduleFilter
from console.schedules.recurrence import wrong
from console.schedules.spread import Way
from console.schedules.spreading import LONGEST_S, Effect, SpreadPlan, SpreadRequest
from console.web.rest import Input, Instant, Line, Output

LONGEST = timedelta(days=8)
NAMED = 20

Least = Annotated[int, Field(ge=2, le=1_000_000, description="So many in one second are a collision.")]


class Chosen(Input):
    """Which schedules."""

    q: Annotated[Line, Field(description="A part of the name or of the job type.")] = ""
    state: Annotated[Line, Field(description="active, paused or ended.")] = ""
    type: Annotated[Line, Field(description="Of this job type.")] = ""
    flagged: Annotated[bool, Field(description="Only those that are late or cannot fire.")] = False

    def filter(self) -> ScheduleFilter:
        """As the query takes it."""
        return ScheduleFilter(self.q, self.state, self.type, self.flagged)


class CalendarQuery(Chosen):
    """A window of at most eight days."""

    start: At
    end: At

    def bounds(self) -> list[tuple[At, At]]:
        """Its hours, the first from `start` on. Raises `InvalidInput`."""
        if not timedelta() < self.end - self.start <= LONGEST:
            raise wrong("end", f"Ask for at most {LONGEST.days} days, the end after the start.")
        count = -(-(self.end - self.start) // timedelta(hours=1))
        starts = [self.start + timedelta(hours=n) for n in range(count)]
        return list(zip(starts, [*starts[1:], self.end], strict=True))


class OutcomeAnswer(Output):
    """How many runs came to the same."""

    outcome: str
    runs: int


class EntryAnswer(Output):
    """The runs of one schedule in an hour that are past, or that are to come."""

    schedule_id: str
    name: str
    type: str
    at: Instant = Field(description="The first.")
    until: Instant = Field(description="The last.")
    runs: int
    coming: bool
    outcomes: list[OutcomeAnswer] = Field(description="What came of past ones.")
    job_id: str | None = Field(description="The job of a single run.")


class HourAnswer(Output):
    """An hour."""

    start: Instant
    end: Instant
    runs: int
    is_exact: bool = Field(description="False: at least, or of coming ones about, so many.")
    entries: list[EntryAnswer] = Field(description="Some of them, at most 60 past and 60 coming ones.")


class CalendarHours(Output):
    """What was and will be, hour by hour."""

    data: list[HourAnswer]


class HeatQuery(Chosen):
    """Which part of the future."""

    hours: Annotated[int, Field(ge=1, le=MAX_HOURS, description="How far.")] = 24
    step_s: Annotated[int, Field(ge=60, le=3_600, description="Seconds of a bucket.")] = STEP_S
    at_least: Least = AT_LEAST


class BucketAnswer(Output):
    """What begins in one step."""

    at: Instant
    runs: int
    most: int = Field(description="Most in one second of it.")
    most_at: Instant | None
    queues: dict[str, int]


class Named(Output):
    """A schedule by name."""

    id: str
    name: str


class CollisionAnswer(Output):
    """A second in which many begin."""

    at: Instant
    runs: int
    queues: dict[str, int]
    schedules: list[Named] = Field(description=f"Some of them, at most {NAMED}.")


class PeakAnswer(Output):
    """The most that begin at once."""

    second: int
    second_at: Instant | None
    minute: int
    minute_at: Instant | None


class HeatAnswer(Output):
    """How many runs begin when."""

    start: Instant
    end: Instant
    step_s: int
    looked: int = Field(description="Schedules that were looked at.")
    total: int = Field(description="Schedules that there are; when that is more, the counts are estimates.")
    peak: PeakAnswer
    data: list[BucketAnswer]
    crowded: int = Field(description="Seconds that are collisions.")
    collisions: list[CollisionAnswer] = Field(description="The worst 20 of them.")


class SpreadBody(Input):
    """What to spread, and how."""

    way: Annotated[Way, Field(strict=False, description="jitter (by chance), or shift (to other times).")] = Way.JITTER
    over_s: Annotated[
        int | None, Field(ge=1, le=LONGEST_S, description="Over so many seconds; null: as many as fit.")
    ] = None
    at_least: Least = AT_LEAST
    at: Annotated[At | None, Field(description="Only what begins in this second.")] = None
    since: Annotated[At | None, Field(description="When the plan was made, as the estimate says.")] = None

    def wanted(self) -> SpreadRequest:
        """As the query takes it."""
        return SpreadRequest(self.way, self.over_s, self.at_least, self.at, self.since)


class SpreadOrder(SpreadBody):
    """The same, and which plan is meant."""

    plan: Annotated[Line, Field(description="As the estimate says; 409 when it is another one by now.")]


class EffectAnswer(Output):
    """How much begins at once in the coming day."""

    peak: PeakAnswer
    collisions: int
    runs: int | None = Field(description="In the second that was asked for.")


class MoveAnswer(Output):
    """What is changed of a schedule."""

    schedule_id: str
    name: str
    changes: dict[str, list[JsonValue]]


class StaysAnswer(Output):
    """A schedule that stays as it is, and why."""

    schedule_id: str
    name: str
    why: str


class SpreadAnswer(Output):
    """What spreading would do."""

    plan: str
    since: Instant
    way: Way
    over_s: int
    before: EffectAnswer
    after: EffectAnswer
    changes: list[MoveAnswer]
    stays: list[StaysAnswer]
    looked: int
    total: int


class Spread(Output):
    """What was spread."""

    changed: list[str]


def hour_answer(hour: Hour) -> HourAnswer:
    """An hour as the API gives it."""
    return HourAnswer(
        start=hour.start, end=hour.end, runs=hour.runs, is_exact=hour.is_exact,
        entries=[_entry(one) for one in hour.entries],
    )  # fmt: skip


def heat_answer(heat: Heat) -> HeatAnswer:
    """A heat map as the API gives it."""
    hits = [
        CollisionAnswer(
            at=one.at, runs=one.runs, queues=one.queues,
            schedules=[Named.model_validate(by) for by in one.members[:NAMED]],
        )
        for one in heat.collisions
    ]  # fmt: skip
    same = {name: getattr(heat, name) for name in ("start", "end", "step_s", "looked", "total", "crowded")}
    buckets = [BucketAnswer.model_validate(one) for one in heat.buckets]
    return HeatAnswer(**same, peak=_peak(heat.peak), data=buckets, collisions=hits)


def spread_answer(plan: SpreadPlan) -> SpreadAnswer:
    """A plan as the API gives it."""
    return SpreadAnswer(
        plan=plan.digest, since=plan.since, way=plan.way, over_s=plan.over_s, before=_effect(plan.before),
        after=_effect(plan.after), looked=plan.looked, total=plan.total,
        changes=[MoveAnswer(schedule_id=one.plan.id, name=one.plan.name, changes=one.changes) for one in plan.moves],
        stays=[StaysAnswer(schedule_id=one.plan.id, name=one.plan.name, why=one.why) for one in plan.stays],
    )  # fmt: skip


def _entry(one: Entry) -> EntryAnswer:
    return EntryAnswer(
        schedule_id=one.schedule_id, name=one.name, type=one.type, at=one.at, until=one.until, runs=one.runs,
        coming=one.is_coming, job_id=one.job_id,
        outcomes=[OutcomeAnswer(outcome=outcome.word, runs=n) for outcome, n in one.outcomes],
    )  # fmt: skip


def _peak(peak: Peak) -> PeakAnswer:
    return PeakAnswer.model_validate(peak)


def _effect(effect: Effect) -> EffectAnswer:
    return EffectAnswer(peak=_peak(effect.peak), collisions=effect.collisions, runs=effect.runs)
