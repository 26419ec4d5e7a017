"""Overview."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from console.jobs.rules import State
from tests.web.conftest import Browser, page, said


def test_it_opens_on_nothing_at_all(support: Browser) -> None:
    assert support.get("/").status_code == 200


def test_it_says_what_fails_and_where_nobody_works(support: Browser, job: Callable[..., str], broker: redis.Redis) -> None:
    job(type="shop.charge")
    job(State.PENDING, queue="emails")
    shown = said(support.get("/"))
    assert "shop.charge" in shown
    assert "celeriac work --queue=emails" in shown


@pytest.mark.parametrize("name", ["15m", "1h", "6h", "24h", "7d"])
def test_each_range_opens(support: Browser, name: str) -> None:
    assert support.get(f"/?range={name}").status_code == 200


def test_an_unknown_range_is_the_usual_one(support: Browser) -> None:
    assert support.get("/?range=99y").status_code == 200


def test_htmx_gets_the_body_alone(support: Browser) -> None:
    response = support.fragment("/?part=body")
    assert response.status_code == 200
    assert page(response).select_one("html") is None


def test_it_opens_while_the_broker_is_away(
    support: Browser, setting: Callable[[str, str], None], job: Callable[..., str]
) -> None:
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    response = support.get("/")
    assert response.status_code == 200
    assert "The broker does not answer." in said(response)
