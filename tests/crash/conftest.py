"""Real processes on real servers, to be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from console import clock, db
from console.audit.service import SYSTEM
from console.embedded.valkey import Valkey
from console.jobs import queries, service
from console.jobs.filters import JobFilter
from console.jobs.models import JobStatus
from console.jobs.queries import JobDetail
from console.jobs.registry import job_type
from console.jobs.rules import State

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def crash_database(sqlite_database: Engine) -> None:
    """The database of what is started; a module may have another one."""


@pytest.fixture
def start(broker: object, valkey_server: Valkey, crash_database: None, tmp_path: Path) -> Iterator[Start]:
    """Starts a command of ours on this test's servers; all are stopped in the end."""
    import tasks  # noqa: F401  registers the job types

    running: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {"BROKER_URL": valkey_server.url, "CELERIAC_DATA": str(tmp_path / "data")}

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "console", *arguments]
        with (tmp_path / f"{arguments[0]}-{len(running)}.log").open("wb") as log:
            running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        return running[-1]

    yield begin
    for process in running:
        process.terminate()
    for process in running:
        process.wait(20)


def dispatch(name: str, payload: dict[str, object], count: int = 1, **options: object) -> list[str]:
    with db.writing() as session:
        chosen = service.DispatchOptions(**options)  # type: ignore[arg-type]
        return service.dispatch(session, SYSTEM, job_type(name), payload, chosen, count)


def job(job_id: str) -> JobDetail:
    with db.reading() as session:
        return queries.get_job(session, job_id)


def counts() -> dict[State, int]:
    with db.reading() as session:
        return queries.count_by_state(session, JobFilter())


def failures() -> list[tuple[str, str | None, str]]:
    """Of a few jobs that failed: why, and what they went through."""
    with db.reading() as session:
        chosen = select(JobStatus.type, JobStatus.error_message, JobStatus.timeline)
        return [(*row,) for row in session.execute(chosen.where(JobStatus.fingerprint.is_not(None)).limit(3))]


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    limit = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < limit, str((counts(), failures()))
        time.sleep(0.1)


def is_known(job_id: str) -> bool:
    with db.reading() as session:
        return queries.state_and_attempts(session, job_id) is not None
