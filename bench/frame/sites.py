"""A console of a bench's own: servers, settings, and our processes on them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench.frame import environment, servers
from console import clock, config, db, schema
from console import redis as console_redis
from console.broker import valkey as broker_port
from console.config import settings
from console.embedded import ports, readiness
from console.embedded.orphans import ends_with_parent
from console.embedded.valkey import Valkey
from console.errors import Unavailable

CELERIAC = [sys.executable, "-P", "-m", "console"]
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0
SAID = 800
"""Characters of a log that are told when something fails."""

Process = subprocess.Popen[bytes]


@dataclass(slots=True)
class Site:
    """Where a bench works. `variables` are the settings in force, for processes that are not ours."""

    data: Path
    valkey: Valkey
    variables: dict[str, str]
    url: str
    processes: dict[int, Process] = field(default_factory=dict)

    def start(self, *arguments: str, **more: str) -> Process:
        """Starts a command of ours, with `more` settings; returns when it is ready. Raises `Unavailable`."""
        with self.log(arguments[0]).open("ab") as log:
            process = subprocess.Popen(
                [*CELERIAC, *arguments],
                env=environment.clean(**self.variables, **more),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=ends_with_parent(),
            )
        self.processes[process.pid] = process
        limit = clock.monotonic() + READY_TIMEOUT_S
        while not self._is_ready(arguments[0], process.pid):
            if process.poll() is not None or clock.monotonic() > limit:
                said = self.log(arguments[0]).read_text()[-SAID:]
                raise Unavailable(f"`{' '.join(arguments)}` does not start: {said}")
            time.sleep(0.02)
        return process

    def stop(self, process: Process) -> None:
        """Ends it as `celeriac up` does: it finishes what it is at."""
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.processes.pop(process.pid, None)

    @contextmanager
    def running(self, *commands: str) -> Iterator[dict[str, Process]]:
        """Those commands (`web`, `work`, `recorder`, `beat`) for the length of the block."""
        started: dict[str, Process] = {}
        try:
            for command in commands:
                started[command] = self.start(command)
            yield started
        finally:
            for process in started.values():
                self.stop(process)

    def celeriac(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs a command to its end; what it printed. Raises `Unavailable` when it fails."""
        done = subprocess.run(
            [*CELERIAC, *arguments],
            env=environment.clean(**self.variables),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Unavailable(f"`celeriac {' '.join(arguments)}` failed: {done.stderr.strip()[-SAID:]}")
        return done.stdout

    def log(self, command: str) -> Path:
        """Where what that command says is kept."""
        return self.data / f"{command}.log"

    def stop_all(self) -> None:
        """Ends whatever was started and still runs."""
        for process in list(self.processes.values()):
            self.stop(process)

    def _is_ready(self, command: str, pid: int) -> bool:
        if command == "web":
            return readiness.answers(self.url)
        return command not in ("work", "beat", "recorder") or readiness.has_announced(self.data, command, pid)


@contextmanager
def site(database: Literal["sqlite", "postgresql"] = "sqlite", **more: str) -> Iterator[Site]:
    """Servers and a migrated database, in force in this process for the length of the block; `more` are settings."""
    with ExitStack() as stack:
        home = stack.enter_context(servers.directory())
        broker = stack.enter_context(servers.valkey())
        url = f"sqlite:///{home / config.DATABASE_FILE}"
        if database == "postgresql":
            server = stack.enter_context(servers.postgresql())
            url = server.url(server.create("template1"))
        port = ports.find_free()
        servers_used = {"DATABASE_URL": url, "BROKER_URL": broker.url}
        variables = {"CELERIAC_DATA": str(home), "CELERIAC_PORT": str(port), **servers_used, **more}
        stack.enter_context(in_force(variables))
        schema.upgrade()
        made = Site(home, broker, variables, f"http://127.0.0.1:{port}")
        stack.callback(made.stop_all)
        yield made


@contextmanager
def in_force(variables: dict[str, str]) -> Iterator[None]:
    """Those settings in this process for the length of the block; of the others, none."""
    _use(variables)
    try:
        yield
    finally:
        _use({})


def _use(variables: dict[str, str]) -> None:
    """Closes what was opened with the settings so far; the next use reads them anew."""
    if db.engine.cache_info().currsize:
        db.engine().dispose()
        db.engine.cache_clear()
    broker_port.broker.cache_clear()
    for client in (console_redis.client, console_redis.quick_client):
        if client.cache_info().currsize:
            client().close()
            client.cache_clear()
    environment.forget_settings()
    config.override(**variables)
    settings()
