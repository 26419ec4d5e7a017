"""What a schedule is to do: everything that people say of it. Versions of a schedule are these, as JSON."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from console.errors import InvalidInput
from console.schedules.recurrence import Unit

MAX_NAME = 200
MAX_EVERY = 100_000
LAST_YEAR = 2_300
MAX_CATCH_UP = 1_000


class Kind(StrEnum):
    """How its times are told."""

    CRON = "cron"
    EVERY = "every"
    RRULE = "rrule"
    ONCE = "once"


class Overlap(StrEnum):
    """What happens when it is time and its last job has not ended."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"
    CANCEL = "cancel"


class CatchUp(StrEnum):
    """What happens to the times that were missed because no beat ran."""

    SKIP = "skip"
    LAST = "last"
    ALL = "all"


class CronDays(StrEnum):
    """Whether one of day of month and day of week has to fit, as in cron, or both, as in Celery."""

    OR = "or"
    AND = "and"


def _in_reach(at: datetime) -> datetime:
    if not 1970 <= at.year <= LAST_YEAR:
        raise ValueError(f"Use a time from 1970 to {LAST_YEAR}.")
    return at


At = Annotated[AwareDatetime, AfterValidator(_in_reach)]


class Definition(BaseModel):
    """A schedule as people define it. Which fields its times need follows from the kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=MAX_NAME)
    type: str = Field(min_length=1, max_length=255)
    payload: dict[str, JsonValue] = Field(default_factory=dict)
    args: list[JsonValue] = Field(default_factory=list, max_length=100)
    kind: Kind
    cron: str | None = Field(None, max_length=250)
    cron_days: CronDays = CronDays.OR
    every: int | None = Field(None, ge=1, le=MAX_EVERY)
    unit: Unit = "minutes"
    anchor: At | None = None
    rrule: str | None = Field(None, max_length=500)
    at: At | None = None
    timezone: str = Field("UTC", max_length=60)
    starts_at: At | None = None
    ends_at: At | None = None
    max_runs: int | None = Field(None, ge=1, le=1_000_000_000)
    jitter_s: int = Field(0, ge=0, le=86_400)
    blackouts: list[str] = Field(default_factory=list, max_length=20)
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LAST
    catch_up_window_s: int = Field(86_400, ge=60, le=90 * 86_400)
    catch_up_cap: int = Field(100, ge=1, le=MAX_CATCH_UP)
    finish_within_s: int | None = Field(None, ge=1, le=90 * 86_400)
    queue: str | None = Field(None, min_length=1, max_length=255)
    priority: int | None = Field(None, ge=0, le=9)
    tags: list[str] = Field(default_factory=list, max_length=20)
    owner: str = Field("", max_length=200)
    note: str = Field("", max_length=5_000)

    def to_json(self) -> str:
        """As it is stored; equal definitions give equal text."""
        return self.model_dump_json(exclude_defaults=True)

    def described(self) -> dict[str, Any]:
        """What differs from the defaults, for YAML, the API and comparisons."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def from_json(cls, text: str) -> Definition:
        """What `to_json` gave."""
        return cls.model_validate_json(text)


def parse_definition(given: dict[str, Any]) -> Definition:
    """A definition from what was typed or read. Raises `InvalidInput` naming each field that does not fit."""
    try:
        return Definition.model_validate(given)
    except ValidationError as error:
        problems = [
            {"field": ".".join(map(str, item["loc"])) or "definition", "message": item["msg"]}
            for item in error.errors()
        ]
        raise InvalidInput("; ".join(f"{one['field']}: {one['message']}" for one in problems), problems) from None
