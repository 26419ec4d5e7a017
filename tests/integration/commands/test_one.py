"""`celeriac show`, `reschedule`, `move`, `dispatch --like` and `retry --payload`: what is done to one job."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from console import clock, db
from console.audit.queries import entries_of
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]
SECRET = json.dumps({"args": [], "kwargs": {"password": "hunter2", "n": 1}})


def row_of(job_id: str) -> JobStatus:
    with db.reading() as session:
        row = session.get_one(JobStatus, job_id)
        assert row.payload
        return row


def test_a_job_is_shown_without_its_secrets(celeriac: Celeriac, job: Job) -> None:
    made = job(payload=SECRET, error_message="bad \x1b[31m")
    shown = celeriac("show", made).stdout
    assert "ValueError" in shown
    assert "hunter2" not in shown
    assert "\x1b" not in shown
    assert celeriac.json("show", made)["payload"]["kwargs"] == {"password": "[hidden]", "n": 1}
    assert celeriac.json("show", made)["hidden"] == ["kwargs.password"]
    celeriac("show", "nowhere", exit_code=4)


def test_who_looks_is_written_down(celeriac: Celeriac, job: Job) -> None:
    made = job(payload=SECRET)
    assert "hunter2" in celeriac("show", made, "--reveal").stdout
    with db.reading() as session:
        [entry] = entries_of(session, "job", made)
    assert (entry.action, entry.actor[:4]) == ("jobs.disclose", "cli:")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10min", 600), ("2h", 7_200), ("3d", 259_200), ("5", 5)])
def test_in_how_long(celeriac: Celeriac, job: Job, text: str, seconds: int) -> None:
    made, other = job(State.SCHEDULED), job(State.COMPLETED)
    said = celeriac("reschedule", made, other, "--in", text, exit_code=3)
    assert said.stdout.startswith(f"{made} runs at ")
    assert "does not wait any more" in said.stderr
    due_at = row_of(made).due_at
    assert due_at is not None
    assert abs(due_at - clock.now() - timedelta(seconds=seconds)) < timedelta(seconds=10)


@pytest.mark.parametrize("options", [(), ("--now", "--in", "2h"), ("--in", "soon"), ("--at", "never"), ("--in", "999999999d")])
def test_a_time_has_to_be_told(celeriac: Celeriac, job: Job, options: tuple[str, ...]) -> None:
    celeriac("reschedule", job(State.SCHEDULED), *options, exit_code=2)


def test_another_queue(celeriac: Celeriac, job: Job) -> None:
    made = job(State.SCHEDULED)
    assert celeriac("move", made, "--queue", "other").stdout == f"{made} was moved from default to other\n"
    assert row_of(made).queue == "other"
    assert celeriac.json("move", made, "--queue", "other", exit_code=3)["data"] == []


def test_one_like_another(celeriac: Celeriac, job: Job, broker: redis.Redis) -> None:
    made = job(State.COMPLETED)
    new = celeriac("dispatch", "--like", made).stdout.strip()
    assert (row_of(new).retry_of, row_of(new).payload) == (made, row_of(made).payload)
    [new] = celeriac.json("dispatch", "--like", made, "--payload", '{"name": "Bob", "times": 2}')["ids"]
    assert json.loads(row_of(new).payload or "")["kwargs"] == {"name": "Bob", "times": 2}
    celeriac("dispatch", "--like", made, "--payload", '{"nonsense": 2}', exit_code=2)
    celeriac("dispatch", "--like", made, "--delay", "5", exit_code=2)
    celeriac("dispatch", "tests.greet", "--like", made, exit_code=2)
    assert broker.llen("default") == 2


def test_a_retry_with_another_payload(celeriac: Celeriac, job: Job, tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_text('{"args": [], "kwargs": {"name": "Bob"}}')
    made = job()
    celeriac("retry", made, "--payload", '{"name": 5}', exit_code=2)
    celeriac("retry", made, job(), "--payload", '{"name": "Bob"}', exit_code=2)
    celeriac("retry", "failed", "--payload", '{"name": "Bob"}', exit_code=2)
    celeriac("retry", made, "--payload", f"@{tmp_path}/nothing.json", exit_code=2)
    new = celeriac("retry", made, "--payload", f"@{file}").stdout.split()[-1]
    assert json.loads(row_of(new).payload or "")["kwargs"] == {"name": "Bob", "times": 1}
    other = job()
    new = celeriac("retry", other, "--payload", "-", stdin='{"name": "Eve", "times": 3}').stdout.split()[-1]
    assert json.loads(row_of(new).payload or "")["kwargs"] == {"name": "Eve", "times": 3}
