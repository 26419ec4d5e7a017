"""What the tests of pages share: the application on real servers, people of each role, and browsers without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from console import db
from console.access import service
from console.actor import SYSTEM
from console.app import create_app
from console.jobs.rules import State
from tests.factories.jobs import make_job

PASSWORD = "correct horse battery"


class Browser:
    """Follows links and fills forms as a browser without scripts does: with cookies and the token of the form."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, address: str, **arguments: Any) -> TestResponse:
        return self.client.get(address, **arguments)

    def token(self) -> str:
        page = self.get("/account" if self.client.get_cookie("celeriac") else "/sign-in").text
        if found := re.search(r'name="csrf_token" value="([^"]+)"', page):
            return found[1]
        return re.search(r'name="csrf_token" value="([^"]+)"', self.get("/sign-in").text)[1]  # type: ignore[index]

    def post(self, address: str, data: dict[str, Any] | None = None, **arguments: Any) -> TestResponse:
        return self.client.post(address, data={"csrf_token": self.token()} | (data or {}), **arguments)

    def sign_in(self, email: str, password: str = PASSWORD, **more: str) -> TestResponse:
        return self.post("/sign-in", {"email": email, "password": password} | more)


@pytest.fixture
def app(sqlite_database: Engine, broker: redis.Redis) -> Flask:
    with db.writing() as session:
        for role in ("admin", "support", "user"):
            service.create_user(session, SYSTEM, f"{role}@example.com", role, PASSWORD)
    return create_app(lambda app: app.config.update(TESTING=False))


@pytest.fixture
def open_browser(app: Flask) -> Callable[[], Browser]:
    """Opens another browser, with no cookies yet."""
    return lambda: Browser(app.test_client())


@pytest.fixture
def visitor(open_browser: Callable[[], Browser]) -> Browser:
    """Nobody known."""
    return open_browser()


@pytest.fixture
def browser_of(open_browser: Callable[[], Browser]) -> Callable[[str], Browser]:
    """A browser in which somebody of that role is signed in."""

    def sign_in(role: str) -> Browser:
        browser = open_browser()
        assert browser.sign_in(f"{role}@example.com").status_code == 302
        return browser

    return sign_in


@pytest.fixture
def admin(browser_of: Callable[[str], Browser]) -> Browser:
    return browser_of("admin")


@pytest.fixture
def support(browser_of: Callable[[str], Browser]) -> Browser:
    return browser_of("support")


@pytest.fixture
def end_user(browser_of: Callable[[str], Browser]) -> Browser:
    return browser_of("user")


@pytest.fixture
def job(app: Flask) -> Callable[..., str]:
    """Makes a job in a state, RETRYABLE unless said otherwise, and gives its id."""

    def make(state: State = State.RETRYABLE, **columns: Any) -> str:
        with db.writing() as session:
            return make_job(session, state, **columns).id

    return make
