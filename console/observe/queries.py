"""Reads of gaps, for whoever must not show what was missed as if nothing had happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from console import clock
from console.observe.models import ObservedGap
from console.observe.rules import REASONS


@dataclass(frozen=True, slots=True)
class GapView:
    """See `models.ObservedGap`."""

    source: str
    worker: str
    from_at: datetime
    to_at: datetime
    reason: str
    missed: int | None

    @property
    def explanation(self) -> str:
        """Why, and of how many jobs something was missed, in words."""
        why = REASONS.get(self.reason, self.reason)
        jobs = f"; events of about {counted(self.missed)} missed" if self.missed else ""
        return f"{why}{jobs}"


def list_gaps(session: Session, span: timedelta, limit: int = 100) -> list[GapView]:
    """Gaps that reach into the last `span`, newest first."""
    rows = session.scalars(
        select(ObservedGap)
        .where(ObservedGap.to_at >= clock.now() - span)
        .order_by(ObservedGap.to_at.desc(), ObservedGap.id)
        .limit(limit)
    )
    return [GapView(row.source, row.worker, row.from_at, row.to_at, row.reason, row.missed) for row in rows]


def incomplete(gaps: Sequence[GapView], at: datetime, grain: timedelta) -> str | None:
    """What is to be said of the bucket that begins at `at`, if any of the gaps touches it."""
    by_source: dict[str, list[GapView]] = {}
    for gap in gaps:
        if gap.from_at < at + grain and gap.to_at >= at:
            by_source.setdefault(gap.source, []).append(gap)
    return "; ".join(_said(source, some, at, grain) for source, some in sorted(by_source.items())) or None


def _said(source: str, gaps: list[GapView], at: datetime, grain: timedelta) -> str:
    missed = sum(gap.missed or 0 for gap in gaps)
    reach_on = any(gap.from_at < at or gap.to_at >= at + grain for gap in gaps)
    told = f", events of about {counted(missed)} missed{' in all' if reach_on else ''}" if missed else ""
    return f"observation of {source} incomplete{told}"


def counted(jobs: int) -> str:
    """A number of jobs in words."""
    return f"{jobs:,} job{'s' if jobs > 1 else ''}"
