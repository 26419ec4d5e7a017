"""Celeriac's own upkeep: built-in schedules dispatch it (`schedules.builtin`), and it is hidden unless asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from console import clock, db
from console.jobs.registry import INTERNAL_QUEUE
from console.schedules import builtin, history
from console.upkeep import fingerprints, retention
from console.upkeep.service import RETENTION
from tasks.job import Job

RUN_FOR_S = 60.0
"""A run takes a process of a worker, and keeps a worker that shall stop waiting. Many short ones do as much."""
COMPARE_FOR_S = 30.0
AGAIN_AFTER = timedelta(seconds=5)


class Nothing(BaseModel):
    """No payload."""


class Retention(Job):
    """Removes jobs, rollups and keys that are kept no longer."""

    name = RETENTION
    schema = Nothing
    queue_name = INTERNAL_QUEUE
    timeout_s = 300

    def handle(self, payload: Nothing) -> dict[str, Any]:
        """First compares failures that nobody has. Whatever it does not get done, the next run does, soon."""
        compared, all_compared = fingerprints.run(clock.monotonic() + COMPARE_FOR_S)
        expected = retention.old_jobs(clock.now()).total()

        def report(so_far: retention.Run) -> None:
            gone = so_far.removed.total()
            self.progress(gone, max(expected, gone) or 1, f"{gone:,} removed")

        done = retention.run(clock.monotonic() + RUN_FOR_S, report)
        forgotten = history.forget(clock.now())
        finished = done.finished and all_compared
        if not finished:
            with db.writing() as session:
                builtin.again_at(session, self.name, clock.now() + AGAIN_AFTER)
        removed = described(done.removed) | {"runs of schedules": forgotten}
        return {"removed": removed, "compared": compared, "finished": finished}


def described(removed: retention.Removed) -> dict[str, int]:
    """How many of what, all job types together: as a job's result, which is to be read by people."""
    found: dict[str, int] = {}
    for (what, _), n in removed.items():
        found[what] = found.get(what, 0) + n
    return found
