"""Upkeep is a built-in schedule: there without being asked for, dispatched by beat, and nobody can delete it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from console import clock, db
from console.actor import SYSTEM
from console.errors import Conflict, InvalidInput
from console.jobs.models import JobStatus
from console.jobs.rules import State
from console.schedules import builtin, queries, service
from console.schedules.definition import parse_definition
from console.schedules.models import Schedule
from console.schedules.queries import Backfill
from console.upkeep.service import RETENTION


@pytest.fixture(autouse=True)
def types(broker: object) -> None:
    import tasks  # noqa: F401  registers the job types


def jobs() -> list[JobStatus]:
    with db.reading() as session:
        return list(session.scalars(select(JobStatus)))


def due_in() -> timedelta:
    with db.reading() as session:
        at = session.scalar(select(Schedule.due_at).where(Schedule.type == RETENTION))
    assert at is not None
    return at - clock.now()


def put(ago: timedelta) -> None:
    with db.writing() as session:
        session.execute(update(Schedule).where(Schedule.type == RETENTION).values(due_at=clock.now() - ago))


def test_beat_makes_it_dispatches_it_and_a_worker_that_consumes_all_queues_takes_it(database: Engine) -> None:
    import tasks
    from console.commands.work import ALL_QUEUES
    from console.jobs.registry import INTERNAL_QUEUE
    from tasks.beat import DueScheduler

    assert INTERNAL_QUEUE in ALL_QUEUES.split(",")
    beat = DueScheduler(app=tasks.app, lazy=True)
    beat._fire()
    assert jobs() == []
    assert builtin.FIRST_AFTER - timedelta(minutes=1) < due_in() <= timedelta(minutes=66)
    put(timedelta())
    beat._fire()
    beat._fire()
    [job] = jobs()
    assert (job.type, job.queue, job.internal, job.state) == (RETENTION, INTERNAL_QUEUE, True, State.PENDING)
    put(timedelta())
    beat._fire()  # the first has not ended
    assert len(jobs()) == 1


def test_a_run_that_did_not_get_done_brings_the_next_one_forward_never_back(sqlite_database: Engine) -> None:
    builtin.ensure()
    builtin.ensure()
    for seconds in (5, 86_400):
        with db.writing() as session:
            builtin.again_at(session, RETENTION, clock.now() + timedelta(seconds=seconds))
        assert due_in() <= timedelta(seconds=5)


def test_what_nobody_dispatches_is_overdue_and_it_can_be_paused_but_not_deleted(sqlite_database: Engine) -> None:
    builtin.ensure()
    with db.reading() as session:
        assert builtin.overdue(session) == {}
        view = queries.get_schedule(session, "Celeriac: retention")
    put(timedelta(hours=5))
    with db.reading() as session:
        assert builtin.overdue(session)[RETENTION] >= timedelta(hours=5)
    with db.writing() as session, pytest.raises(Conflict, match="cannot be deleted"):
        service.delete_schedule(session, SYSTEM, view.id)
    hours = Backfill(clock.now() - timedelta(hours=5), clock.now())
    with db.writing() as session, pytest.raises(Conflict, match="cannot be backfilled"):
        service.backfill_schedule(session, SYSTEM, view.id, hours)
    with db.writing() as session, pytest.raises(Conflict, match="cannot be duplicated"):
        service.duplicate_schedule(session, SYSTEM, view.id)
    assert view.can == {"run", "pause", "edit"}
    with db.writing() as session:
        service.pause_schedule(session, SYSTEM, view.id, "a backup runs")


@pytest.mark.parametrize("name", ["Celeriac: retention", "Celeriac: rollups", "Celeriac: audit log", "Celeriac: files"])
def test_each_is_there_runs_and_tells_its_outcome(sqlite_database: Engine, name: str) -> None:
    """By hand here, so that nobody waits: a worker runs what `run_schedule` made."""
    import tasks

    builtin.ensure()
    with db.writing() as session:
        view = queries.get_schedule(session, name)
        job_id = service.run_schedule(session, SYSTEM, view.id)
    assert view.built_in and "delete" not in view.can and view.next_at is not None
    with db.reading() as session:
        [fire], _ = queries.list_fires(session, view.id)
        assert (fire.job_id, fire.job_state, session.get_one(JobStatus, job_id).internal) == (job_id, State.PENDING, True)
    result = tasks.app.tasks[view.type].run()
    assert set(result) & {"removed", "folded"}


@pytest.mark.parametrize(("said", "field"), [
    ({"every": 1, "unit": "minutes"}, "every"), ({"every": 8, "unit": "days"}, "every"), ({"max_runs": 3}, "max_runs"),
    ({"queue": "nobody"}, "queue"), ({"ends_at": "2100-01-01T00:00:00Z"}, "ends_at"), ({"payload": {"a": 1}}, "payload"),
    ({"overlap": "allow"}, "overlap"), ({"kind": "once", "at": "2100-01-01T00:00:00Z"}, "at"),
    ({"kind": "cron", "cron": "*/4 3 * * *"}, "cron"), ({"kind": "cron", "cron": "0 3 1 * *"}, "cron"),
])  # fmt: skip
def test_its_times_cannot_be_made_useless(sqlite_database: Engine, said: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        edit(said)


def test_its_times_and_words_can_be_changed(sqlite_database: Engine) -> None:
    edit({"kind": "cron", "cron": "0 3 * * 1-5", "timezone": "Europe/Berlin", "note": "at night", "jitter_s": 60})
    with db.reading() as session:
        assert "03:00" in queries.get_schedule(session, "Celeriac: retention").words


def edit(said: dict[str, Any]) -> None:
    builtin.ensure()
    with db.writing() as session:
        view = queries.get_schedule(session, "Celeriac: retention")
        definition = parse_definition(view.definition.described() | said)
        service.edit_schedule(session, SYSTEM, view.id, definition)


def test_nobody_is_offered_to_dispatch_it(sqlite_database: Engine) -> None:
    from console.access.service import create_token
    from console.app import create_app
    from console.web import database as web_database

    with db.writing() as session:
        token = create_token(session, SYSTEM, "t", "admin")
    app = create_app()
    answer = app.test_client().get("/api/v1/job-types", headers={"Authorization": f"Bearer {token}"})
    with app.app_context():
        web_database.engine().dispose()
    types = [one["name"] for one in answer.json["data"]]
    assert "demo.noop" in types
    assert RETENTION not in types
