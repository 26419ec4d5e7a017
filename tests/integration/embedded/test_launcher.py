"""The `celeriac` script: what it says when it cannot go on, and that it costs nothing when it can.

That it installs what is needed is shown by every run of these tests in a fresh clone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from console.config import PROJECT_DIR

TOOLS = ("sh", "cat", "cmp", "readlink", "mkdir", "rm", "sed", "ls", "printf", "sleep", "mv", "dirname", "cp", "tail")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the script and the requirements in a path with a space."""
    root = tmp_path / "a checkout"
    shutil.copytree(PROJECT_DIR / "requirements", root / "requirements")
    shutil.copy(PROJECT_DIR / "celeriac", root)
    return root


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH with the usual tools and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        if found := shutil.which(tool):
            (folder / tool).symlink_to(found)
    return str(folder)


def ready(checkout: Path) -> Path:
    """An environment that the script takes for its own: the Python prints its arguments instead of running them."""
    venv = checkout / ".venv"
    (venv / ".celeriac").mkdir(parents=True)
    (venv / "bin").mkdir()
    python = venv / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    shutil.copy(checkout / "requirements" / "base.txt", venv / ".celeriac" / "requirements.txt")
    (venv / ".celeriac" / "place").write_text(f"{checkout}\n{python}\n")
    return venv


def run(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "celeriac", *arguments], capture_output=True, text=True, check=False, cwd="/",
        env={"PATH": os.environ["PATH"], **environment},
    )


def test_the_command_runs_outside_of_the_folder_and_by_a_link(checkout: Path, tmp_path: Path) -> None:
    ready(checkout)
    (tmp_path / "link").symlink_to(checkout / "celeriac")
    done = subprocess.run([tmp_path / "link", "up", "--data", "x y"], capture_output=True, text=True, check=False)
    assert done.stdout == "-P -m console up --data x y\n", done.stderr


def test_a_start_that_changes_nothing_takes_milliseconds(checkout: Path) -> None:
    ready(checkout)
    times = []
    for _ in range(10):
        began = time.monotonic()
        assert run(checkout).returncode == 0
        times.append(time.monotonic() - began)
    assert min(times) < 0.05


def test_without_python_it_says_which_one_is_needed(checkout: Path, bare_path: str) -> None:
    done = run(checkout, PATH=bare_path)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


def test_where_nothing_can_be_written_it_names_the_way_out(checkout: Path) -> None:
    blocker = checkout / "file"
    blocker.write_text("")
    done = run(checkout, CELERIAC_VENV=str(blocker / "venv"))
    assert done.returncode == 1
    assert "CELERIAC_VENV=" in done.stderr and "--data" in done.stderr


def test_a_folder_that_is_no_environment_is_not_touched(checkout: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("keep me")
    done = run(checkout, CELERIAC_VENV=str(mine))
    assert done.returncode == 1
    assert "is not a Python environment" in done.stderr
    assert (mine / "letter.txt").read_text() == "keep me"
    assert not (tmp_path / "mine.lock").exists()


def test_without_the_package_index_it_says_so_and_the_next_call_will_begin_anew(
    checkout: Path, bare_path: str, tmp_path: Path
) -> None:
    Path(bare_path, "python3.11").symlink_to(sys.executable)
    nowhere = "http://127.0.0.1:1/simple"
    environment = {"PATH": bare_path, "PIP_INDEX_URL": nowhere, "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    done = run(checkout, **environment)
    assert done.returncode == 1
    assert "could not be fetched" in done.stderr and "package index" in done.stderr
    assert (checkout / ".venv" / ".celeriac" / "unfinished").exists()
    assert not (checkout / ".venv.lock").exists()


def test_the_lock_of_one_that_was_killed_is_taken_over(checkout: Path, bare_path: str) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    lock = checkout / ".venv.lock"
    lock.mkdir()
    (lock / "pid").write_text(f"{ended.pid}\n")
    done = run(checkout, PATH=bare_path)
    assert "Python 3.11 or newer is needed" in done.stderr
    assert not lock.exists()
