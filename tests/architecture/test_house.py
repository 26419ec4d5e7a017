"""The house rules that no linter knows."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from console.cli import COMMANDS, main
from console.config import PROJECT_DIR

LONGEST_MODULE = 400
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
CODE = ("console", "tasks", "bench", "migrations", "tests")


def modules() -> list[Path]:
    return sorted(path for folder in CODE for path in (PROJECT_DIR / folder).rglob("*.py"))


def test_modules_are_of_at_most_400_lines() -> None:
    lengths = {str(path.relative_to(PROJECT_DIR)): len(path.read_text().splitlines()) for path in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_names_say_what_is_inside() -> None:
    names = {part for path in modules() for part in path.relative_to(PROJECT_DIR).with_suffix("").parts}
    assert names & NO_NAMES == set()


def test_who_may_import_whom() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo"], cwd=PROJECT_DIR, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_help(name: str) -> None:
    command = main.get_command(main.make_context("celeriac", [name], resilient_parsing=True), name)  # type: ignore[attr-defined]
    assert command is not None
    assert command.help


def test_help_of_all_imports_none_of_the_commands() -> None:
    loaded = "import sys; from console.cli import main; main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", loaded], capture_output=True, text=True, check=True)
    listed = done.stdout.splitlines()
    assert any("doctor" in line for line in listed)
    assert not {"sqlalchemy", "celery", "flask", "redis", "pydantic"} & set(re.findall(r"'(\w+)'", listed[-1]))


def test_the_lock_for_the_tests_holds_the_one_for_the_product() -> None:
    """So that one environment serves both: `./celeriac test` installs the second, every other command the first."""
    pinned = {}
    for name in ("base", "dev"):
        text = (PROJECT_DIR / "requirements" / f"{name}.txt").read_text()
        pinned[name] = set(re.findall(r"^([\w.\[\]-]+==\S+)", text, re.MULTILINE))
        assert "://" not in text
        assert len(pinned[name]) == len(re.findall(r"^[\w.\[\]-]+==.*\\\n +--hash=sha256:", text, re.MULTILINE))
    assert pinned["base"] <= pinned["dev"]


def test_a_wheel_brings_pages_and_migrations(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=PROJECT_DIR, check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("templates/", "static/", "migrations/env.py", "migrations/versions/0001"):
        assert any(name.startswith(f"console/_resources/{wanted}") for name in names), wanted
    assert "tasks/app.py" in names
    assert not [name for name in names if name.startswith(("tests", "bench", "var"))]
