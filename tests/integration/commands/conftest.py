"""What the tests of commands share: a way to run them, and jobs to run them on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from console import db
from console.cli import main
from console.jobs import registry
from console.jobs.rules import State
from tests.factories.jobs import GREET, make_job


class Celeriac:
    """Runs `celeriac …` in this process, on the settings of the test."""

    def __call__(self, *arguments: str, stdin: str = "", exit_code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments), input=stdin, prog_name="celeriac")
        assert result.exit_code == exit_code, (result.exit_code, result.output, result.exception)
        return result

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        """What the command prints with --json."""
        return json.loads(self(*arguments, "--json", exit_code=exit_code).stdout)


@pytest.fixture
def celeriac() -> Celeriac:
    return Celeriac()


@pytest.fixture
def job(database: Engine, broker: redis.Redis) -> Callable[..., str]:
    """Makes a job in a state, RETRYABLE unless said otherwise, and gives its id."""

    def make(state: State = State.RETRYABLE, **columns: Any) -> str:
        with db.writing() as session:
            return make_job(session, state, **columns).id

    return make


@pytest.fixture(autouse=True)
def greet_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job type that exists during the test only."""
    monkeypatch.setitem(registry._types, GREET.name, GREET)
