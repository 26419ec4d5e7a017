"""How often something may be asked for. Counted in Valkey, so that all web processes count together."""

from __future__ import annotations

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

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
