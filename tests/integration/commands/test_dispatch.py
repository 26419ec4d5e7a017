"""`celeriac dispatch`"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redis
from PIL import Image
from sqlalchemy import Engine

from console import db
from console.files import service as files
from console.jobs.filters import JobFilter
from console.jobs.queries import JobDetail, count_jobs, get_job
from console.jobs.rules import State
from tests.integration.commands.conftest import Celeriac

pytestmark = pytest.mark.usefixtures("database", "broker")


def stored(job_id: str) -> JobDetail:
    with db.reading() as session:
        return get_job(session, job_id)


def test_prints_the_id_of_a_job_that_is_queued(celeriac: Celeriac, broker: redis.Redis) -> None:
    job_id = celeriac("dispatch", "tests.greet", "--payload", '{"name": "Ada"}').stdout.strip()
    job = stored(job_id)
    assert (job.line.state, job.payload) == (State.PENDING, {"args": [], "kwargs": {"name": "Ada", "times": 1}})
    assert broker.llen("default") == 1


def test_every_option_counts(celeriac: Celeriac, broker: redis.Redis) -> None:
    options = ("--queue", "heavy", "--priority", "3", "--delay", "60", "--tag", "a", "--tag", "b", "--unique-key", "k")
    job_id = celeriac("dispatch", "tests.greet", *options).stdout.strip()
    job = stored(job_id)
    assert (job.line.queue, job.line.priority, job.line.tags, job.unique_key) == ("heavy", 3, ("a", "b"), "k")
    assert job.line.state is State.SCHEDULED
    assert broker.keys("heavy*") == []
    assert celeriac("dispatch", "tests.greet", *options).stdout.strip() == job_id


def test_pictures_are_uploaded_for_the_job(celeriac: Celeriac, tmp_path: Path) -> None:
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in paths:
        Image.new("RGB", (8, 8)).save(path)
    uploads = [argument for path in paths for argument in ("--upload", str(path))]
    job_id = celeriac("dispatch", "heavy.thumbnails", *uploads).stdout.strip()
    payload = stored(job_id).payload
    assert payload is not None
    folder = files.upload_folder(payload["kwargs"]["upload"])
    assert sorted(path.name for path in folder.iterdir()) == ["one.png", "two.png"]
    (tmp_path / "bad.png").write_text("no picture")
    refused = celeriac("dispatch", "heavy.thumbnails", "--upload", str(tmp_path / "bad.png"), exit_code=2)
    assert "bad.png: It is no picture" in refused.output


def test_at_a_time(celeriac: Celeriac) -> None:
    job_id = celeriac("dispatch", "tests.greet", "--at", "2030-03-01T12:00:00+01:00").stdout.strip()
    due_at = stored(job_id).line.due_at
    assert due_at is not None
    assert due_at.isoformat() == "2030-03-01T11:00:00+00:00"


def test_the_payload_may_come_from_standard_input(celeriac: Celeriac) -> None:
    job_id = celeriac("dispatch", "tests.greet", "--payload", "-", stdin='{"name": "Grace"}').stdout.strip()
    assert stored(job_id).payload == {"args": [], "kwargs": {"name": "Grace", "times": 1}}


def test_two_thousand_at_once_take_seconds_at_most(celeriac: Celeriac, broker: redis.Redis) -> None:
    started = time.monotonic()
    result = celeriac("dispatch", "tests.greet", "--count", "2000")
    took = time.monotonic() - started
    assert result.stdout == "Dispatched 2,000 jobs of type tests.greet.\n"
    assert broker.llen("default") == 2_000
    with db.reading() as session:
        assert count_jobs(session, JobFilter(states=(State.PENDING,))) == (2_000, True)
    assert took < 10


def test_json_gives_every_id(celeriac: Celeriac) -> None:
    assert len(set(celeriac.json("dispatch", "tests.greet", "--count", "3")["ids"])) == 3


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["unknown"], 4, "There is no job type 'unknown'. Known ones: "),
        (["tests.greet", "--payload", "{name: Ada}"], 2, "--payload is not JSON"),
        (["tests.greet", "--payload", "[1]"], 2, "must be a JSON object"),
        (["tests.greet", "--payload", '{"times": 11}'], 2, "payload.times"),
        (["tests.greet", "--payload", '{"nam": "x"}'], 2, "payload.nam"),
        (["tests.greet", "--at", "tomorrow"], 2, "Write it like"),
        (["tests.greet", "--at", "2030-01-01T00:00:00Z", "--delay", "5"], 2, "either a delay or a time"),
        (["tests.greet", "--count", "0"], 2, "--count"),
        (["tests.greet", "--count", "2", "--unique-key", "k"], 2, "unique_key"),
        (["tests.greet", "--priority", "10"], 2, "--priority"),
        ([], 2, "TYPE"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_made(
    celeriac: Celeriac, arguments: list[str], exit_code: int, said: str
) -> None:
    result = celeriac("dispatch", *arguments, exit_code=exit_code)
    assert said in result.stderr
    assert result.stdout == ""
    with db.reading() as session:
        assert count_jobs(session, JobFilter()) == (0, True)


def test_a_broker_that_is_away_loses_nothing(celeriac: Celeriac, database: Engine, setting) -> None:
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    job_id = celeriac("dispatch", "tests.greet").stdout.strip()
    assert stored(job_id).line.state is State.PENDING
