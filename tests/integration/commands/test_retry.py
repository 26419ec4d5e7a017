"""`celeriac retry`"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import redis

from console import db
from console.jobs.filters import JobFilter
from console.jobs.models import JobStatus
from console.jobs.queries import get_job
from console.jobs.rules import State
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]


def state_of(job_id: str) -> State:
    with db.reading() as session:
        return get_job(session, job_id).line.state


def test_one_runs_again_as_a_new_job(celeriac: Celeriac, job: Job, broker: redis.Redis) -> None:
    old = job()
    new = celeriac("retry", old).stdout.split()[-1]
    with db.reading() as session:
        before, after = get_job(session, old), get_job(session, new)
    assert (before.line.state, before.line.retried_as) == (State.FAILED, new)
    assert (after.line.state, after.line.retry_of) == (State.PENDING, old)
    assert after.payload == before.payload
    assert broker.llen("default") == 1


def test_each_that_can_be_is_retried_and_the_rest_is_explained(celeriac: Celeriac, job: Job) -> None:
    good, done = job(), job(State.COMPLETED)
    result = celeriac("retry", good, done, "unknown", good, exit_code=4)
    assert result.stdout.startswith(f"{good} runs again as ")
    assert len(result.stdout.splitlines()) == 1
    assert f"{done}: Only a failed job can be retried; this one is COMPLETED." in result.stderr
    assert "unknown: There is no job" in result.stderr


def test_one_is_not_retried_twice(celeriac: Celeriac, job: Job, broker: redis.Redis) -> None:
    old = job()
    celeriac("retry", old)
    assert "retried already" in celeriac("retry", old, exit_code=3).stderr
    assert broker.llen("default") == 1


def test_failed_retries_all_that_failed(celeriac: Celeriac, job: Job, broker: redis.Redis) -> None:
    failed = [job() for _ in range(3)]
    others = [job(State.FAILED, payload=None), job(State.COMPLETED), job(State.CANCELLED)]
    assert celeriac("retry", "failed").stdout == "Retried 3 jobs.\n"
    assert {state_of(job_id) for job_id in failed} == {State.FAILED}
    assert [state_of(job_id) for job_id in others] == [State.FAILED, State.COMPLETED, State.CANCELLED]
    assert broker.llen("default") == 3
    assert celeriac.json("retry", "failed") == {"count": 0, "exact": True, "dry_run": False}


def test_failed_with_filters_retries_those_only(celeriac: Celeriac, job: Job) -> None:
    wanted, other = job(queue="emails"), job()
    assert celeriac.json("retry", "failed", "--queue", "emails")["count"] == 1
    assert (state_of(wanted), state_of(other)) == (State.FAILED, State.RETRYABLE)


def test_more_than_a_batch(celeriac: Celeriac, job: Job, broker: redis.Redis) -> None:
    with db.writing() as session:
        from tests.factories.jobs import make_job

        for _ in range(1_203):
            make_job(session)
    assert celeriac("retry", "failed").stdout == "Retried 1,203 jobs.\n"
    assert broker.llen("default") == 1_203


def test_dry_run_retries_none(celeriac: Celeriac, job: Job, broker: redis.Redis) -> None:
    job()
    job(State.FAILED)
    assert celeriac("retry", "failed", "--dry-run").stdout == "1 job would be retried.\n"
    assert broker.llen("default") == 0


def test_jobs_that_fail_again_meanwhile_are_left(celeriac: Celeriac, job: Job, monkeypatch) -> None:
    """Otherwise jobs that fail at once would be retried for ever."""
    from console.jobs import bulk, matching

    job()
    calls = []

    def retry_and_fail_again(session, actor, wanted, limit):
        calls.append(matching.retry_matching(session, actor, wanted, limit))
        for row in session.query(JobStatus).filter_by(state=State.PENDING):
            row.state = State.RETRYABLE
        return calls[-1]

    assert bulk.do_to_all(db.writing, replace(bulk.RETRY, step=retry_and_fail_again), _admin(), JobFilter()) == 1
    assert [len(moved) for moved in calls] == [1, 0]


def _admin():
    from console.audit.service import SYSTEM

    return SYSTEM


def test_is_audited_with_the_account(celeriac: Celeriac, job: Job) -> None:
    from console.audit.models import AuditEntry

    celeriac("retry", job())
    with db.reading() as session:
        [entry] = session.query(AuditEntry).all()
    assert entry.action == "jobs.retry"
    assert entry.actor.startswith("cli:")


def test_filters_do_not_go_with_ids(celeriac: Celeriac, job: Job) -> None:
    assert "Name jobs by their ids" in celeriac("retry", "some-id", "--queue", "emails", exit_code=2).stderr
    assert "Name jobs by their ids" in celeriac("retry", "some-id", "failed", exit_code=2).stderr


def test_without_a_broker_says_so_and_changes_nothing(celeriac: Celeriac, sqlite_database) -> None:
    from tests.factories.jobs import make_job

    with db.writing() as session:
        job_id = make_job(session).id
    assert "No broker is known" in celeriac("retry", job_id, exit_code=2).stderr
    assert state_of(job_id) is State.RETRYABLE
