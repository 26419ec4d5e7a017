"""`celeriac prune`"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

from sqlalchemy import select

from console import clock, db
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]


def old(job: Job, state: State, days: float, **columns: object) -> str:
    at = clock.now() - timedelta(days=days)
    return job(state, enqueued_at=at, finished_at=at, **columns)


def left() -> set[str]:
    with db.reading() as session:
        return set(session.scalars(select(JobStatus.id)))


def test_a_dry_run_says_what_would_go_by_state_and_type_and_deletes_nothing(celeriac: Celeriac, job: Job) -> None:
    all_ = {old(job, State.COMPLETED, 8), old(job, State.COMPLETED, 9, type="b"), old(job, State.FAILED, 91), job()}
    said = celeriac.json("prune", "--dry-run")
    assert said == {
        "dry_run": True,
        "count": 3,
        "removed": [
            {"what": "COMPLETED", "type": "b", "count": 1},
            {"what": "COMPLETED", "type": "tests.greet", "count": 1},
            {"what": "FAILED", "type": "tests.greet", "count": 1},
        ],
    }
    assert left() == all_
    assert celeriac("prune", "--dry-run").stdout.splitlines()[-1] == "Would delete 3 rows."


def test_what_it_said_goes_and_the_rest_stays(celeriac: Celeriac, job: Job) -> None:
    old(job, State.COMPLETED, 8)
    kept = {old(job, State.PENDING, 800), old(job, State.FAILED, 89), job(State.COMPLETED)}
    promised = celeriac.json("prune", "--dry-run")["removed"]
    done = celeriac.json("prune")
    assert [one for one in done["removed"] if one["what"].isupper()] == promised
    assert left() == kept
    assert celeriac("prune").stdout == "Deleted 0 rows.\n"


def test_a_setting_for_once(celeriac: Celeriac, job: Job, setting: Callable[[str, str], None]) -> None:
    job(State.COMPLETED)  # it ended a minute ago
    setting("CELERIAC_KEEP_COMPLETED_DAYS", "0.0001")
    assert celeriac.json("prune", "--dry-run")["count"] == 1
    celeriac("prune")
    assert left() == set()


def test_a_setting_that_cannot_be_meant_deletes_nothing(
    celeriac: Celeriac, job: Job, setting: Callable[[str, str], None]
) -> None:
    kept = old(job, State.COMPLETED, 800)
    setting("CELERIAC_KEEP_TYPES", "tests.greet=COMPLETED")
    assert "CELERIAC_KEEP_TYPES" in celeriac("prune", exit_code=2).stderr
    setting("CELERIAC_KEEP_TYPES", "")
    assert left() == {kept}


def test_the_days_of_a_job_class_count(celeriac: Celeriac, job: Job) -> None:
    from console.jobs import registry
    from tasks.app import app
    from tasks.job import Job as JobClass
    from tests.factories.jobs import Greeting

    class Brief(JobClass):
        """Nobody needs it for long."""

        name = "tests.brief"
        schema = Greeting
        keep_days: ClassVar = {"COMPLETED": 0.5}

        def handle(self, payload: Greeting) -> None:
            """Nothing."""

    try:
        old(job, State.COMPLETED, 1, type="tests.brief")
        kept = old(job, State.COMPLETED, 1)
        assert celeriac.json("prune", "--dry-run")["count"] == 1
        celeriac("prune")
        assert left() == {kept}
    finally:
        registry._types.pop("tests.brief")
        app.tasks.unregister("tests.brief")
