"""One `up` at a time on one directory."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from console.config import settings
from console.embedded import data_directory
from console.errors import Conflict, NotConfigured


def test_a_second_one_is_told_where_the_first_is(tmp_path: Path) -> None:
    with data_directory.claimed(tmp_path):
        data_directory.publish(tmp_path, broker_url="redis://x", web_url="http://127.0.0.1:8000")
        second = data_directory.claimed(tmp_path)
        with pytest.raises(Conflict, match=r"already runs .*http://127\.0\.0\.1:8000, process \d+"), second:
            pass
    with data_directory.claimed(tmp_path):
        pass


def test_what_runs_is_told_to_the_other_commands_and_forgotten_afterwards() -> None:
    data = settings().data
    with data_directory.claimed(data):
        data_directory.publish(data, broker_url="redis://:p@127.0.0.1:1/0", web_url="http://127.0.0.1:9")
        assert settings().broker == "redis://:p@127.0.0.1:1/0"
        assert settings().web_url == "http://127.0.0.1:9"
        assert (data / "runtime.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(NotConfigured, match="No broker is known"):
        _ = settings().broker


def test_what_a_killed_one_left_is_not_believed() -> None:
    data = settings().data
    data.mkdir(parents=True)
    ended = multiprocessing.get_context("spawn").Process(target=int)
    ended.start()
    ended.join()
    (data / "runtime.json").write_text(json.dumps({"pid": ended.pid, "broker_url": "redis://gone"}))
    with pytest.raises(NotConfigured):
        _ = settings().broker


def test_a_directory_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotConfigured, match="--data DIRECTORY"), data_directory.claimed(tmp_path / "file" / "var"):
        pass


def test_a_new_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    with data_directory.claimed(tmp_path / "new"):
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
