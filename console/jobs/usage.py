"""What the running attempt of a job uses, as its worker told it in the last seconds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import redis

from console import clock
from console import redis as valkey
from console.errors import NotFound
from console.jobs.queries import JobLine
from console.jobs.registry import job_type
from console.jobs.rules import State
from console.tracking.events import USAGE_KEY

MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory in bytes, `peak` the most that was seen during this attempt; processor time in percent of one core.

    `is_shared`: they are of a process that runs other jobs too. `limit`: what the job type may use, in bytes, more
    than its process had before.
    """

    memory: int
    peak: int
    cpu: float
    is_shared: bool
    pid: int
    at: datetime
    limit: int | None


def usage_of(line: JobLine) -> Usage | None:
    """None when it does not run, when its worker tells nothing (any more), and while the server does not answer."""
    if line.state is not State.PROCESSING:
        return None
    try:
        said = valkey.quick_client().get(USAGE_KEY.format(line.id))
        if said is None:
            return None
        told = json.loads(said)
        return Usage(
            memory=int(told["memory"]),
            peak=int(told["peak"]),
            cpu=float(told["cpu"]),
            is_shared=bool(told["shared"]),
            pid=int(told["pid"]),
            at=clock.from_ms(int(told["at_ms"])),
            limit=_limit(line.type),
        )
    except (redis.RedisError, ValueError, KeyError, TypeError):
        return None


def _limit(name: str) -> int | None:
    try:
        return job_type(name).limits.memory_mb * MB
    except NotFound:
        return None
