"""How a failure group stands, and what may be asked of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from console.jobs.groups import IGNORED, OPEN, RESOLVED

MAX_NOTE = 10_000
MAX_RUNBOOK = 2_000
LONGEST_IGNORE = timedelta(days=3_660)
MOST_IGNORED = 1_000_000_000


class GroupState(StrEnum):
    """How a group stands."""

    OPEN = OPEN
    RESOLVED = RESOLVED
    IGNORED = IGNORED


class Sort(StrEnum):
    """What a list of groups begins with: came last, most in 24 hours, most ever, first seen last."""

    LAST = "last"
    COUNT = "count"
    TOTAL = "total"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Age:
    """A column of the matrix: failures of jobs that were enqueued so long ago. `until` None: however long."""

    name: str
    since: timedelta
    until: timedelta | None


AGES = (
    Age("last hour", timedelta(0), timedelta(hours=1)),
    Age("1–6 h", timedelta(hours=1), timedelta(hours=6)),
    Age("6–24 h", timedelta(hours=6), timedelta(hours=24)),
    Age("1–7 d", timedelta(hours=24), timedelta(days=7)),
    Age("older", timedelta(days=7), None),
)


@dataclass(frozen=True, slots=True)
class Ignore:
    """Until when failures of a group are ignored: a time, so many more, or until more than so many an hour.

    Whichever comes first ends it.
    """

    until: datetime | None = None
    more: int | None = None
    rate: int | None = None

    def problems(self, now: datetime) -> list[dict[str, str]]:
        """What is wrong with it, by field."""
        found = []
        if self == Ignore():
            found.append({"field": "until", "message": "Say until when: a time, a number of failures, or a rate."})
        if self.until is not None and not now < self.until <= now + LONGEST_IGNORE:
            found.append({"field": "until", "message": "Must lie ahead, within ten years."})
        for name, value in (("more", self.more), ("rate", self.rate)):
            if value is not None and not 1 <= value <= MOST_IGNORED:
                found.append({"field": name, "message": "Must be from 1 to 1,000,000,000."})
        return found


def standing(state: str, ignore_until: datetime | None, now: datetime) -> GroupState:
    """The state that holds now: what was to be ignored until a time is open from then on."""
    if state == IGNORED and ignore_until is not None and ignore_until <= now:
        return GroupState.OPEN
    return GroupState(state)


def is_runbook(address: str) -> bool:
    """Whether it is an address that a page may link to: http or https, with a host, one line."""
    try:
        parts = urlsplit(address)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_line = address.isprintable() and " " not in address and len(address) <= MAX_RUNBOOK
    return is_line and parts.scheme in ("http", "https") and has_host
