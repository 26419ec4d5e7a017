"""How long a schedule's runs usually take: its own last ones, or those of its job type while it has too few.

Of a type the rollups of days tell; schedules of one type may differ much, so their own runs say more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from math import ceil

from sqlalchemy import select
from sqlalchemy.orm import Session

from console import clock
from console.jobs import histogram
from console.jobs.models import JobRollup, JobStatus
from console.schedules.models import ScheduleFire

DAYS = 7
OWN_RUNS = 20
LEAST_OWN = 3
"""With fewer runs of its own, its type says more."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Half of the runs take at most `median_ms`, 95 of 100 at most `p95_ms`.

    `own_runs`: so many of its own were looked at; 0: those of its type in the last `DAYS` days.
    """

    median_ms: float
    p95_ms: float
    own_runs: int = 0


def usual_of(own_ms: Sequence[int], of_type: Usual | None) -> Usual | None:
    """None: neither it nor its type has run."""
    if own_ms and (len(own_ms) >= LEAST_OWN or of_type is None):
        ordered = sorted(own_ms)
        return Usual(_ranked(ordered, 0.5), _ranked(ordered, 0.95), len(ordered))
    return of_type


def usual_run(session: Session, job_type: str, schedule_id: str = "") -> Usual | None:
    """Of one schedule; of a type alone, without one."""
    own = (
        select(JobStatus.runtime_ms)
        .join(ScheduleFire, ScheduleFire.job_id == JobStatus.id)
        .where(ScheduleFire.schedule_id == schedule_id)
        .order_by(ScheduleFire.nominal_at.desc())
        .limit(OWN_RUNS)
    )
    own_ms = [ms for ms in session.scalars(own) if ms is not None] if schedule_id else []
    of_types = {} if len(own_ms) >= LEAST_OWN else usual_of_types(session, [job_type])
    return usual_of(own_ms, of_types.get(job_type))


def usual_of_types(session: Session, job_types: Collection[str]) -> dict[str, Usual | None]:
    """How long the jobs of these types took in the last days."""
    today = clock.to_ms(clock.now()) // 86_400_000 * 86_400_000
    query = select(JobRollup.name, JobRollup.runtimes).where(
        JobRollup.grain == "day", JobRollup.dimension == "type", JobRollup.name.in_(job_types),
        JobRollup.at.in_([clock.from_ms(today) - timedelta(days=ago) for ago in range(DAYS)]),
    )  # fmt: skip
    texts: dict[str, list[str | None]] = {}
    for name, text in session.execute(query) if job_types else ():
        texts.setdefault(name, []).append(text)
    return {name: _usual_in(tuple(some)) for name, some in texts.items()}


@lru_cache(maxsize=1_024)
def _usual_in(texts: tuple[str | None, ...]) -> Usual | None:
    """Of stored histograms; remembered, since a list shows the same types again and again."""
    merged = histogram.merged(texts)
    median, p95 = (histogram.percentile(merged, share) for share in (0.5, 0.95))
    return None if median is None or p95 is None else Usual(median, p95)


def _ranked(ordered: Sequence[int], share: float) -> float:
    """The nearest rank."""
    return float(ordered[max(0, ceil(share * len(ordered)) - 1)])
