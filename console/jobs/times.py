"""Times as people type them for a job that is to run later."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from console import clock
from console.errors import InvalidInput

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "": 1}
_IN = re.compile(r"(\d{1,9})\s*(s|min|m|h|d|)")


def parse_planned(text: str) -> datetime | None:
    """An ISO 8601 time, UTC where it names no zone, or "now" (None). Raises `InvalidInput` saying how to write it."""
    text = text.strip()
    if text == "now":
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        clock.to_ms(at)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{text!r} is no time. Write it like 2026-03-01T12:00:00Z.",
            [{"field": "at", "message": "Write it like 2026-03-01T12:00:00Z."}],
        ) from None
    return at


def parse_delay(text: str) -> datetime:
    """In how long: 90s, 10min, 2h, 3d. Raises `InvalidInput`."""
    found = _IN.fullmatch(text.strip())
    try:
        if found:
            return clock.now() + timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    except OverflowError:
        pass
    raise InvalidInput(f"{text!r} is no delay. Write it like 90s, 10min, 2h or 3d.")
