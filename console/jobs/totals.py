"""What happened since the beginning, for counters that must never go back: old days are folded into one total.

The total of a queue or a type is a rollup of the grain "total". Its `at` says up to which day it counts (that day not
included); whoever wants to know everything adds the days from there on. So old days can be deleted without a trace.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, literal_column, or_, select
from sqlalchemy.orm import Session, aliased

from console import clock
from console.jobs import histogram
from console.jobs.models import JobRollup
from console.jobs.tally import CONSOLE, GRAINS, MEASURES, Sums

GRAIN = "total"
DIMENSIONS = ("queue", "type")
FOLDED_AFTER = timedelta(days=3)
"""What is heard of a day later than this still counts in charts, but no more in the total."""
_FOLDING = 4_711_001
"""Number of the lock in PostgreSQL that whoever folds holds; on SQLite the write lock is enough."""


def read(
    session: Session, dimension: str, *, with_histograms: bool = False, until: datetime | None = None
) -> dict[str, Sums]:
    """Everything that happened before a day, or ever, by the name of the queue or type. One statement: nothing torn."""
    texts = (JobRollup.waits, JobRollup.runtimes) if with_histograms else ()
    total = aliased(JobRollup)
    folded = select(func.coalesce(func.max(total.at), literal_column("0"))).where(total.grain == GRAIN)
    days = [JobRollup.grain == "day", JobRollup.at >= folded.scalar_subquery()]
    if until is not None:
        days.append(JobRollup.at < until)
    query = select(JobRollup.name, *(getattr(JobRollup, name) for name in MEASURES), *texts).where(
        JobRollup.dimension == dimension, or_(JobRollup.grain == GRAIN, and_(*days))
    )
    found: dict[str, Sums] = {}
    for name, *values in session.execute(query):
        sums = Sums(*values[: len(MEASURES)])
        for kept, text in zip((sums.waits, sums.runtimes), values[len(MEASURES) :], strict=False):
            kept.update(histogram.load(text))
        found.setdefault(name, Sums()).add(sums)
    return found


def fold(session: Session, now: datetime) -> bool:
    """Takes the days that are over for `FOLDED_AFTER` into the total; false when all of them are in it."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_FOLDING)))
    until = clock.from_ms(clock.to_ms(now - FOLDED_AFTER) // GRAINS["day"] * GRAINS["day"])
    latest = folded_until(session)
    if latest is not None and latest >= until:
        return False
    rows = [
        _as_row(dimension, name, until, sums)
        for dimension in DIMENSIONS
        for name, sums in sorted(read(session, dimension, with_histograms=True, until=until).items())
    ]
    if rows:
        session.execute(delete(JobRollup).where(JobRollup.grain == GRAIN))
        session.execute(insert(JobRollup), rows)
    return bool(rows)


def folded_until(session: Session) -> datetime | None:
    """Days before this one are in the total; None: there is none yet."""
    return session.scalar(select(func.max(JobRollup.at)).where(JobRollup.grain == GRAIN))


def _as_row(dimension: str, name: str, until: datetime, sums: Sums) -> dict[str, Any]:
    return {
        "grain": GRAIN,
        "dimension": dimension,
        "at": until,
        "name": name,
        "shard": CONSOLE,
        "waits": histogram.dump(sums.waits),
        "runtimes": histogram.dump(sums.runtimes),
    } | {measure: getattr(sums, measure) for measure in MEASURES}
