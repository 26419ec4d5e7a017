"""The reference says what there is: a route, a command, an option or a setting that it leaves out fails here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import redis
from sqlalchemy import Engine

from console.access.rules import Permission
from console.app import create_app
from console.cli import COMMANDS, main
from console.config import Settings
from console.errors import CeleriacError
from console.jobs.rules import State
from console.web import database as web_database
from console.web.openapi import document

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def read(name: str) -> str:
    return (REFERENCE / name).read_text()


def sections(text: str, heading: str) -> dict[str, str]:
    """Headings that begin with the given words, and what stands below each."""
    parts = re.split(rf"^#+ (?={heading})", text, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


@pytest.fixture
def described(sqlite_database: Engine, broker: redis.Redis) -> Any:
    app = create_app()
    yield document(app, "/api/")
    with app.app_context():
        web_database.engine().dispose()


def test_every_route_is_described_with_its_permission_and_an_example(described: Any) -> None:
    written = sections(read("api.md"), r"(?:GET|POST|PUT|PATCH|DELETE) /api/")
    routes = {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items() for method, operation in methods.items()
    }
    assert written.keys() == routes.keys()
    for route, operation in routes.items():
        [permission] = operation["security"][0]["token"]
        assert f"Needs `{permission}`." in written[route], route
        assert "curl " in written[route], route


def test_every_parameter_and_field_of_a_request_is_described(described: Any) -> None:
    text = read("api.md")
    names = {
        parameter["name"]
        for methods in described["paths"].values() for operation in methods.values()
        for parameter in operation["parameters"]
    }
    for name in ("DispatchRequest", "BulkRequest", "FlushRequest", "ExportRequest", "SearchRequest"):
        names |= described["components"]["schemas"][name]["properties"].keys()
    missing = sorted(name for name in names if not re.search(rf"[`{{\"]{name}[`}}\"]", text))
    assert missing == []


def test_every_status_and_every_state_is_described(described: Any) -> None:
    text = read("api.md")
    assert [status for status in described["components"]["responses"] if f"| {status} |" not in text] == []
    assert [state for state in State if f"`{state}`" not in text] == []


def test_no_permission_is_made_up() -> None:
    known = set(map(str, Permission))
    assert set(re.findall(r"Needs `([a-z.]+)`", read("api.md"))) <= known


def commands(path: list[str], command: click.Command) -> list[tuple[str, click.Command]]:
    found = [(" ".join(path), command)]
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            found += commands([*path, name], below)
    return found


def test_every_command_and_every_option_is_described() -> None:
    written = sections(read("cli.md"), "celeriac ")
    every = [
        found for name in COMMANDS
        for found in commands(["celeriac", name], main.get_command(click.Context(main), name) or click.Command(name))
    ]
    for name, command in every:
        [heading] = [heading for heading in written if re.fullmatch(rf"{name}(?: [^a-z].*)?", heading)] or [None]
        assert heading is not None, f"cli.md has no heading {name}"
        options = {
            option for parameter in command.params if isinstance(parameter, click.Option)
            for option in parameter.opts if option not in ("--data", "--help")
        }
        assert {option for option in options if f"`{option}" not in written[heading]} == set(), name
    assert len(written) == len(every)


def test_every_exit_code_is_described() -> None:
    codes = {kind.exit_code for kind in (CeleriacError, *CeleriacError.__subclasses__())}
    text = read("cli.md")
    assert [code for code in codes if f"\n| {code} |" not in text] == []


def test_every_setting_is_described_as_in_the_code() -> None:
    text = read("settings.md")
    for name, setting in Settings.model_fields.items():
        variable = setting.validation_alias.choices[0]
        [row] = re.findall(rf"^\| `{variable}` \|.*$", text, flags=re.MULTILINE) or [""]
        assert row, f"settings.md does not describe {variable} ({name})"
        assert row.endswith(f"| {setting.description} |"), row
    known = {setting.validation_alias.choices[0] for setting in Settings.model_fields.values()}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", text, flags=re.MULTILINE)) == known
