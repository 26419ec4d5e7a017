"""`--filter`, `celeriac searches` and `celeriac export`"""

from __future__ import annotations

import json
from collections.abc import Callable

import redis
from sqlalchemy import Engine, select

from console import db
from console.jobs.models import JobStatus
from console.jobs.queries import get_job
from console.jobs.rules import State
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]
OF_42 = '{"args":[],"kwargs":{"user_id":42}}'


def state_of(job_id: str) -> State:
    with db.reading() as session:
        return get_job(session, job_id).line.state


def test_failed_takes_a_search(celeriac: Celeriac, job: Job) -> None:
    wanted, _, done = job(payload=OF_42), job(), job(State.COMPLETED, payload=OF_42)
    assert [found["id"] for found in celeriac.json("failed", "--filter", "args.user_id:42")["data"]] == [wanted]
    assert celeriac.json("failed", "--filter", "state:retrying,failed args.user_id:42")["data"][0]["id"] == wanted
    assert "for failed jobs" in celeriac("failed", "--filter", "state:completed", exit_code=2).stderr
    assert "There is no key 'quue'" in celeriac("failed", "--filter", "quue:x", exit_code=2).stderr
    assert "Leave out one" in celeriac("failed", "--filter", "queue:x", "--queue", "y", exit_code=2).stderr
    assert state_of(done) is State.COMPLETED


def test_retry_takes_a_search_and_can_count_first(celeriac: Celeriac, job: Job) -> None:
    wanted, other = job(payload=OF_42), job()
    assert celeriac("retry", "--filter", "args.user_id:42", "--dry-run").stdout == "1 job would be retried.\n"
    assert state_of(wanted) is State.RETRYABLE
    assert celeriac("retry", "--filter", "args.user_id:42").stdout == "Retried 1 job.\n"
    assert (state_of(wanted), state_of(other)) == (State.FAILED, State.RETRYABLE)
    celeriac("retry", exit_code=2)
    celeriac("retry", other, "--filter", "x", exit_code=2)
    assert state_of(other) is State.RETRYABLE


def test_cancel_takes_a_search(celeriac: Celeriac, job: Job) -> None:
    waits, other, runs = job(State.PENDING, payload=OF_42), job(State.PENDING), job(State.PROCESSING, payload=OF_42)
    assert celeriac.json("cancel", "--filter", "args.user_id:42", "--dry-run") == {"count": 1, "exact": True, "dry_run": True}
    assert celeriac("cancel", "--filter", "args.user_id:42").stdout == "Cancelled 1 job.\n"
    assert [state_of(one) for one in (waits, other, runs)] == [State.CANCELLED, State.PENDING, State.PROCESSING]
    assert celeriac("cancel", "--filter", "state:processing").stdout == "Cancelled 0 jobs.\n"
    for words in ((), (other, "--filter", "x"), (other, "--dry-run")):
        celeriac("cancel", *words, exit_code=2)


def test_flush_takes_a_search(celeriac: Celeriac, job: Job) -> None:
    job(payload=OF_42)
    other = job()
    assert celeriac("flush", "--yes", "--filter", "args.user_id:42").stdout == "Deleted 1 failed job.\n"
    assert state_of(other) is State.RETRYABLE


def test_searches_are_kept_listed_and_deleted(celeriac: Celeriac, database: Engine) -> None:
    assert celeriac.json("searches", "list") == []
    celeriac("searches", "save", "mails", "queue:emails   after:2h")
    assert celeriac("searches", "save", "mails", "queue:emails after:3h", "--private").stdout.startswith("Replaced mails")
    [found] = celeriac.json("searches", "list")
    assert (found["name"], found["q"], found["shared"]) == ("mails", "queue:emails after:3h", False)
    assert "after:3h" in celeriac("searches", "list").stdout
    celeriac("searches", "save", "wrong", "quue:x", exit_code=2)
    celeriac("searches", "delete", "nothing", exit_code=4)
    assert celeriac("searches", "delete", "mails").stdout == "Deleted mails.\n"
    assert celeriac.json("searches", "list") == []


def test_an_export_is_dispatched(celeriac: Celeriac, database: Engine, broker: redis.Redis) -> None:
    made = celeriac.json("export", "--filter", "args.user_id:42", "--format", "json")["id"]
    with db.reading() as session:
        payload = json.loads(session.scalar(select(JobStatus.payload).where(JobStatus.id == made)) or "")
    assert payload["kwargs"]["format"] == "json"
    assert "args.user_id" in payload["kwargs"]["filter"]
