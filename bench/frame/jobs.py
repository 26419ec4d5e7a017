"""Jobs of the site that is in force: dispatching them, and waiting until they are stored."""

from __future__ import annotations

import time
from typing import Any

from console import clock, db
from console.actor import SYSTEM
from console.errors import Unavailable
from console.jobs import queries, service
from console.jobs.filters import JobFilter
from console.jobs.registry import job_type
from console.jobs.rules import State

POLL_S = 0.02
STALLED_S = 60.0


def dispatch(type_: str, payload: dict[str, Any] | None = None, count: int = 1, **options: Any) -> list[str]:
    """Dispatches equal jobs in one transaction, as the console does; their ids. `options`: see `DispatchOptions`."""
    import tasks  # noqa: F401 - registers the job types; needs the settings of the site

    with db.writing() as session:
        chosen = service.DispatchOptions(**options)
        return service.dispatch(session, SYSTEM, job_type(type_), payload or {}, chosen, count)


def counts() -> dict[State, int]:
    """How many jobs are stored in each state."""
    with db.reading() as session:
        return queries.count_by_state(session, JobFilter())


def wait_stored(count: int, state: State = State.COMPLETED) -> float:
    """Waits until so many jobs are in that state in the database; how many seconds that took.

    Raises `Unavailable` when nothing has moved for a minute.
    """
    began = moved = clock.monotonic()
    before: dict[State, int] = {}
    while (now := counts()).get(state, 0) < count:
        if now != before:
            before, moved = now, clock.monotonic()
        if clock.monotonic() - moved > STALLED_S:
            raise Unavailable(f"Not {count:,} jobs became {state}. For {STALLED_S:.0f} s there have been {now}.")
        time.sleep(POLL_S)
    return clock.monotonic() - began
