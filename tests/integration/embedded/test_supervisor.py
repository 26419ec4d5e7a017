"""Starting, keeping and stopping processes: real ones, which do nothing."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from console.embedded.child import Service
from console.embedded.signals import Signals, caught
from console.embedded.supervisor import StartFailed, Supervisor

QUIET = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); {first}; time.sleep(60)"


@pytest.fixture
def signals() -> Iterator[Signals]:
    with caught() as made:
        yield made


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, signals: Signals, said: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "logs", signals, said.append)
    yield made
    made.stop()


def service(tmp_path: Path, name: str, first: str = "pass", stage: int = 1, timeout_s: float = 5) -> Service:
    mark = tmp_path / f"{name}.pid"
    code = QUIET.format(first=f"{first}; open({str(mark)!r}, 'w').write(str(__import__('os').getpid()))")
    return Service(
        name, [sys.executable, "-c", code], lambda pid: mark.exists() and mark.read_text() == str(pid), stage, timeout_s
    )


def pid_of(tmp_path: Path, name: str) -> int:
    return int((tmp_path / f"{name}.pid").read_text())


def later(seconds: float, act: Callable[[], None]) -> None:
    threading.Timer(seconds, act).start()


def test_it_waits_until_all_are_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start([service(tmp_path, "quick"), service(tmp_path, "slow", "time.sleep(0.5)")])
    supervisor.wait_ready()
    assert psutil.pid_exists(pid_of(tmp_path, "slow"))


def test_one_that_was_killed_is_started_again(supervisor: Supervisor, tmp_path: Path, said: list[str]) -> None:
    supervisor.start([service(tmp_path, "it")])
    supervisor.wait_ready()
    first = pid_of(tmp_path, "it")
    os.kill(first, signal.SIGKILL)
    later(1.5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    supervisor.watch()
    assert pid_of(tmp_path, "it") != first
    assert "was killed by SIGKILL; starting it again" in said[0]


def test_one_that_does_not_start_stops_the_start_with_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start([service(tmp_path, "broken", "sys.exit('no such thing')")])
    with pytest.raises(StartFailed, match="broken does not start(.|\n)*no such thing"):
        supervisor.wait_ready()


def test_stages_stop_one_after_the_other(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    first = (
        "signal.signal(signal.SIGTERM, lambda *_: "
        f"(time.sleep({{wait}}), open({str(order)!r}, 'a').write('{{name}} '), sys.exit(0)))"
    )
    supervisor.start(
        [
            service(tmp_path, "last", first.format(wait=0, name="last"), stage=3),
            service(tmp_path, "first", first.format(wait=0.4, name="first"), stage=1),
        ]
    )
    supervisor.wait_ready()
    supervisor.stop()
    assert order.read_text().split() == ["first", "last"]


def test_one_that_does_not_stop_is_ended_with_its_children(
    supervisor: Supervisor, tmp_path: Path, said: list[str]
) -> None:
    stubborn = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); import subprocess; "
        f"open({str(tmp_path / 'grandchild')!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid))"
    )
    supervisor.start([service(tmp_path, "it", stubborn, timeout_s=0.3)])
    supervisor.wait_ready()
    supervisor.stop()
    assert "did not stop in time" in said[0]
    assert not lives(int((tmp_path / "grandchild").read_text()))
    assert not lives(pid_of(tmp_path, "it"))


def test_asking_twice_stops_at_once(supervisor: Supervisor, signals: Signals, tmp_path: Path) -> None:
    supervisor.start([service(tmp_path, "it", "signal.signal(signal.SIGTERM, signal.SIG_IGN)", timeout_s=60)])
    supervisor.wait_ready()
    signals.stops = 2
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 2


def test_one_ctrl_c_that_arrives_twice_counts_once(signals: Signals) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    signals.wait(1)
    assert signals.stops == 1


def lives(pid: int) -> bool:
    """Whether it runs; one that has ended and waits to be noticed does not."""
    limit = time.monotonic() + 2
    while time.monotonic() < limit:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return False
        time.sleep(0.05)
    return True
