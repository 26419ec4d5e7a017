"""A foreign application on a broker of its own, observed by real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from console import db
from console.embedded.valkey import Valkey
from console.observe import status
from console.observe.queries import GapView, list_gaps
from console.tracking import hooks
from tests.crash.conftest import Start, crash_database, start, wait_for

__all__ = ["Start", "crash_database", "start", "wait_for"]


class Foreign:
    """The application's broker, its workers, and a producer that knows no more than the names of its jobs."""

    def __init__(self, url: str, counts_url: str, folder: Path) -> None:
        self.url, self._folder = url, folder
        self._environment = {name: value for name, value in os.environ.items() if name != "BROKER_URL"}
        self._environment |= {"FOREIGN_BROKER": url, "FOREIGN_COUNTS": counts_url}
        self._counts_url = counts_url
        self.app = Celery("producer", broker=url, set_as_current=False)
        self.app.conf.update(task_ignore_result=True, task_send_sent_event=True)
        self.workers: list[subprocess.Popen[bytes]] = []

    def worker(self, name: str = "w", *arguments: str, events: bool = True) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "celery", "-A", "foreign", "worker", "-c", "2", "-n", f"{name}@host"]
        command += ["-E"] if events else []
        with (self._folder / f"worker-{name}.log").open("ab") as log:
            self.workers.append(
                subprocess.Popen(
                    [*command, *arguments], cwd=Path(__file__).parent, env=self._environment, stdout=log, stderr=log,
                    start_new_session=True,
                )
            )
        return self.workers[-1]

    def send(self, name: str, *args: object, count: int = 1, **options: object) -> list[str]:
        return [self.app.send_task(name, args, **options).id for _ in range(count)]

    def did(self) -> dict[str, int]:
        """What the jobs themselves counted."""
        with redis.Redis.from_url(self._counts_url) as client:
            return {name.decode(): int(n) for name, n in client.hgetall("foreign:did").items()}


@pytest.fixture
def foreign(
    start: Start, valkey_server: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Foreign]:
    """On the second database of the tests' server: its channels and queues are its own."""
    monkeypatch.setattr(hooks, "_tracker", None)  # our job types are tracked in this process; the producer is not
    url = valkey_server.url.removesuffix("/0") + "/1"
    made = Foreign(url, url, tmp_path)
    yield made
    for worker in made.workers:
        worker.terminate()
    for worker in made.workers:
        worker.wait(30)
    made.app.close()


@pytest.fixture
def observe(start: Start, foreign: Foreign) -> Callable[[], subprocess.Popen[bytes]]:
    """Starts `celeriac observe` on it, and gives it when it hears."""

    def begin() -> subprocess.Popen[bytes]:
        since = max((one.since_ms for one in status.sources()), default=0)
        process = start("observe", "--broker", f"shop={foreign.url}")
        wait_for(lambda: any(one.observed and one.since_ms > since for one in status.sources()), 20)
        return process

    return begin


def gaps() -> list[GapView]:
    from datetime import timedelta

    with db.reading() as session:
        return list_gaps(session, timedelta(hours=1))


def source() -> status.SourceStatus:
    [found] = status.sources()
    return found
