"""Everything is killed while 2,000 jobs run: broker, beat, web, recorder, children, worker. Each job ends, and counts once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, func, select

from console import db
from console.config import settings
from console.embedded import ports, valkey
from console.embedded.valkey import Valkey
from console.jobs.models import JobRollup
from console.jobs.rules import State
from tests.crash.conftest import counts, dispatch, wait_for

JOBS = 2_000


class Processes:
    """Commands of ours and their broker, each killed and started again at will."""

    def __init__(self, server: Valkey, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._environment = os.environ | {"BROKER_URL": server.url, "CELERIAC_DATA": str(folder)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *command: str) -> None:
        line = self._server.command if command == ("broker",) else [sys.executable, "-P", "-m", "console", *command]
        with (self._folder / f"{command[0]}.log").open("ab") as log:
            self._running[command[0]] = subprocess.Popen(line, env=self._environment, stdout=log, stderr=log)
        if command == ("broker",):
            wait_for(self._server.is_ready)

    def kill(self, name: str) -> None:
        self._running[name].kill()
        self._running[name].wait()

    def kill_children(self, name: str) -> None:
        for child in psutil.Process(self._running[name].pid).children():
            child.kill()

    def stop(self) -> None:
        for name in ("web", "beat", "work", "recorder", "broker"):
            if name in self._running:
                self._running[name].terminate()
                self._running[name].wait(30)


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
        summed = session.scalar(select(func.sum(JobRollup.completed)).where(JobRollup.dimension == "queue"))
    assert int(summed or 0) == JOBS
