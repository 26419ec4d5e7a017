"""How often something may be asked for. Counted in Valkey, so that all web processes count together."""

from __future__ import annotations

import hashlib

from flask import Blueprint, Flask, Response, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from console import clock
from console.config import settings
from console.errors import NotConfigured

limiter = Limiter(get_remote_address, strategy="fixed-window", headers_enabled=False, key_prefix="celeriac:limit")


def init_app(app: Flask) -> None:
    """Counts in this process's memory while the broker is away, or when none is known."""
    try:
        app.config["RATELIMIT_STORAGE_URI"] = settings().broker
        app.config["RATELIMIT_STORAGE_OPTIONS"] = {"socket_connect_timeout": 1, "socket_timeout": 1}
        app.config["RATELIMIT_IN_MEMORY_FALLBACK_ENABLED"] = True
    except NotConfigured:
        app.config["RATELIMIT_STORAGE_URI"] = "memory://"
    limiter.init_app(app)
    app.after_request(_say_when)


def limit_api(blueprint: Blueprint) -> None:
    """Counts the requests to these routes, all together, for each token on its own."""
    _api_limit(blueprint)


def _token() -> str:
    """Whose requests are counted: the token's, not kept as such; without one those of the network address."""
    said = request.headers.get("Authorization")
    return hashlib.sha256(said.encode()).hexdigest() if said else str(get_remote_address())


_api_limit = limiter.shared_limit(lambda: settings().api_rate, scope="api", key_func=_token)
"""One object: what is given to a blueprint twice, by two applications in one process, counts once."""


def _say_when(response: Response) -> Response:
    """Tells who was refused when to come again."""
    spent = limiter.current_limit
    if response.status_code == 429 and spent is not None:
        response.headers["Retry-After"] = str(max(1, spent.reset_at - clock.now_ms() // 1_000 - 1))
    return response
