"""`celeriac actions`, and `retry` and `flush` in the background"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from console import db
from console.actions.rules import Kind
from console.jobs.queries import get_job
from console.jobs.rules import State
from tests.factories.actions import action, begin, work
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]


def test_a_retry_with_a_trial_becomes_an_action(celeriac: Celeriac, job: Job) -> None:
    job(queue="emails"), job()
    said = celeriac.json("retry", "failed", "--queue", "emails", "--trial", "20", "--rate", "300/min", "--name", "outage")
    made = action(said["id"])
    assert (made.trial, made.rate, made.name, made.estimate, made.kind) == (20, 5, "outage", 1, Kind.RETRY)
    assert made.actor.startswith("cli:")


def test_the_dry_run_says_how_many_and_how_long(celeriac: Celeriac, job: Job) -> None:
    job(), job()
    command = ("retry", "failed", "--rate", "1/s", "--dry-run")
    assert celeriac(*command).stdout.startswith("2 jobs, ")
    assert celeriac.json(*command)["count"] == 2
    assert celeriac("actions", "list").stdout.startswith("There is no action yet.")


def test_it_waits_for_the_end(celeriac: Celeriac, job: Job) -> None:
    job()
    beat = threading.Timer(0.5, work)
    beat.start()
    assert "is done. Retried 1 job." in celeriac("retry", "failed", "--wait").stdout
    beat.join()


@pytest.mark.parametrize("command", [("retry", "some-id", "--trial", "3"), ("retry", "failed", "--rate", "quick")])
def test_what_makes_no_sense_is_refused(celeriac: Celeriac, job: Job, command: tuple[str, ...]) -> None:
    celeriac(*command, exit_code=2)


def test_a_flush_is_undone(celeriac: Celeriac, job: Job) -> None:
    one = job()
    made = celeriac.json("flush", "--background", "--yes")["id"]
    work()
    celeriac("retry", one, exit_code=4)
    celeriac("actions", "undo", made)
    work()
    assert "is undone. Undone: 1 of 1 jobs are back." in celeriac("actions", "show", made).stdout
    celeriac("retry", one)


def test_waiting_jobs_are_cancelled_once_it_is_said_twice(celeriac: Celeriac, job: Job) -> None:
    waiting = job(State.PENDING)
    assert celeriac("actions", "start", "cancel", "--dry-run").stdout.startswith("1 job, ")
    assert "--yes" in celeriac("actions", "start", "cancel", exit_code=2).stderr
    celeriac("actions", "start", "cancel", "--yes")
    work()
    with db.reading() as session:
        assert get_job(session, waiting).line.state == State.CANCELLED


def test_pause_rate_resume_stop_and_list(celeriac: Celeriac, job: Job) -> None:
    job()
    made = begin()
    for verb, state in (("pause", "paused"), ("resume", "waiting"), ("stop", "stopped")):
        assert celeriac.json("actions", verb, made)["state"] == state
    celeriac("actions", "pause", made, exit_code=3)
    celeriac("actions", "stop", "nothing", exit_code=4)
    assert celeriac("actions", "show", made, "--wait", exit_code=1).stdout.startswith(f"{made} is stopped.")
    other = begin()
    assert celeriac.json("actions", "rate", other, "90/min")["rate"] == 1.5
    assert celeriac.json("actions", "rate", other, "none")["rate"] is None
    assert [one["id"] for one in celeriac.json("actions", "list")["data"]] == [other, made]
    assert made in celeriac("actions", "list").stdout
