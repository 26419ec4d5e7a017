"""An application is tracked while all that tracking needs is broken: its own work goes on as if we were not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from console import clock
from console.embedded import valkey
from console.embedded.valkey import Valkey
from console.tracking import bounds
from console.tracking.tracker import Tracker

HOST = Path(__file__).with_name("host.py")
NOBODY = "redis://127.0.0.1:1/0"
SLOWER_S = 1.5
"""What starting a thread, a directory and a client may take on a busy machine; a wait for a server would take longer."""


def run(url: str, spool: str, tmp_path: Path, *wishes: str, **environment: str) -> dict[str, Any]:
    folder = tmp_path / "broker"
    folder.mkdir(exist_ok=True)
    began = clock.monotonic()
    done = subprocess.run(
        [sys.executable, str(HOST), url, spool, str(folder), *wishes],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])} | environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"all_s": clock.monotonic() - began, "said": done.stderr}


@pytest.fixture
def untracked(tmp_path: Path) -> dict[str, Any]:
    return run(NOBODY, "", tmp_path, "untracked")


def is_unharmed(tracked: dict[str, Any], untracked: dict[str, Any]) -> None:
    assert tracked["returned"]
    for name in ("ran_s", "published_s"):
        assert tracked[name] < untracked[name] + SLOWER_S, name
    assert tracked["all_s"] < untracked["all_s"] + 2 * SLOWER_S


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Valkey]:
    """A server that takes connections and does not answer: its process is stopped."""
    with valkey.running(tmp_path / "valkey") as server:
        with redis.Redis.from_url(server.url) as client:
            pid = int(client.info("server")["process_id"])
        os.kill(pid, signal.SIGSTOP)
        yield server
        os.kill(pid, signal.SIGCONT)


def test_nobody_listens(tmp_path: Path, untracked: dict[str, Any]) -> None:
    is_unharmed(run(NOBODY, str(tmp_path / "spool"), tmp_path), untracked)
    [left] = [path for path in (tmp_path / "spool").iterdir() if path.is_dir()]
    assert sum(path.stat().st_size for path in left.iterdir()) > 40_000  # what happened waits for who adopts it


def test_the_server_hangs(tmp_path: Path, untracked: dict[str, Any], stopped: Valkey) -> None:
    is_unharmed(run(stopped.url, str(tmp_path / "spool"), tmp_path), untracked)


def test_the_password_is_wrong(tmp_path: Path, untracked: dict[str, Any], valkey_server: Valkey) -> None:
    wrong = valkey_server.url.replace(valkey_server.password, "wrong")
    is_unharmed(run(wrong, str(tmp_path / "spool"), tmp_path), untracked)


def test_the_address_makes_no_sense(tmp_path: Path, untracked: dict[str, Any]) -> None:
    is_unharmed(run("redis://[oops", str(tmp_path / "spool"), tmp_path), untracked)


def test_the_spool_cannot_be_made(tmp_path: Path, untracked: dict[str, Any]) -> None:
    (tmp_path / "file").write_text("in the way")
    told = run(NOBODY, str(tmp_path / "file" / "spool"), tmp_path)
    is_unharmed(told, untracked)
    assert told["said"].count("job events cannot be kept") == 1


def test_there_is_no_directory_for_what_is_temporary(tmp_path: Path, untracked: dict[str, Any]) -> None:
    is_unharmed(run(NOBODY, "", tmp_path, TMPDIR=str(tmp_path / "gone")), untracked)


def test_the_disk_is_full(tmp_path: Path, untracked: dict[str, Any]) -> None:
    told = run(NOBODY, str(tmp_path / "spool"), tmp_path, "full")
    assert told["returned"]
    assert told["ran_s"] < untracked["ran_s"] + SLOWER_S
    [left] = [path for path in (tmp_path / "spool").iterdir() if path.is_dir()]
    assert bounds.drops_in(left).total() > 100


def test_tracking_is_light() -> None:
    """What the one line imports beside Celery: nothing of the console, of Flask or of SQLAlchemy."""
    script = "import sys; import celery, redis, msgpack; import console.tracking; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[0] for name in names} & {"flask", "sqlalchemy", "pydantic", "werkzeug"} == set()
    ours = {name for name in names if name.startswith("console.")} - {"console.clock", "console.tracking"}
    assert all(name.startswith("console.tracking.") for name in ours)


def test_a_server_that_hangs_is_asked_once_how_often_jobs_came(tmp_path: Path, stopped: Valkey) -> None:
    tracker = Tracker(stopped.url, tmp_path / "spool")
    began = clock.monotonic()
    assert {tracker.deliveries(f"job-{number}", 0, 0) for number in range(1_000)} == {1}
    assert {tracker.deliveries_so_far(f"job-{number}", 0, 0) for number in range(1_000)} == {1}
    assert clock.monotonic() - began < 1
