"""Pages of actions run once on each kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis
from flask import Flask
from sqlalchemy import Engine

from tests.serving import serving
from tests.web.conftest import Browser, page


@pytest.fixture
def app(database: Engine, broker: redis.Redis) -> Iterator[Flask]:
    """The application on an empty database."""
    with serving() as made:
        yield made


def form_of(browser: Browser, query: str) -> dict[str, str]:
    """What the form of a new action holds when nothing is changed in it."""
    shown = page(browser.get(f"/actions/new?{query}"))
    form = {str(field["name"]): str(field.get("value", "")) for field in shown.select("#action-form input[name]")}
    form.pop("csrf_token")
    return form


@pytest.fixture
def ask() -> Callable[..., str]:
    """Fills in the form of a new action and sends it; the action's id."""

    def send(browser: Browser, query: str, **typed: str) -> str:
        response = browser.submit("/actions", **(form_of(browser, query) | typed))
        assert response.status_code == 303, response.text
        return str(response.headers["Location"]).removeprefix("/actions/")

    return send
