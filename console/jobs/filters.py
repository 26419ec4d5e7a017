"""Which jobs are meant: the filter that lists, counts and bulk actions share."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from console import clock
from console.errors import InvalidInput
from console.jobs.rules import State


@dataclass(frozen=True, slots=True)
class Condition:
    """One qualifier of a search beside the fields of `JobFilter`, for example `attempt:>2`.

    `key` says what is looked at (`search.language.KEYS`, and `text`), `compare` how (one of `= > >= < <=`, and `^` for
    "begins with"), `negated` that it must not hold. Several of one key mean "one of them".
    """

    key: str
    value: str
    compare: str = "="
    negated: bool = False


@dataclass(frozen=True, slots=True)
class JobFilter:
    """All conditions must hold; an empty one holds for every job.

    `states`: FAILED stands for RETRYABLE too, since a retryable job is a failed one whose payload is kept.
    `text` is looked for in id, type, error, payload and arguments, in the newest `queries.TEXT_SCAN` jobs of the other
    conditions; `back_to` is the last of them once that is settled, for whoever has to mean the same jobs again later.
    `before` and `after` bound the time it was enqueued. `ours`: without the jobs that another broker carries.
    """

    states: tuple[State, ...] = ()
    queue: str = ""
    type: str = ""
    text: str = ""
    before: datetime | None = None
    after: datetime | None = None
    internal: bool = False
    back_to: Cursor | None = None
    ours: bool = False
    conditions: tuple[Condition, ...] = ()

    def described(self) -> dict[str, Any]:
        """The conditions that are there, as the audit log keeps them."""
        times = {"before": self.before, "after": self.after, "back_to": self.back_to and self.back_to.enqueued_at}
        return {
            **({"state": [str(state) for state in self.states]} if self.states else {}),
            **{name: value for name in ("queue", "type", "text", "internal") if (value := getattr(self, name))},
            **{name: at.isoformat() for name, at in times.items() if at},
            **({"conditions": [asdict(one) for one in self.conditions]} if self.conditions else {}),
        }

    def to_json(self) -> str:
        """The whole filter, to be kept; see `from_json`."""
        times = {name: at and at.isoformat() for name in ("before", "after") if (at := getattr(self, name))}
        place = {"back_to": self.back_to.encode()} if self.back_to else {}
        flags = {name: True for name in ("internal", "ours") if getattr(self, name)}
        return json.dumps(self.described() | times | place | flags)

    @classmethod
    def from_json(cls, text: str) -> JobFilter:
        """The opposite of `to_json`."""
        kept = json.loads(text)
        return cls(
            states=tuple(State(state) for state in kept.get("state", ())),
            before=parse_time(kept.get("before", ""), "before"),
            after=parse_time(kept.get("after", ""), "after"),
            back_to=Cursor.decode(kept.get("back_to", "")),
            conditions=tuple(Condition(**one) for one in kept.get("conditions", ())),
            **{name: kept[name] for name in ("queue", "type", "text", "internal", "ours") if name in kept},
        )


def parse_states(words: list[str]) -> tuple[State, ...]:
    """State names, any case, possibly comma-separated. Raises `InvalidInput` naming the known ones."""
    names = [name.strip().upper() for word in words for name in word.split(",") if name.strip()]
    unknown = [name for name in names if name not in State.__members__]
    if unknown:
        raise InvalidInput(
            f"There is no state {unknown[0]!r}. States are {', '.join(State)}.",
            [{"field": "state", "message": f"Use one of {', '.join(State)}."}],
        )
    states = {State(name) for name in names}
    if State.FAILED in states:
        states.add(State.RETRYABLE)
    return tuple(state for state in State if state in states)


def parse_time(text: str, name: str) -> datetime | None:
    """An ISO 8601 time with a zone, or nothing. Raises `InvalidInput` saying how to write it."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        clock.to_ms(at)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{name}={text!r} is no time. Write it like 2026-03-01T12:00:00+00:00.",
            [{"field": name, "message": "Write it like 2026-03-01T12:00:00+00:00."}],
        ) from None
    return at


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list that is sorted by (enqueued_at, id), newest first; the page after it starts below."""

    enqueued_at: datetime
    id: str

    def encode(self) -> str:
        """The cursor as it stands in a URL."""
        return base64.urlsafe_b64encode(f"{clock.to_ms(self.enqueued_at)}:{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor | None:
        """The opposite of `encode`; None for an empty text. Raises `InvalidInput` for anything else."""
        if not text:
            return None
        try:
            ms, _, job_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(":")
            place = cls(clock.from_ms(int(ms)), job_id)
        except (ValueError, binascii.Error, OverflowError):
            place = None
        if place is None or "\0" in place.id:  # PostgreSQL cannot compare with a text that has NUL
            raise InvalidInput(
                "The cursor is not one that a list gave. Begin again without it.",
                [{"field": "cursor", "message": "Use the value of next, or leave it out."}],
            )
        return place
