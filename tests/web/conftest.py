"""What the tests of pages share: the application on real servers, and people who open it in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from werkzeug.test import TestResponse

from console import db
from console.access import service
from console.access.models import User
from console.access.rules import Role
from console.access.views import Member
from console.actor import SYSTEM
from console.jobs import registry
from console.jobs.rules import State
from tests.factories.jobs import GREET, make_job
from tests.serving import serving

PASSWORD = "correct horse battery"
OUTSIDER = "outsider"


class Browser:
    """One person's browser: keeps cookies, and sends the form token of the page it saw, as a form does."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def get(self, path: str, **more: Any) -> TestResponse:
        return self._client.get(path, **more)

    def fragment(self, path: str) -> TestResponse:
        """As htmx asks."""
        return self._client.get(path, headers={"HX-Request": "true"})

    def submit(self, path: str, **fields: Any) -> TestResponse:
        """Sends a form."""
        return self._client.post(path, data={"csrf_token": self._form_token(), **fields})

    def submit_forged(self, path: str, **fields: Any) -> TestResponse:
        """Sends a form of another site, which cannot know the token."""
        return self._client.post(path, data=fields)

    def sign_in(self, email: str, password: str = PASSWORD, **fields: Any) -> TestResponse:
        return self.submit("/sign-in", email=email, password=password, **fields)

    def become(self, user: User) -> None:
        """What signing in leaves in the browser; that it does is seen in test_sign_in."""
        with self._client.session_transaction() as session:
            session |= {"_user_id": Member(user).get_id(), "_fresh": True}

    def is_signed_in(self) -> bool:
        return self._client.get("/account").status_code == 200

    def _form_token(self) -> str:
        for path in ("/account", "/sign-in"):
            response = self._client.get(path)
            if response.status_code == 200:
                found = page(response).select_one("input[name=csrf_token]")
                assert found is not None, f"{path} has a form without a token"
                return str(found["value"])
        raise AssertionError("no page with a form could be opened")


def page(response: TestResponse) -> BeautifulSoup:
    """The page, to look into."""
    return BeautifulSoup(response.text, "html.parser")


def said(response: TestResponse) -> str:
    """What a person reads on the page, with single spaces."""
    return " ".join(page(response).get_text(" ").split())


def address(role: str) -> str:
    return f"{role}@example.com"


@pytest.fixture
def app(sqlite_database: Engine, broker: redis.Redis) -> Iterator[Flask]:
    """The application on an empty database, with the form tokens and limits that it has in use."""
    with serving() as made:
        yield made


@pytest.fixture
def own_app(sqlite_database: Engine, broker: redis.Redis) -> Iterator[Flask]:
    """An application that the test may change."""
    with serving(anew=True) as made:
        yield made


@pytest.fixture
def browser_of(app: Flask) -> Callable[[str], Browser]:
    """A browser in which a person of that role is signed in; `OUTSIDER`: nobody is."""

    def open_for(role: str) -> Browser:
        browser = Browser(app.test_client())
        if role != OUTSIDER:
            browser.become(add_person(role))
        return browser

    return open_for


@pytest.fixture
def support(browser_of: Callable[[str], Browser]) -> Browser:
    return browser_of(Role.SUPPORT)


@pytest.fixture
def admin(browser_of: Callable[[str], Browser]) -> Browser:
    return browser_of(Role.ADMIN)


@pytest.fixture
def outsider(browser_of: Callable[[str], Browser]) -> Browser:
    return browser_of(OUTSIDER)


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


def add_person(role: str) -> User:
    with db.writing() as session:
        service.create_user(session, SYSTEM, address(role), role, PASSWORD)
        return session.scalars(select(User).where(User.email == address(role))).one()


def add_token(role: str, **more: Any) -> str:
    with db.writing() as session:
        return service.create_token(session, SYSTEM, f"of-{role}", role, **more)
