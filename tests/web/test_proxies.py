"""Behind reverse proxies: whose word counts about who asks, and how."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from flask import request, url_for
from sqlalchemy import Engine

from console.web.permissions import public
from tests.serving import serving

FORWARDED = {
    "X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "celeriac.example.com", "X-Forwarded-Port": "443",
}
"""One that the person's own program made up, and then what the proxy saw."""


@pytest.fixture
def seen_by(
    sqlite_database: Engine, broker: redis.Redis, setting: Callable[[str, str], None]
) -> Callable[[int], tuple[str | None, str]]:
    """The address and the own URL that a request with those headers has, behind so many trusted proxies."""

    def look(proxies: int) -> tuple[str | None, str]:
        setting("CELERIAC_TRUSTED_PROXIES", str(proxies))
        with serving(anew=True) as app:
            show = public(lambda: {"seen": [request.remote_addr, url_for("access.sign_in", _external=True)]})
            app.add_url_rule("/seen", "seen", show)
            seen: tuple[str | None, str] = tuple(app.test_client().get("/seen", headers=FORWARDED).json["seen"])
            return seen

    return look


def test_nobody_is_believed_unless_it_is_said(seen_by: Callable[[int], tuple[str | None, str]]) -> None:
    assert seen_by(0) == ("127.0.0.1", "http://localhost/sign-in")


def test_one_proxy_is_believed_about_what_it_saw_itself(seen_by: Callable[[int], tuple[str | None, str]]) -> None:
    assert seen_by(1) == ("198.51.100.7", "https://celeriac.example.com/sign-in")


def test_with_two_the_one_before_the_last_counts(seen_by: Callable[[int], tuple[str | None, str]]) -> None:
    assert seen_by(2)[0] == "203.0.113.9"


@pytest.mark.parametrize(("wanted", "is_secure"), [("true", True), ("false", False)])
def test_cookies_are_for_https_only_when_that_is_said(
    sqlite_database: Engine, broker: redis.Redis, setting: Callable[[str, str], None], wanted: str, is_secure: bool
) -> None:
    setting("CELERIAC_SECURE_COOKIES", wanted)
    with serving() as app:
        words = app.test_client().get("/sign-in").headers["Set-Cookie"].split("; ")
    assert ("Secure" in words) is is_secure
    assert {"HttpOnly", "SameSite=Lax"} <= set(words)
