"""What may stand behind a key: durations, times, whole numbers, paths into a payload."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from console import clock
from console.jobs.search.terms import wrong

_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,3})?(?:ms|[wdhms]))+")
_PART = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ms|[wdhms])")
MAX_MS = 10**15
MAX_DEPTH = 8
MAX_INT = 2**31 - 1
_STEP = re.compile(r"[^\s.:\"'\\\[\]$]{1,100}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?")


def duration_ms(text: str, at: int = 0) -> int:
    """`5s`, `1m30s`, `500ms`, `1.5h` in milliseconds. Raises `InvalidInput`."""
    if not _DURATION.fullmatch(text):
        raise wrong(f"{text!r} is no duration. Write it like 5s, 500ms, 1m30s or 2h.", at)
    total = 0
    for whole, part, unit in _PART.findall(text):
        thousandths = int(whole) * 1_000 + int(part.ljust(3, "0") or 0)
        total += thousandths * _UNITS_MS[unit] // 1_000
    if total > MAX_MS:
        raise wrong(f"{text!r} is too long.", at)
    return total


def duration_text(ms: int) -> str:
    """The shortest way to write it: 90,000 is `1m30s`."""
    parts = []
    for unit, size in _UNITS_MS.items():
        if n := ms // size:
            parts.append(f"{n}{unit}")
        ms -= n * size
    return "".join(parts) or "0s"


def moment(text: str, now: datetime, at: int = 0) -> datetime:
    """`2h` (so long ago), `2026-11-01`, `2026-11-01T12:00`; without a zone: UTC. Raises `InvalidInput`."""
    try:
        if _DURATION.fullmatch(text):
            return now - timedelta(milliseconds=duration_ms(text, at))
        read = datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", text))  # "+" in an address means a blank
        read = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        clock.to_ms(read)
    except (ValueError, OverflowError):
        raise wrong(
            f"{text!r} is no time. Write 2h for two hours ago, 2026-11-01, or 2026-11-01T12:00+01:00 (no zone: UTC).",
            at,
        ) from None
    return read


def moment_text(at: datetime) -> str:
    """As `moment` reads it again."""
    spec = "seconds" if not at.microsecond else "milliseconds" if at.microsecond % 1_000 == 0 else "microseconds"
    return at.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def whole_number(text: str, at: int = 0) -> int:
    """From 0 on. Raises `InvalidInput`."""
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > MAX_INT:
        raise wrong(f"{text!r} is no whole number. Write it like attempt:2 or attempt:>2.", at)
    return int(text)


def is_number(text: str) -> bool:
    """Whether a value of the payload that is written like this may be a number."""
    return _NUMBER.fullmatch(text) is not None


def path_of(key: str, at: int = 0) -> tuple[str, ...]:
    """The steps of `args.user.id` behind `args`. Raises `InvalidInput`."""
    steps = tuple(key.split(".")[1:])
    if not steps or len(steps) > MAX_DEPTH or not all(map(_STEP.fullmatch, steps)):
        raise wrong(
            f"{key!r} is no path. Write args.user_id, args.user.id or, by place, args.0; at most {MAX_DEPTH} steps.", at
        )
    return steps
