"""`celeriac web`."""

from __future__ import annotations

import click
from flask import Flask

from console import config
from console.config import settings
from console.embedded.orphans import end_with_parent
from console.web.server import Server


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on; also CELERIAC_HOST.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; also CELERIAC_PORT.  [default: 8000]")
def web(host: str | None, port: int | None) -> None:
    """Serve the pages and the API with gunicorn.

    CELERIAC_WEB_WORKERS processes of CELERIAC_WEB_THREADS threads each. SIGTERM stops it: requests end first.
    """
    if host:
        config.override(CELERIAC_HOST=host)
    if port:
        config.override(CELERIAC_PORT=str(port))
    Server(settings(), _load_app).run()


def _load_app() -> Flask:
    """Imported in the web server's children only; the process that watches them stays small."""
    import tasks  # noqa: F401 - registers the job types
    from console.app import create_app

    end_with_parent()
    return create_app()
