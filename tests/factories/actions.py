"""Actions without a page, and a beat's thread to work on them."""

from __future__ import annotations

import time
from typing import Any

from console import clock, db
from console.actions import service
from console.actions.queries import ActionView, get_action
from console.actions.rules import Kind
from console.actions.runner import Runner
from console.actor import SYSTEM, Actor
from console.jobs.filters import JobFilter

ALL = JobFilter()


def begin(kind: Kind = Kind.RETRY, wanted: JobFilter = ALL, actor: Actor = SYSTEM, **plan: Any) -> str:
    with db.writing() as session:
        return service.create_action(session, actor, service.Plan(kind, wanted, **plan))


def action(action_id: str) -> ActionView:
    with db.reading() as session:
        return get_action(session, action_id)


def work(seconds: float = 30, runner: Runner | None = None, until: Any = None) -> None:
    """As a beat does, until nothing is left to do without a person, or `until` says so."""
    used = runner or Runner()
    limit = clock.monotonic() + seconds
    while True:
        wait = used.work()
        if until() if until else not used._held:
            break
        assert clock.monotonic() < limit, "the action did not come to an end"
        time.sleep(min(wait, 0.05))
    if runner is None:
        used.leave()
