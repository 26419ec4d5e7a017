"""Gunicorn with threads, configured here: no configuration file, no command line of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from console.config import Settings
from console.web import lifecycle

GRACE_S = 8
"""How long a request may go on when the server stops; streams end at once."""
SPARE_CONNECTIONS = 1_000
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where gunicorn advises its heartbeat files to be


class Server(BaseApplication):
    """Serves what `load_app` makes, which is called in each worker, not in the process that watches them."""

    def __init__(self, settings: Settings, load_app: Callable[[], Flask]) -> None:
        self._settings = settings
        self._load_app = load_app
        super().__init__()

    def load_config(self) -> None:
        """Hands our settings to gunicorn."""
        for name, value in options(self._settings).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application."""
        return self._load_app()


def options(settings: Settings) -> dict[str, Any]:
    """Gunicorn's settings. Each thread serves one request or one open stream."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": f"{host}:{settings.port}",
        "worker_class": "gthread",
        "workers": settings.web_workers,
        "threads": settings.web_threads,
        "worker_connections": settings.web_threads + SPARE_CONNECTIONS,
        "graceful_timeout": GRACE_S,
        "timeout": 60,
        "keepalive": 10,
        "errorlog": "-",
        "loglevel": "warning" if settings.log_level == "INFO" else settings.log_level.lower(),
        "control_socket_disable": True,
        "worker_tmp_dir": str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None,
        "proc_name": "celeriac-web",
        "post_worker_init": _end_streams_on_stop,
    }


def _end_streams_on_stop(_worker: Any) -> None:
    """Makes SIGTERM tell open streams to end before gunicorn waits for them."""
    stop = signal.getsignal(signal.SIGTERM)

    def told(number: int, frame: FrameType | None) -> None:
        lifecycle.stopping.set()
        if callable(stop):
            stop(number, frame)

    signal.signal(signal.SIGTERM, told)
    signal.siginterrupt(signal.SIGTERM, False)
