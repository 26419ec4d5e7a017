"""`celeriac failed`"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from console import clock
from console.jobs.rules import State
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]


def test_lists_failed_jobs_only_newest_first(celeriac: Celeriac, job: Job) -> None:
    older = job(enqueued_at=clock.now() - timedelta(hours=2))
    newer = job(State.FAILED)
    job(State.COMPLETED)
    job(State.PENDING)
    lines = celeriac("failed").stdout.splitlines()
    assert lines[0].split() == ["ID", "STATE", "TYPE", "QUEUE", "ATTEMPTS", "FAILED", "ERROR"]
    assert [line.split()[0] for line in lines[1:]] == [newer, older]
    assert "ValueError: no such name" in lines[1]


def test_filters_by_queue_type_and_text(celeriac: Celeriac, job: Job) -> None:
    job()
    wanted = job(queue="emails", type="emails.send", error_message="100% Timeout_")
    job(queue="emails", type="emails.send")
    for options in (["--queue", "emails", "--text", "timeout_"], ["--type", "emails.send", "--text", "100%"]):
        assert [found["id"] for found in celeriac.json("failed", *options)["data"]] == [wanted]


def test_json_is_what_the_api_answers(celeriac: Celeriac, job: Job) -> None:
    job_id = job()
    answer = celeriac.json("failed")
    assert answer["next"] is None
    [found] = answer["data"]
    assert (found["id"], found["state"], found["attempts"]) == (job_id, "RETRYABLE", 1)
    assert found["error"] == {
        "type": "ValueError", "message": "no such name", "reason": "exception", "explanation": "The job raised an error.",
    }
    assert found["enqueued_at"].endswith("Z")


def test_limit_says_how_many_there_are(celeriac: Celeriac, job: Job) -> None:
    for _ in range(3):
        job()
    result = celeriac("failed", "--limit", "2")
    assert len(result.stdout.splitlines()) == 3
    assert "2 jobs of 3." in result.stderr


def test_says_so_when_there_are_none(celeriac: Celeriac, job: Job) -> None:
    result = celeriac("failed")
    assert (result.stdout, result.stderr) == ("", "No failed jobs.\n")


def test_an_error_cannot_write_to_the_terminal(celeriac: Celeriac, job: Job) -> None:
    job(error_message="\x1b[2Jgone\nsecond line")
    output = celeriac("failed").stdout
    assert "\x1b" not in output
    assert len(output.splitlines()) == 2


def test_without_a_database_says_what_to_do_and_makes_none(celeriac: Celeriac, tmp_path) -> None:
    result = celeriac("failed", "--data", str(tmp_path / "nowhere"), exit_code=2)
    assert "celeriac up" in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "nowhere").exists()
