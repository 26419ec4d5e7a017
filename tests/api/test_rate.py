"""How many requests a token may make."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis
from flask import Flask
from sqlalchemy import Engine

from tests.api.conftest import Program, problem
from tests.serving import serving


@pytest.fixture
def app(sqlite_database: Engine, broker: redis.Redis, setting: Callable[[str, str], None]) -> Iterator[Flask]:
    setting("CELERIAC_API_RATE", "5/hour")
    with serving() as made:
        yield made


def test_a_token_has_so_many_over_all_routes_and_is_told_when_it_has_more(admin: Program) -> None:
    for path in ("/jobs", "/queues", "/workers", "/job-types", "/jobs"):
        assert admin.get(path).status_code == 200
    refused = admin.get("/queues")
    assert "Too many requests" in problem(refused, 429)["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 3_600


def test_each_token_counts_on_its_own(admin: Program, support: Program) -> None:
    for _ in range(5):
        assert admin.get("/queues").status_code == 200
    problem(admin.get("/queues"), 429)
    assert support.get("/queues").status_code == 200


def test_what_is_refused_for_its_token_counts_too(app: Flask) -> None:
    stranger = Program(app, "cel_nonsense")
    for _ in range(5):
        problem(stranger.get("/jobs"), 401)
    problem(stranger.get("/jobs"), 429)


def test_no_token_is_kept_in_the_broker(admin: Program, broker: redis.Redis) -> None:
    admin.get("/queues")
    [key] = broker.keys("*celeriac:limit*")
    assert admin.headers["Authorization"].split()[1].encode() not in key
    assert 0 < broker.ttl(key) <= 3_600


def test_it_goes_on_without_the_broker(
    sqlite_database: Engine, setting: Callable[[str, str], None], program: Callable[..., Program]
) -> None:
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    setting("CELERIAC_API_RATE", "5/hour")
    token = program("admin").headers["Authorization"].split()[1]
    with serving() as made:
        caller = Program(made, token)
        assert [caller.get("/jobs").status_code for _ in range(6)] == [200] * 5 + [429]
