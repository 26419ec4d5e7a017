"""Which stretches of time Overview can show, and how long one bucket of each is."""

from __future__ import annotations

from datetime import timedelta

from console.queues.schemas import RANGES as API_RANGES

RANGES: dict[str, tuple[timedelta, timedelta]] = {"15m": (timedelta(minutes=15), timedelta(minutes=1))} | API_RANGES
DEFAULT = "1h"
