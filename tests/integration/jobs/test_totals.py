"""Totals that never go back, though the days they were made of are deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, func, select

from console import clock, db
from console.jobs import totals
from console.jobs.models import JobRollup
from console.jobs.tally import Sums, Tally

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def happened(days_ago: float, shard: int = -1, runtime_ms: int = 250) -> None:
    """A job came, one ended well and one failed."""
    at_ms = clock.to_ms(NOW - timedelta(days=days_ago))
    tally = Tally(shard)
    tally.enqueued(at_ms, "tests.greet", "default")
    tally.ended("COMPLETED", at_ms, "tests.greet", "default", 40, runtime_ms)
    tally.ended("FAILED", at_ms, "tests.other", "default", 40, None)
    with db.writing() as session:
        tally.write(session)


def read(dimension: str = "queue") -> dict[str, Sums]:
    with db.reading() as session:
        return totals.read(session, dimension, with_histograms=True)


def fold(now: datetime = NOW) -> bool:
    with db.writing() as session:
        return totals.fold(session, now)


def test_nothing_changes_by_folding_nor_by_deleting_what_was_folded(database: Engine) -> None:
    for days, shard in ((40, 0), (40, 1), (9, 0), (3.6, -1), (1, 0), (0, 1)):
        happened(days, shard)
    before = read(), read("type")
    assert before[0]["default"].enqueued == 6
    assert before[0]["default"].runtimes.total() == 6
    assert before[1]["tests.other"].failed == 6
    assert fold()
    assert (read(), read("type")) == before
    with db.writing() as session:
        until = totals.folded_until(session)
        assert until == datetime(2026, 3, 17, tzinfo=UTC)
        session.execute(delete(JobRollup).where(JobRollup.grain == "day", JobRollup.at < until))
        assert session.scalar(select(func.count()).where(JobRollup.grain == "day")) == 6
    assert (read(), read("type")) == before


def test_day_after_day_what_is_new_is_added_once(database: Engine) -> None:
    happened(10)
    assert fold()
    assert not fold()
    happened(2, runtime_ms=9_000)
    assert not fold()
    assert fold(NOW + timedelta(days=2))
    assert read()["default"].enqueued == 2
    assert sorted(read()["default"].runtimes.values()) == [1, 1]


def test_what_is_heard_of_too_late_counts_in_its_day_only(database: Engine) -> None:
    happened(10)
    fold()
    happened(10)
    assert read()["default"].enqueued == 1
    with db.reading() as session:
        days = select(func.sum(JobRollup.enqueued)).where(JobRollup.grain == "day", JobRollup.dimension == "queue")
        assert session.scalar(days) == 2


def test_before_anything_happened_there_is_nothing(database: Engine) -> None:
    assert not fold()
    assert read() == {}
