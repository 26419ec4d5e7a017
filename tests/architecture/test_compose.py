"""docker-compose.yml, checked by the real Compose, and its commands by the real command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from console.cli import main
from console.config import PROJECT_DIR

SECRETS = {"SECRET_KEY": "k" * 32, "POSTGRES_PASSWORD": "p", "VALKEY_PASSWORD": "v"}
COMPOSE = Path(sys.executable).parent / "docker-compose"


def compose(*arguments: str, without: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMPOSE, "--file", PROJECT_DIR / "docker-compose.yml", *arguments],
        capture_output=True, text=True, check=False, cwd="/",
        env={name: value for name, value in SECRETS.items() if name != without},
    )


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    done = compose("config", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return found


def test_compose_accepts_it() -> None:
    done = compose("config", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SECRETS)
def test_a_missing_secret_is_named(name: str) -> None:
    done = compose("config", "--quiet", without=name)
    assert done.returncode != 0
    assert f"set {name} to" in done.stderr


def test_everything_runs_that_up_runs(services: dict[str, dict[str, Any]]) -> None:
    commands = {service["command"][0] for name, service in services.items() if name not in ("postgres", "valkey")}
    assert commands == {"web", "work", "beat", "recorder", "migrate"}


@pytest.mark.parametrize("name", ["web", "worker", "beat", "recorder", "migrate"])
def test_its_commands_are_ones_that_the_command_line_has(services: dict[str, dict[str, Any]], name: str) -> None:
    service = services[name]
    understood(service["command"])
    if "healthcheck" in service:
        kind, program, *arguments = service["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "celeriac")
        understood(arguments)


@pytest.mark.parametrize("name", ["postgres", "valkey", "web", "worker", "beat", "recorder"])
def test_every_lasting_service_has_a_health_check(services: dict[str, dict[str, Any]], name: str) -> None:
    assert services[name]["healthcheck"]["test"]


def test_nothing_is_published_beyond_this_machine_unless_asked_for(services: dict[str, dict[str, Any]]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert [port["host_ip"] for port in published] == ["127.0.0.1"]


def understood(words: list[str]) -> None:
    """Parses the words as the command line does, without running anything."""
    name, *arguments = words
    command = main.get_command(click.Context(main), name)  # type: ignore[attr-defined]
    assert command is not None, f"celeriac has no command {name}"
    command.make_context(name, list(arguments))
