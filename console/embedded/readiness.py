"""How a process that `celeriac up` started says that it is ready for work."""

from __future__ import annotations

import http.client
import os
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from console.config import settings

ANSWER_TIMEOUT_S = 2.0


def announce(name: str) -> None:
    """Says that this process, the service of that name, is ready; called once, when it can take its first work."""
    folder = settings().data / "run"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ready").write_text(str(os.getpid()))


def has_announced(data: Path, name: str, pid: int) -> bool:
    """Whether that process said so. One of an earlier run has another process id."""
    with suppress(OSError):
        return (data / "run" / f"{name}.ready").read_text() == str(pid)
    return False


def answers(url: str) -> bool:
    """Whether a web server says there that it is ready."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(reachable(parts.hostname or ""), parts.port, timeout=ANSWER_TIMEOUT_S)
    with suppress(OSError, http.client.HTTPException), closing(connection):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    return False


def reachable(host: str) -> str:
    """An address to reach a server by that listens on `host`, which may mean all addresses."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
