"""How the commands behave as processes: pipes, exit codes, help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from sqlalchemy import Engine

from console import db
from console.cli import COMMANDS, main
from tests.factories.jobs import make_job

CELERIAC = [sys.executable, "-m", "console"]
OURS = ("failed", "retry", "flush", "cancel", "dispatch", "monitor", "users", "tokens")


def run(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CELERIAC, *arguments], capture_output=True, text=True, check=False, **more)


def leaves(name: str) -> list[list[str]]:
    """The commands below a name, itself when it is no group."""
    command = main.get_command(click.Context(main), name)
    return [[name, below] for below in command.commands] if isinstance(command, click.Group) else [[name]]


@pytest.mark.parametrize("arguments", [leaf for name in OURS for leaf in leaves(name)], ids=" ".join)
def test_help_has_a_purpose_examples_and_data(arguments: list[str]) -> None:
    command: click.Command | None = main
    for name in arguments:
        command = command.get_command(click.Context(command), name)
    assert command.help
    assert f"celeriac {' '.join(arguments)}" in command.epilog
    assert "--data" in [option for parameter in command.params for option in parameter.opts]


def test_every_command_can_be_imported_and_is_listed() -> None:
    result = run("--help")
    assert result.returncode == 0
    for name in COMMANDS:
        assert main.get_command(click.Context(main), name).name
        assert f"\n  {name} " in result.stdout


def test_a_reader_that_stops_early_is_no_error(sqlite_database: Engine, broker) -> None:
    with db.writing() as session:
        for _ in range(400):
            make_job(session, error_message="x" * 2_000)
    shell = f"{' '.join(CELERIAC)} failed --limit 400 | head -n 1"
    result = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
    assert result.stdout.startswith("ID ")
    assert "Traceback" not in result.stderr
    assert "Broken pipe" not in result.stderr


def test_data_names_the_directory(sqlite_database: Engine, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("CELERIAC_DATA", str(tmp_path / "elsewhere"))
    assert run("failed", "--data", str(tmp_path / "data")).returncode == 0
    assert run("failed").returncode == 2


def test_no_colour_and_one_plain_line_for_an_error(setting: Callable[[str, str], None], tmp_path) -> None:
    result = run("failed", env=os.environ | {"FORCE_COLOR": "1", "TERM": "xterm-256color"})
    assert result.returncode == 2
    assert "\x1b" not in result.stderr
    assert result.stderr.startswith("Error: There is no database at ")
    assert len(result.stderr.splitlines()) == 1


def test_a_database_that_is_away_has_its_exit_code(setting: Callable[[str, str], None]) -> None:
    setting("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    result = run("failed")
    assert result.returncode == 6
    assert "The database does not answer" in result.stderr
    assert "Traceback" not in result.stderr
