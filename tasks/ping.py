"""Tells a dead-man check that beat works. In a thread of its own: what is due never waits for it."""

from __future__ import annotations

import logging
import threading
import urllib.request
from http.client import HTTPException

from console import clock
from console.config import settings

EVERY_S = 60.0
TIMEOUT_S = 10.0

log = logging.getLogger(__name__)


class Ping:
    """Calls `CELERIAC_PING_URL` at most once a minute, when asked to; without an address it does nothing."""

    def __init__(self) -> None:
        self._at = 0.0
        self._thread: threading.Thread | None = None

    def tell(self) -> None:
        """To be called by whoever has just done its work."""
        url, now = settings().ping_url, clock.monotonic()
        if not url or now < self._at or (self._thread is not None and self._thread.is_alive()):
            return
        self._at = now + EVERY_S
        self._thread = threading.Thread(target=_call, args=(url,), name="ping", daemon=True)
        self._thread.start()


def _call(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310  the settings allow http and https only
            pass
    except (OSError, HTTPException, ValueError) as error:  # also what is no HTTP, or no address
        log.warning("CELERIAC_PING_URL does not answer: %s", error)
