"""A log as pages and files show it: one attempt of a job, whole or its end, all of it or from a level on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from console.jobs.masking import Mask
from console.logs.queries import LEVELS, LoggedAttempt, LogLine, Place, lines_after, logged_attempts, parse_level


@dataclass(frozen=True, slots=True)
class ShownLog:
    """`lines` are the last ones of `chosen`, which has `matching` of this level; none is chosen where none is."""

    attempts: Sequence[LoggedAttempt]
    chosen: LoggedAttempt | None
    level: str
    lines: Sequence[LogLine]
    matching: int
    levels: Sequence[str] = tuple(LEVELS)


def read_log(
    session: Session, job_id: str, mask: Mask, attempt: str = "", level: str = "", most: int | None = None
) -> ShownLog:
    """The attempt that is named, else the latest; its last `most` lines. Raises `InvalidInput` for what is neither."""
    attempts = logged_attempts(session, job_id)
    wanted, least = Place.decode(attempt), parse_level(level)
    chosen = attempts[0] if attempts else None
    if wanted is not None:
        chosen = next((one for one in attempts if (one.attempt, one.run) == (wanted.attempt, wanted.run)), chosen)
    if chosen is None:
        return ShownLog(attempts, None, level.upper(), (), 0)
    lines = lines_after(session, job_id, of=Place(chosen.attempt, chosen.run), level=least).lines
    return ShownLog(attempts, chosen, level.upper(), masked(lines[-most:] if most else lines, mask), len(lines))


def masked(lines: Sequence[LogLine], mask: Mask) -> list[LogLine]:
    """The lines without what the job's payload hides."""
    return [replace(line, message=mask(line.message), exception=mask(line.exception)) for line in lines]


def as_text(line: LogLine) -> str:
    """One line for a file or a terminal, its exception below it; what is missing before it is said above it."""
    at = line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = f"{at} {line.word} {line.logger}: {line.message}"
    if line.left_out:
        text = f"… {line.left_out:,} lines left out …\n{text}"
    return f"{text}\n{line.exception.rstrip()}" if line.exception else text
