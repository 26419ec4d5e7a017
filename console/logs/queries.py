"""Reading what jobs logged: the attempts that did, and their lines in order. Every query walks one index."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from sqlalchemy import and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from console import clock
from console.errors import InvalidInput
from console.jobs.models import JobLog

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
MOST_ATTEMPTS = 200
OF_AN_ATTEMPT = 1_000
"""Lines of one attempt that are read at most; a worker keeps no more than half as many."""
_PLACE = re.compile(r"(\d{1,9})\.(\d{1,5})(?:\.(\d{1,9}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """An attempt, or a line of it: how it is called in addresses and cursors."""

    attempt: int
    run: int
    number: int = 0

    def encode(self) -> str:
        """As text: "2.0", or with a line "2.0.17"."""
        return f"{self.attempt}.{self.run}" + (f".{self.number}" if self.number else "")

    @classmethod
    def decode(cls, text: str) -> Self | None:
        """None for an empty text. Raises `InvalidInput` for one that is no place."""
        if not text:
            return None
        found = _PLACE.fullmatch(text)
        if found is None:
            raise InvalidInput(f"{text!r} names no place in a log. Leave it out, to begin at its beginning.")
        return cls(*(int(part or 0) for part in found.groups()))


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `left_out`: how many lines before it, in the same attempt, were not kept."""

    attempt: int
    run: int
    number: int
    at: datetime
    level: int
    logger: str
    message: str
    exception: str | None
    left_out: int = 0

    @property
    def word(self) -> str:
        """Its level, as one of `LEVELS`."""
        return next((word for word, least in reversed(LEVELS.items()) if self.level >= least), "DEBUG")


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines, and the place up to which they were looked for: what is after that comes next."""

    lines: list[LogLine]
    read_to: Place | None
    is_last: bool
    """Whether there is nothing after it so far."""


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """An attempt that logged something; `last`: the number of its last line."""

    attempt: int
    run: int
    began: datetime
    last: int
    kept: int
    level: int

    @property
    def place(self) -> str:
        """How it is called in addresses."""
        return Place(self.attempt, self.run).encode()


def parse_level(name: str) -> int:
    """The number of a level's name; 0 for none. Raises `InvalidInput`."""
    if name and name.upper() not in LEVELS:
        raise InvalidInput(f"{name!r} is no level. Use one of {', '.join(LEVELS)}.")
    return LEVELS[name.upper()] if name else 0


def logged_attempts(session: Session, job_id: str) -> list[LoggedAttempt]:
    """The attempts of a job that logged something, latest first; at most `MOST_ATTEMPTS`."""
    rows = session.execute(
        select(
            JobLog.attempt, JobLog.run, func.min(JobLog.at), func.max(JobLog.seq + JobLog.n - 1), func.sum(JobLog.n),
            func.max(JobLog.level),
        )
        .where(JobLog.job_id == job_id)
        .group_by(JobLog.attempt, JobLog.run)
        .order_by(JobLog.attempt.desc(), JobLog.run.desc())
        .limit(MOST_ATTEMPTS)
    )  # fmt: skip
    return [LoggedAttempt(int(a), int(r), at, int(last), int(kept), int(level)) for a, r, at, last, kept, level in rows]


def lines_after(
    session: Session,
    job_id: str,
    after: Place | None = None,
    *,
    of: Place | None = None,
    level: int = 0,
    limit: int = OF_AN_ATTEMPT,
) -> LogPage:
    """The lines after a place, oldest first; of one attempt or of all, those of a level and above.

    There may be fewer than `limit`, and more to come nevertheless, where most are below the level.
    """
    query = select(JobLog).where(JobLog.job_id == job_id).order_by(JobLog.attempt, JobLog.run, JobLog.seq)
    if of is not None:
        query = query.where(JobLog.attempt == of.attempt, JobLog.run == of.run)
    if after is not None:
        attempt = tuple_(JobLog.attempt, JobLog.run)
        rest = and_(attempt == (after.attempt, after.run), JobLog.seq + JobLog.n > after.number + 1)
        query = query.where(JobLog.attempt >= after.attempt, or_(attempt > (after.attempt, after.run), rest))
    rows = session.scalars(query.limit(limit + 1)).all()
    found: list[LogLine] = []
    read_to, missing = after, 0
    for line in _numbered(rows[:limit], after):
        if len(found) == limit:
            return LogPage(found, read_to, is_last=False)
        read_to, missing = Place(line.attempt, line.run, line.number), missing + line.left_out
        if line.level >= level:
            found.append(replace(line, left_out=missing))
            missing = 0
    return LogPage(found, read_to, is_last=len(rows) <= limit)


def _numbered(rows: Iterable[JobLog], after: Place | None) -> Iterable[LogLine]:
    """The lines of rows after a place, each with how many are missing before it."""
    known = after or Place(0, 0)
    for row in rows:
        if (row.attempt, row.run) != (known.attempt, known.run):
            known = Place(row.attempt, row.run)
        for number, said in enumerate(_decoded(row), row.seq):
            if number > known.number:
                yield LogLine(row.attempt, row.run, number, *said, left_out=number - known.number - 1)
                known = Place(row.attempt, row.run, number)


def _decoded(row: JobLog) -> Iterable[tuple[datetime, int, str, str, str | None]]:
    """What a row says, as far as it can be read."""
    try:
        found: list[Any] = json.loads(row.lines)
        for at_ms, level, logger, message, *more in found:
            yield clock.from_ms(int(at_ms)), int(level), str(logger), str(message), str(more[0]) if more else None
    except (ValueError, TypeError, OverflowError):
        yield row.at, row.level, "celeriac", "The rest of these lines cannot be read.", None
