"""The embedded Valkey, for real."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
import redis

from console.embedded import valkey
from console.embedded.orphans import ends_with_parent


def test_it_keeps_its_port_its_password_and_what_was_written(tmp_path: Path) -> None:
    directory = tmp_path / 'a "quoted" place' / "valkey"
    with valkey.running(directory) as first, redis.Redis.from_url(first.url) as client:
        client.set("kept", "yes")
    with valkey.running(directory) as second, redis.Redis.from_url(second.url) as client:
        assert second == first
        assert client.get("kept") == b"yes"


def test_nobody_enters_without_the_password(tmp_path: Path) -> None:
    with valkey.running(tmp_path) as server, redis.Redis(port=server.port) as client:
        with pytest.raises(redis.AuthenticationError):
            client.ping()


@pytest.mark.parametrize("name", ["password", "valkey.conf"])
def test_its_secrets_are_for_its_owner_only(tmp_path: Path, name: str) -> None:
    valkey.prepare(tmp_path)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_it_moves_to_another_port_when_a_stranger_has_its_own(tmp_path: Path) -> None:
    before = valkey.prepare(tmp_path)
    with socket.create_server(("127.0.0.1", before.port)):
        after = valkey.prepare(tmp_path)
    assert after.port != before.port
    assert after.password == before.password


def test_one_that_an_earlier_run_left_is_ended_first(tmp_path: Path) -> None:
    left = valkey.prepare(tmp_path)
    process = subprocess.Popen(left.command, stdout=subprocess.DEVNULL, preexec_fn=ends_with_parent())
    while not left.is_ready():
        assert process.poll() is None
    assert valkey.prepare(tmp_path) == left
    assert process.wait(timeout=10) == 0


def test_it_starts_in_a_locale_that_the_machine_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "LC_ALL", "xx_XX.UTF-8")
    with valkey.running(tmp_path) as server:
        assert server.is_ready()
