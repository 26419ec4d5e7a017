"""What the running attempts of a worker use: memory and processor time of their processes, told every two seconds.

The worker's main process looks at what runs, in the system's own tables, and leaves the figures in the event server
for some seconds. Nothing is stored: of a worker that is killed, they vanish. An attempt is told of from the second
look on, so that short jobs cost nothing. Only Linux tells; elsewhere nothing is.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from celery.worker import state

from console import clock
from console.tracking.events import USAGE_KEY

EVERY_S = 2.0
KEEP_MS = 7_000
REST_S = 30.0
"""For so long nothing is told after the server did not answer."""
MOST_JOBS = 200
LIVE_CHANNEL = "celeriac:live"
"""Where open pages hear that a job changed; as in `console.jobs.outbox`, which an application need not have."""
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a process has used so far: seconds of processor time, and bytes of memory that it holds now."""

    at: float
    processor_s: float
    memory: int


class Sampler:
    """Looks at the attempts that run in this worker."""

    def __init__(self) -> None:
        self._look_at = 0.0
        self._before: dict[str, tuple[int, Reading, int]] = {}
        """By job: process, what it had used at the last look, and the most memory seen."""

    def tick(self, client: redis.Redis) -> None:
        """Looks and tells, when it is time to. Does not raise."""
        now = clock.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + EVERY_S
        try:
            if told := self._look():
                self._tell(client, told)
        except redis.RedisError:
            self._look_at = now + REST_S
        except RuntimeError:  # what runs changed while it was being read
            pass

    def _look(self) -> dict[str, dict[str, Any]]:
        """What is to be told, by job."""
        running = {str(one.id): int(one.worker_pid) for one in list(state.active_requests) if one.worker_pid}
        told: dict[str, dict[str, Any]] = {}
        seen: dict[str, tuple[int, Reading, int]] = {}
        shared = len(set(running.values())) < len(running) or os.getpid() in running.values()
        for job_id, pid in list(running.items())[:MOST_JOBS]:
            reading = read(pid)
            if reading is None:
                continue
            known = self._before.get(job_id)
            peak = reading.memory
            if known is not None and known[0] == pid:
                before = known[1]
                peak = max(peak, known[2])
                passed = max(reading.at - before.at, 0.001)
                told[job_id] = {
                    "memory": reading.memory,
                    "peak": peak,
                    "cpu": round(100 * max(0.0, reading.processor_s - before.processor_s) / passed, 1),
                    "shared": shared,
                    "pid": pid,
                    "at_ms": clock.now_ms(),
                }
            seen[job_id] = (pid, reading, peak)
        self._before = seen
        return told

    def _tell(self, client: redis.Redis, told: dict[str, dict[str, Any]]) -> None:
        with client.pipeline(transaction=False) as pipe:
            for job_id, figures in told.items():
                pipe.set(USAGE_KEY.format(job_id), json.dumps(figures), px=KEEP_MS)
            topics = [f"job:{job_id}" for job_id in told]
            pipe.publish(LIVE_CHANNEL, json.dumps({"topics": topics, "v": clock.now_ms()}))
            pipe.execute()


def read(pid: int) -> Reading | None:
    """What a process has used; None when it is gone, or the system does not tell (proc(5))."""
    try:
        said = (_PROC / str(pid) / "stat").read_text()
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    fields = said.rpartition(")")[2].split()
    processor_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return Reading(clock.monotonic(), processor_s, pages * os.sysconf("SC_PAGE_SIZE"))
