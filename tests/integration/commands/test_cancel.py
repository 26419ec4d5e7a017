"""`celeriac cancel`"""

from __future__ import annotations

from collections.abc import Callable

import redis

from console import db
from console.jobs.queries import get_job
from console.jobs.rules import State
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]


def test_what_waits_is_cancelled_and_what_runs_is_stopped(celeriac: Celeriac, job: Job, broker: redis.Redis) -> None:
    waits, runs = job(State.PENDING), job(State.PROCESSING)
    assert celeriac("cancel", waits, runs).stdout == f"{waits} is cancelled\n{runs} is being stopped\n"
    with db.reading() as session:
        assert get_job(session, waits).line.state is State.CANCELLED
    assert {member.decode() for member in broker.zrange("celeriac:revoked", 0, -1)} == {waits, runs}


def test_what_has_ended_is_refused(celeriac: Celeriac, job: Job) -> None:
    done = job(State.COMPLETED)
    assert "ended already" in celeriac("cancel", done, exit_code=3).stderr
    answer = celeriac.json("cancel", "unknown", exit_code=4)
    assert (answer["data"], answer["errors"][0]["id"]) == ([], "unknown")
