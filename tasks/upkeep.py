"""Celeriac's own upkeep: built-in schedules dispatch it (`schedules.builtin`), and it is hidden unless asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from console import clock, db
from console.files import service as files
from console.jobs import totals
from console.jobs.registry import INTERNAL_QUEUE
from console.schedules import builtin, history
from console.upkeep import fingerprints, retention
from console.upkeep.service import AUDIT, FILES, RETENTION, ROLLUPS
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

        done = retention.run(clock.monotonic() + RUN_FOR_S, report, retention.of_jobs)
        forgotten = history.forget(clock.now())
        finished = done.finished and all_compared
        if not finished:
            go_on_soon(self.name)
        removed = described(done.removed) | {"runs of schedules": forgotten}
        return {"removed": removed, "compared": compared, "finished": finished}


class Rollups(Job):
    """Takes days that are over into the totals, from which counters and metrics are read; only then old days may go."""

    name = ROLLUPS
    schema = Nothing
    queue_name = INTERNAL_QUEUE
    timeout_s = 300

    def handle(self, payload: Nothing) -> dict[str, Any]:
        """Most days there is nothing to take but the first time."""
        folded = retention.fold(clock.now())
        with db.reading() as session:
            until = totals.folded_until(session)
        return {"folded": folded, "until": until.isoformat() if until else None}


class Audit(Job):
    """Removes entries of the audit log and past bulk actions that are kept no longer."""

    name = AUDIT
    schema = Nothing
    queue_name = INTERNAL_QUEUE
    timeout_s = 300

    def handle(self, payload: Nothing) -> dict[str, Any]:
        """Whatever it does not get done, the next run does, soon."""
        done = retention.run(clock.monotonic() + RUN_FOR_S, of=retention.of_audit)
        if not done.finished:
            go_on_soon(self.name)
        return {"removed": described(done.removed), "finished": done.finished}


class Files(Job):
    """Removes uploads and results of jobs that are kept no longer."""

    name = FILES
    schema = Nothing
    queue_name = INTERNAL_QUEUE
    timeout_s = 300

    def handle(self, payload: Nothing) -> dict[str, Any]:
        """Those of the directory that this worker shares with web and the other workers."""
        return {"removed": {"uploads and results": files.sweep(clock.now())}}


def go_on_soon(job_type: str) -> None:
    """The rest is not left for the next hour."""
    with db.writing() as session:
        builtin.again_at(session, job_type, clock.now() + AGAIN_AFTER)


def described(removed: retention.Removed) -> dict[str, int]:
    """How many of what, all job types together: as a job's result, which is to be read by people."""
    found: dict[str, int] = {}
    for (what, _), n in removed.items():
        found[what] = found.get(what, 0) + n
    return found
