"""What the tests of the API share: the application on real servers, and programs that call it with a token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from console import db
from console.access import service
from console.access.rules import Role
from console.actor import SYSTEM
from console.jobs import registry
from console.jobs.rules import State
from tests.factories.jobs import GREET, make_job
from tests.serving import serving

JSON = "application/json"
PROBLEM = "application/problem+json"


class Program:
    """Something that calls the API with a token, or without one."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self._app = app
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, **request: Any) -> TestResponse:
        headers = self.headers | request.pop("headers", {})
        return self._app.test_client().open(f"/api/v1{path}", method=method, headers=headers, **request)

    def get(self, path: str, **request: Any) -> TestResponse:
        return self("GET", path, **request)

    def post(self, path: str, **request: Any) -> TestResponse:
        return self("POST", path, **request)


def problem(response: TestResponse, status: int) -> Any:
    """The body of an error, whose shape is checked on the way."""
    assert response.status_code == status, response.text
    assert response.mimetype == PROBLEM
    body = response.get_json(force=True)
    assert body["status"] == status
    assert body["type"].startswith("urn:celeriac:problem:")
    assert body["title"]
    assert body["detail"]
    return body


@pytest.fixture
def app(database: Engine, broker: redis.Redis) -> Iterator[Flask]:
    """The application, once on each kind of database."""
    with serving() as made:
        yield made


@pytest.fixture
def program(app: Flask) -> Callable[..., Program]:
    """A program with a new token of that role, named after it."""

    def make(role: str, **more: Any) -> Program:
        with db.writing() as session:
            return Program(app, service.create_token(session, SYSTEM, more.pop("name", f"of-{role}"), role, **more))

    return make


@pytest.fixture
def admin(program: Callable[..., Program]) -> Program:
    return program(Role.ADMIN)


@pytest.fixture
def support(program: Callable[..., Program]) -> Program:
    return program(Role.SUPPORT)


@pytest.fixture
def job(app: Flask) -> Callable[..., str]:
    """Makes a job in a state, RETRYABLE unless said otherwise, and gives its id."""

    def make(state: State = State.RETRYABLE, **columns: Any) -> str:
        with db.writing() as session:
            return make_job(session, state, **columns).id

    return make


@pytest.fixture(autouse=True)
def greet_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job type that exists during the test only."""
    monkeypatch.setitem(registry._types, GREET.name, GREET)
