"""How much room the database takes, how fast it grows, and where that ends, from counts and rollups alone."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from console import clock
from console.config import settings
from console.jobs.models import JobCount, JobRollup
from console.jobs.retention import own_days

MEASURED = timedelta(days=7)
_ENDED = {"COMPLETED": "completed", "FAILED": "failed", "CANCELLED": "cancelled"}
BYTES_OF_A_JOB = 2_000
"""Row, indexes and timeline of a job with a small payload; taken until there are enough jobs to measure it."""
ENOUGH_JOBS = 10_000
GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Space:
    """`free_bytes`: what the database may still grow by; None: that cannot be seen from here.

    `jobs_per_day` of the last days. `growth_bytes`: per day, while nothing is old enough to go. `final_bytes`: what
    is in use when as much goes as comes, at this rate; infinite when something is kept for ever. Files never shrink.
    """

    database_bytes: int
    free_bytes: int | None
    jobs: int
    jobs_per_day: float
    bytes_per_job: float
    growth_bytes: float
    final_bytes: float

    @property
    def days_left(self) -> float:
        """Until it is full, at this rate; infinite when it never will be."""
        if self.free_bytes is None or not self.growth_bytes:
            return inf
        if self.final_bytes <= self.database_bytes + self.free_bytes:
            return inf
        return self.free_bytes / self.growth_bytes


def measure(session: Session) -> Space:
    """Reads it."""
    size = database_bytes(session)
    jobs = int(session.scalar(select(func.sum(JobCount.n))) or 0)
    each = size / jobs if jobs >= ENOUGH_JOBS else BYTES_OF_A_JOB
    enqueued, kept = _per_day(session)
    return Space(
        database_bytes=size,
        free_bytes=_free_bytes(session, size),
        jobs=jobs,
        jobs_per_day=enqueued,
        bytes_per_job=each,
        growth_bytes=enqueued * each,
        final_bytes=kept * each,
    )


def database_bytes(session: Session) -> int:
    """What the database takes; of SQLite with its write-ahead log."""
    if session.get_bind().dialect.name == "postgresql":
        return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    path = _file(session)
    return sum(part.stat().st_size for part in (path, Path(f"{path}-wal")) if part.exists())


def _per_day(session: Session) -> tuple[float, float]:
    """How many jobs came a day in the last days, and how many there will be when as many go as come."""
    now = clock.now()
    sums = [func.sum(getattr(JobRollup, name)) for name in ("enqueued", *_ENDED.values())]
    recent = (JobRollup.grain == "hour", JobRollup.dimension == "type", JobRollup.at > now - MEASURED)
    query = select(JobRollup.name, func.min(JobRollup.at), *sums).where(*recent).group_by(JobRollup.name)
    own, days = own_days(), settings().kept_days
    first, enqueued, kept = now, 0, 0.0
    for job_type, began, new, *ended in session.execute(query):
        first, enqueued = min(first, began), enqueued + int(new)
        for state, n in zip(_ENDED, ended, strict=True):
            kept += int(n) * own.get(job_type, {}).get(state, days[state]) if n else 0.0
    length = max((now - first) / timedelta(days=1), 1 / 24)
    return enqueued / length, kept / length


def _free_bytes(session: Session, size: int) -> int | None:
    given_gb = settings().database_gb
    if given_gb is not None:
        return max(0, int(given_gb * GB) - size)
    if session.get_bind().dialect.name == "postgresql":
        return None
    return shutil.disk_usage(_file(session).parent).free


def _file(session: Session) -> Path:
    return Path(os.fspath(session.connection().engine.url.database or ""))
