"""On PostgreSQL a row that somebody else has locked is passed over; an action must not end without having seen it."""

from __future__ import annotations

import time

import pytest

from console import db
from console.actions.runner import Runner
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.factories.actions import action, begin, work
from tests.factories.jobs import make_job


@pytest.mark.usefixtures("postgresql_database", "broker")
def test_what_somebody_else_holds_is_waited_for() -> None:
    with db.writing() as session:
        held, *_ = [make_job(session, State.RETRYABLE).id for _ in range(3)]
    made = begin()
    runner = Runner()
    with db.writing() as other:
        other.get_one(JobStatus, held, with_for_update=True)
        for _ in range(10):
            runner.work()
            time.sleep(0.05)
        assert (action(made).state, action(made).done) == ("running", 2)
    work(runner=runner, until=lambda: not action(made).is_open)
    assert (action(made).state, action(made).done) == ("done", 3)
