"""`celeriac up` as a person starts it, with everything that it starts."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest

from console.embedded import ports, readiness

CELERIAC = [sys.executable, "-P", "-m", "console"]
pytestmark = pytest.mark.slow


@dataclass
class Up:
    """A running `up`; `said` is what it has printed so far."""

    data: Path
    port: int
    process: subprocess.Popen[str] = field(init=False)
    said: str = ""

    def start(self, *options: str) -> None:
        """Starts it and returns when it says that it is ready."""
        self.process = subprocess.Popen(
            [*CELERIAC, "up", "--data", str(self.data), "--port", str(self.port), *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.data.parent, process_group=0,
        )
        assert self.process.stdout
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line.startswith("  Stop"):
                return
        raise AssertionError(f"It did not start: {self.said}")

    def stop(self) -> tuple[int, str]:
        """As Ctrl-C does; its exit code and what it said last."""
        self.process.send_signal(signal.SIGINT)
        last, _ = self.process.communicate(timeout=60)
        return self.process.returncode, last

    def children(self) -> dict[str, psutil.Process]:
        """The processes that it started, by name."""
        found = [one for one in psutil.Process(self.process.pid).children() if one.status() != psutil.STATUS_ZOMBIE]
        return {"valkey" if "valkey" in one.name() else "".join(one.cmdline()[-1:]): one for one in found}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path / "var", ports.find_free())
    yield made
    if made.process.poll() is None:
        made.process.terminate()
        made.process.communicate(timeout=60)


def celeriac(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CELERIAC, *arguments], capture_output=True, text=True, check=False, timeout=60)


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def test_a_first_start_a_second_one_and_the_end(up: Up) -> None:
    up.start()
    assert re.search(r"Sign in as  admin@localhost\n  Password    \S{12,}", up.said)
    assert f"http://127.0.0.1:{up.port}" in up.said
    checked = celeriac("doctor", "--json", "--data", str(up.data))
    assert checked.returncode == 0, checked.stdout
    assert {one["state"] for one in json.loads(checked.stdout)["checks"]} == {"OK"}

    second = celeriac("up", "--data", str(up.data), "--port", str(ports.find_free()))
    assert second.returncode == 3
    assert f"already runs on this data ({up.data}): http://127.0.0.1:{up.port}" in second.stderr

    everything = psutil.Process(up.process.pid).children(recursive=True)
    code, last = up.stop()
    assert code == 0
    assert "Stopped." in last
    assert "did not stop in time" not in last
    assert not [one for one in everything if one.is_running()]
    assert not (up.data / "runtime.json").exists()

    up.start()
    assert "Password" not in up.said


def test_a_demo_has_a_person_of_each_role_whose_password_is_shown_once(up: Up) -> None:
    up.start("--demo")
    made = dict(re.findall(r"Sign in as  (\S+)\n  Password    (\S{12,})", up.said))
    assert list(made) == ["admin@localhost", "support@localhost", "user@localhost"]
    assert len(set(made.values())) == 3
    listed = json.loads(celeriac("users", "list", "--json", "--data", str(up.data)).stdout)["data"]
    assert {one["email"]: one["role"] for one in listed} == {email: email.partition("@")[0] for email in made}
    assert "demo" in up.children()
    for email, password in made.items():
        assert signs_in(f"http://127.0.0.1:{up.port}", email, password), email
    up.stop()

    up.start("--demo")
    assert "Password" not in up.said


def test_a_demo_on_data_that_is_there_adds_only_who_is_missing(up: Up) -> None:
    up.start()
    up.stop()
    up.start("--demo")
    assert re.findall(r"Sign in as  (\S+)", up.said) == ["support@localhost", "user@localhost"]


def signs_in(url: str, email: str, password: str) -> bool:
    """Whether the form takes that, as a browser sends it."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    form = browser.open(f"{url}/sign-in").read().decode()
    [token] = re.findall(r'name="csrf_token"\s+value="([^"]+)"', form)[:1]
    typed = urlencode({"csrf_token": token, "email": email, "password": password}).encode()
    with browser.open(f"{url}/sign-in", typed) as response:
        return email in response.read().decode()


def test_whatever_is_killed_comes_back_and_nothing_outlives_it(up: Up) -> None:
    up.start()
    before = up.children()
    assert set(before) == {"valkey", "web", "work", "beat", "recorder"}
    broker_url = json.loads((up.data / "runtime.json").read_text())["broker_url"]
    for one in before.values():
        one.kill()
    url = f"http://127.0.0.1:{up.port}"

    def all_back() -> bool:
        try:
            now = up.children()
        except psutil.NoSuchProcess:  # it ended while we looked
            return False
        return set(now) == set(before) and all(now[name].pid != before[name].pid for name in before)

    wait_until(all_back, "every process was started again")
    wait_until(lambda: readiness.answers(url), "the pages are back")
    assert json.loads((up.data / "runtime.json").read_text())["broker_url"] == broker_url

    everything = psutil.Process(up.process.pid).children(recursive=True)
    up.process.kill()
    up.process.communicate()
    if sys.platform == "linux":  # elsewhere the kernel tells no child that its parent was killed
        wait_until(lambda: not any(map(lives, everything)), "every process ended", 10)


def lives(process: psutil.Process) -> bool:
    """Whether it runs; one that has ended and waits to be noticed does not."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_port_that_is_taken_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = celeriac("up", "--data", str(tmp_path / "var"), "--port", str(port))
    assert done.returncode == 1
    assert f"port {port}: Address already in use" in done.stderr
    assert [one.name for one in (tmp_path / "var").iterdir()] == ["up.lock"]


@pytest.mark.parametrize(
    ("variable", "url", "said"),
    [
        ("BROKER_URL", "redis://:secret@127.0.0.1:1/0", "The broker that BROKER_URL names"),
        ("DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/x", "The database does not answer"),
    ],
)
def test_a_server_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, url: str, said: str
) -> None:
    monkeypatch.setitem(os.environ, variable, url)
    done = celeriac("up", "--data", str(tmp_path / "var"), "--port", str(ports.find_free()))
    assert done.returncode != 0
    assert said in done.stderr
    assert "secret" not in done.stdout + done.stderr
