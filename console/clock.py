"""The only place that reads the time, so that tests can set it and rules can be given it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The present instant, UTC, cut to whole milliseconds (what the database keeps)."""
    return from_ms(now_ms())


def now_ms() -> int:
    """The present instant in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds on a clock that never goes back; for measuring durations only."""
    return time.monotonic()


def from_ms(ms: int) -> datetime:
    """Milliseconds since 1970-01-01 UTC as an aware datetime, without float rounding."""
    return EPOCH + timedelta(milliseconds=ms)


def to_ms(at: datetime) -> int:
    """An aware datetime as milliseconds since 1970-01-01 UTC, rounded down.

    Raises `ValueError` for a naive datetime: whoever has one must say in which zone it is.
    """
    if at.tzinfo is None:
        raise ValueError("a time without a zone; add one, for example +00:00")
    return (at - EPOCH) // timedelta(milliseconds=1)
