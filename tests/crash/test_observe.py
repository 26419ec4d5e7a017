"""The observer and the broker that it observes, killed under load: what was received is recorded, what was missed is told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.embedded import valkey
from console.embedded.valkey import Valkey
from console.jobs.rules import State
from console.observe import status
from console.tracking import hooks
from tests.crash.conftest import Start, counts, wait_for
from tests.integration.observe.conftest import Foreign, gaps


class OwnBroker:
    """A foreign application's Valkey, which can be killed."""

    def __init__(self, server: Valkey, folder: Path) -> None:
        self.server, self._folder = server, folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "foreign-broker.log").open("ab") as log:
            self._process = subprocess.Popen(self.server.command, stdout=log, stderr=log)
        wait_for(self.server.is_ready)

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[OwnBroker]:
    made = OwnBroker(valkey.prepare(tmp_path / "foreign"), tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def foreign(
    start: Start, own_broker: OwnBroker, valkey_server: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Foreign]:
    """It counts what it did on the tests' server, which stays."""
    monkeypatch.setattr(hooks, "_tracker", None)
    monkeypatch.chdir(Path(sys.modules[Foreign.__module__].__file__ or "").parent)
    made = Foreign(own_broker.server.url, valkey_server.url, tmp_path)
    yield made
    for worker in made.workers:
        worker.terminate()
    for worker in made.workers:
        worker.wait(30)
    made.app.close()


@pytest.fixture
def observe(start: Start, foreign: Foreign) -> Callable[[], subprocess.Popen[bytes]]:
    def begin() -> subprocess.Popen[bytes]:
        since = max((one.since_ms for one in status.sources()), default=0)
        process = start("observe", "--broker", f"shop={foreign.url}")
        wait_for(lambda: any(one.observed and one.since_ms > since for one in status.sources()), 20)
        return process

    return begin


def test_a_killed_observer_loses_nothing_that_it_received_and_tells_what_it_missed(
    start: Start, foreign: Foreign, observe: Callable[[], subprocess.Popen[bytes]]
) -> None:
    start("recorder")
    observer = observe()
    foreign.worker()
    foreign.send("shop.noop", count=400)
    wait_for(lambda: counts().get(State.COMPLETED, 0) > 100)
    observer.kill()
    observer.wait()
    observer = observe()
    wait_for(lambda: foreign.did() == {"noop": 400}, 60)
    wait_for(lambda: bool(gaps()), 20)
    foreign.send("shop.noop", count=100)
    wait_for(lambda: foreign.did() == {"noop": 500}, 60)
    wait_for(lambda: counts()[State.COMPLETED] + sum(gap.missed or 0 for gap in gaps()) == 500, 60)
    wait_for(lambda: counts().get(State.PROCESSING, 0) == 0)
    assert counts()[State.COMPLETED] >= 200
    assert {gap.reason for gap in gaps()} == {"observer_down"}


def test_the_observer_comes_back_after_its_broker(
    start: Start, foreign: Foreign, own_broker: OwnBroker, observe: Callable[[], subprocess.Popen[bytes]]
) -> None:
    start("recorder")
    observer = observe()
    foreign.worker()
    foreign.send("shop.noop", count=20)
    wait_for(lambda: counts() == {State.COMPLETED: 20})
    own_broker.kill()
    time.sleep(2)
    own_broker.start()
    wait_for(lambda: status.sources()[0].observed, 20)
    wait_for(lambda: any(gap.reason == "connection" for gap in gaps()), 20)
    done = foreign.did()["noop"]
    foreign.send("shop.noop", count=20)
    wait_for(lambda: foreign.did()["noop"] >= done + 20, 40)
    wait_for(lambda: counts().get(State.COMPLETED, 0) >= 40, 30)
    assert observer.poll() is None
    observer.terminate()
    assert observer.wait(20) == 0
