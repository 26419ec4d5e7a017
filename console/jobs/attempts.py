"""The attempts of a job that did not end well, a page at a time, each with what differs from the one before it."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from console.errors import InvalidInput, NotFound
from console.jobs.masking import NOTHING, Mask
from console.jobs.models import JobAttempt
from console.jobs.queries import AttemptView, attempt_view
from console.jobs.tracebacks import Part, parts, place_of

PAGE = 10
COUNTED = 2_000
LONG = 20_000
"""A traceback of more characters is shown by its end only; the whole is loaded on request."""
SHOWN = 6_000
COMPARED_LINES = 400
"""Where more lines than this differ, the last ones are compared: it takes the square of their number."""
DIFF_LINES = 60
"""At most so many lines of a difference are shown."""
CONTEXT = 2


@dataclass(frozen=True, slots=True)
class Change:
    """A line of a difference. `sign`: "+", "-", " ", or "…" where lines that are equal are left out."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An attempt as the page shows it.

    `same_as`: the attempt before, when error and the application's own frames are equal. `changes`: else, what differs;
    [] for the first one. `lines`: of the whole traceback; `is_long`: `parts` are its end only.
    """

    view: AttemptView
    parts: list[Part]
    place: str
    lines: int
    is_long: bool
    same_as: int | None
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class Attempts:
    """A page of them, latest first. `older`: what leads to the next page; `total` is counted up to `COUNTED`."""

    shown: list[Shown]
    older: str
    total: int


def attempts_of(
    session: Session, job_id: str, before: str = "", limit: int = PAGE, *, mask: Mask = NOTHING
) -> Attempts:
    """The latest ones, or those before a place that a page gave as `older`. Raises `InvalidInput`.

    `mask`: hides what is sensitive, before anything is compared or folded.
    """
    where = [JobAttempt.job_id == job_id]
    if before:
        where.append(tuple_(JobAttempt.run, JobAttempt.attempt) < _place(before))
    length = func.length(JobAttempt.traceback)
    columns = [getattr(JobAttempt, name) for name in AttemptView.__slots__ if name != "traceback"]
    found = session.execute(
        select(
            *columns,
            func.substr(JobAttempt.traceback, 1, LONG).label("head"),
            func.substr(JobAttempt.traceback, func.abs(length - SHOWN + 1), SHOWN).label("tail"),
            length.label("length"),
            (length - func.length(func.replace(JobAttempt.traceback, "\n", ""))).label("lines"),
        )
        .where(*where)
        .order_by(JobAttempt.run.desc(), JobAttempt.attempt.desc())
        .limit(limit + 1)
    )
    rows = [_masked(row, mask) for row in found]
    some = select(JobAttempt.attempt).where(JobAttempt.job_id == job_id).limit(COUNTED).subquery()
    last = rows[limit - 1] if len(rows) > limit else None
    return Attempts(
        [_shown(row, rows[n + 1] if n + 1 < len(rows) else None) for n, row in enumerate(rows[:limit])],
        f"{last.run}.{last.attempt}" if last else "",
        session.scalar(select(func.count()).select_from(some)) or 0,
    )


def whole_attempts(session: Session, job_id: str, before: str, limit: int) -> tuple[list[AttemptView], str]:
    """A page of attempts with whole tracebacks, for programs, and what leads to the next one. Raises `InvalidInput`."""
    where = [JobAttempt.job_id == job_id]
    if before:
        where.append(tuple_(JobAttempt.run, JobAttempt.attempt) < _place(before))
    newest = (JobAttempt.run.desc(), JobAttempt.attempt.desc())
    rows = session.scalars(select(JobAttempt).where(*where).order_by(*newest).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return [attempt_view(row) for row in rows[:limit]], f"{last.run}.{last.attempt}" if last else ""


def traceback_of(session: Session, job_id: str, place: str) -> str:
    """The whole traceback of one attempt ("run.attempt"). Raises `NotFound` or `InvalidInput`."""
    run, attempt = _place(place)
    found = session.get(JobAttempt, (job_id, run, attempt))
    if found is None or found.traceback is None:
        raise NotFound(f"No traceback is kept of attempt {attempt} of the job {job_id!r}.")
    return found.traceback


def _place(text: str) -> tuple[int, int]:
    run, _, attempt = text.partition(".")
    if not (text.isascii() and run.isdecimal() and attempt.isdecimal() and len(run) < 5 and len(attempt) < 10):
        raise InvalidInput("An attempt is named by its run and its number, such as 0.3.")
    return int(run), int(attempt)


def _masked(row: Any, mask: Mask) -> Any:
    words = {name: mask(getattr(row, name)) for name in ("error_message", "head", "tail")}
    return SimpleNamespace(**(row._asdict() | words))


def _shown(row: Any, before: Any | None) -> Shown:
    is_long = (row.length or 0) > LONG
    text = _from_line_start(row.tail) if is_long else row.head
    values = {name: getattr(row, name) for name in AttemptView.__slots__ if name != "traceback"}
    said, said_before = _text(row), None if before is None else _text(before)
    changes = [] if said_before is None else difference(said_before, said)
    found = parts(text) if text else []
    return Shown(
        AttemptView(**values, traceback=text),
        found,
        place_of(found),
        (row.lines or 0) + 1 if text else 0,
        is_long,
        before.attempt if before is not None and said == said_before else None,
        changes,
    )


def _text(row: Any) -> str:
    """What two attempts are compared by: error, and the application's own frames. Of a long traceback, its end."""
    traceback = row.tail if (row.length or 0) > LONG else row.head
    own = "".join(part.text for part in parts(traceback or "") if not part.is_folded)
    return f"{row.error_type or ''}: {row.error_message or ''}\n{own}"


def _from_line_start(text: str) -> str:
    return text.partition("\n")[2] or text


def difference(before: str, after: str) -> list[Change]:
    """What differs between two texts, line by line, with some of what is around it; [] when nothing does."""
    old, new = _where_they_differ(*(text.splitlines() for text in (before, after)))
    found: list[Change] = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT):
        if found:
            found.append(Change("…", ""))
        for kind, a0, a1, b0, b1 in group:
            if kind == "equal":
                found += [Change(" ", line) for line in old[a0:a1]]
            else:
                found += [Change("-", line) for line in old[a0:a1]]
                found += [Change("+", line) for line in new[b0:b1]]
    if len(found) > DIFF_LINES:
        found = [*found[:DIFF_LINES], Change("…", f"{len(found) - DIFF_LINES:,} more lines differ or stand around")]
    return [Change(one.sign, one.text[:500]) for one in found]


def _where_they_differ(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Without the lines that both begin and end with, but for some around: comparing takes the square of the rest."""
    shortest = min(len(old), len(new))
    first = next((n for n in range(shortest) if old[n] != new[n]), shortest)
    last = next((n for n in range(shortest - first) if old[-1 - n] != new[-1 - n]), shortest - first)
    begin, end = max(0, first - CONTEXT), max(0, last - CONTEXT)
    return old[begin : len(old) - end][-COMPARED_LINES:], new[begin : len(new) - end][-COMPARED_LINES:]


def payload_difference(before: Any, after: Any) -> list[Change]:
    """The same of two values, as JSON in ASCII, so that letters that look alike differ."""
    return difference(*(json.dumps(value, indent=2) for value in (before, after)))
