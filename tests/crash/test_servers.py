"""Everything is killed while 2,000 jobs run: broker, beat, web, recorder, children, worker. Each job ends, and counts once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from console import db
from console.config import settings
from console.embedded import ports, valkey
from console.jobs.models import JobRollup
from console.jobs.rules import State
from tests.crash.conftest import counts, dispatch, wait_for
from tests.crash.processes import Processes

JOBS = 2_000


@pytest.fixture
def processes(sqlite_database: Engine, setting: Callable[[str, str], None], tmp_path: Path) -> Iterator[Processes]:
    server = valkey.prepare(tmp_path / "valkey")
    setting("BROKER_URL", server.url)
    made = Processes(server, tmp_path / "data")
    made.start("broker")
    yield made
    made.stop()


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_counts_twice(processes: Processes) -> None:
    import tasks  # noqa: F401  registers the job types

    web = ("web", "--port", str(ports.find_free()))
    for command in (web, ("work",), ("beat",), ("recorder",)):
        processes.start(*command)
    dispatch("demo.mark", {}, count=JOBS - 200)
    dispatch("demo.mark", {}, count=100, delay_s=3)
    dispatch("demo.flaky", {"fail_times": 1}, count=100)

    def completed(at_least: int) -> Callable[[], bool]:
        return lambda: counts().get(State.COMPLETED, 0) >= at_least

    for at_least, name in ((100, "broker"), (300, "beat"), (500, "recorder"), (700, "web")):
        wait_for(completed(at_least), 120)
        processes.kill(name)
        time.sleep(1)
        processes.start(*(web if name == "web" else (name,)))
    wait_for(completed(900), 120)
    processes.kill_children("work")
    wait_for(completed(1_100), 120)
    processes.kill("work")
    processes.start("work", "--name", "second@%h")
    wait_for(lambda: counts() == {State.COMPLETED: JOBS}, 180)

    marks = (settings().files_dir / "demo.mark").read_text().splitlines()
    assert len(set(marks)) == JOBS - 100  # what the jobs themselves wrote down: none was lost
    with db.reading() as session:
        by_queue = (JobRollup.grain == "minute", JobRollup.dimension == "queue")
        summed = session.scalar(select(func.sum(JobRollup.completed)).where(*by_queue))
    assert int(summed or 0) == JOBS
