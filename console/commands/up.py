"""`celeriac up`: everything on this machine, in one command."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import click

from console import config, revisions
from console.access.rules import DEMO_PEOPLE, FIRST_ADMIN
from console.config import DATABASE_FILE, Settings, settings, without_password
from console.embedded import data_directory, ports, readiness, valkey
from console.embedded.child import Service
from console.embedded.orphans import ends_with_parent
from console.embedded.signals import Signals, caught
from console.embedded.supervisor import StartFailed, Stopped, Supervisor
from console.embedded.valkey import Valkey
from console.errors import Unavailable

CELERIAC = [sys.executable, "-P", "-m", "console"]
BROKER_TIMEOUT_S = 5
DEFAULT_BROKER_PORT = 6379


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.  [default: 8000]")
@click.option("--demo", is_flag=True, help="Add people, jobs and a workload that goes on.")
def up(host: str | None, port: int | None, demo: bool) -> None:
    """Start everything on this machine: web, workers, beat, recorder, and a Valkey of its own.

    Data is kept in SQLite. With DATABASE_URL or BROKER_URL set, those servers are used instead. Ctrl-C stops all in
    order: running jobs end first. A second Ctrl-C stops at once.
    """
    _settle(host, port)
    data = settings().data
    with data_directory.claimed(data), caught() as signals:
        ports.check(settings().host, settings().port)
        supervisor = Supervisor(data / "logs", signals, _complain)
        try:
            _start(supervisor, signals, demo=demo)
            supervisor.watch()
            click.echo("Stopping; running jobs end first. Ctrl-C again stops at once.")
        except Stopped as stopped:
            click.echo(stopped.detail)
        finally:
            supervisor.stop()
        click.echo("Stopped.")


def services(data: Path, web_url: str, *, demo: bool) -> list[Service]:
    """What runs beside the embedded Valkey. They start together and stop by stage."""
    announced = partial(readiness.has_announced, data)
    listed = [
        _service("web", 1, 10, lambda _pid: readiness.answers(web_url)),
        _service("beat", 1, 10, partial(announced, "beat")),
        _service("work", 2, 40, partial(announced, "work")),
        _service("recorder", 3, 30, partial(announced, "recorder")),
    ]
    if demo:
        listed.append(_service("demo", 1, 10, lambda _pid: True))
    return listed


def _service(command: str, stop_stage: int, stop_timeout_s: float, is_ready: Callable[[int], bool]) -> Service:
    return Service(command, [*CELERIAC, command], is_ready, stop_stage, stop_timeout_s)


def _valkey_service(server: Valkey) -> Service:
    return Service("valkey", server.command, lambda _pid: server.is_ready(), stop_stage=4, stop_timeout_s=20)


def _settle(host: str | None, port: int | None) -> None:
    """Fixes the settings that all processes share, in the environment that they inherit."""
    config.override(CELERIAC_DATA=str(settings().data.absolute()), PYTHONUNBUFFERED="1")
    if host:
        config.override(CELERIAC_HOST=host)
    if port:
        config.override(CELERIAC_PORT=str(port))


def _start(supervisor: Supervisor, signals: Signals, *, demo: bool) -> None:
    now = settings()
    click.echo(f"Starting Celeriac on {now.data}")
    broker_url = now.broker_url.get_secret_value()
    if broker_url:
        _check_reachable(broker_url)
    else:
        server = valkey.prepare(now.data / "valkey")
        supervisor.start([_valkey_service(server)])
        broker_url = server.url
    web_url = f"http://{_in_url(readiness.reachable(now.host))}:{now.port}"
    data_directory.publish(now.data, broker_url=broker_url, database_url=now.database_url, web_url=web_url)
    for email, password in _prepare_database(now, signals, demo=demo).items():
        click.echo(f"\n  Sign in as  {email}\n  Password    {password}   (made just now, shown this once)")
    supervisor.wait_ready()
    supervisor.start(services(now.data, web_url, demo=demo))
    supervisor.wait_ready()
    click.echo(f"\n  Ready at    {web_url}\n  Logs        {now.data / 'logs'}\n  Stop        Ctrl-C\n")


def _prepare_database(now: Settings, signals: Signals, *, demo: bool) -> dict[str, str]:
    """Runs `celeriac migrate`, in a process of its own so that this one stays small.

    The address and the password of everybody who was made: the first admin, and the people of the demo.
    """
    if not now.database_url and revisions.is_prepared(now.data / DATABASE_FILE, DEMO_PEOPLE if demo else ()):
        return {}  # which is most starts, and a second sooner
    command = [*CELERIAC, "migrate", "--first-admin", "--json", *(["--demo-people"] if demo else [])]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        preexec_fn=ends_with_parent(),
    )
    while process.poll() is None:
        signals.wait(1)
        if signals.stops:
            process.terminate()
    said, problem = process.communicate()
    if signals.stops:
        raise Stopped("Stopped before it was ready.")
    if process.returncode:
        raise StartFailed(problem.removeprefix("Error: ").strip())
    made = json.loads(said)
    admin: dict[str, str] = {FIRST_ADMIN: made["admin_password"]} if made["admin_password"] else {}
    people: dict[str, str] = made["demo_people"]
    return admin | people


def _check_reachable(broker_url: str) -> None:
    """Says at once what else would show only as services that do not get ready. Raises `Unavailable`."""
    parts = urlsplit(broker_url)
    try:
        address = (parts.hostname or "127.0.0.1", parts.port or DEFAULT_BROKER_PORT)
        socket.create_connection(address, BROKER_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"The broker that BROKER_URL names, {without_password(broker_url)}, does not answer: {error}. "
            "Start it, or unset BROKER_URL to use the embedded one."
        ) from error


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _complain(text: str) -> None:
    click.echo(text, err=True)
