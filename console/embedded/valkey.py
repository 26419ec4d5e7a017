"""The embedded Valkey: its own directory, a free loopback port, a password, an append-only file."""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from console import clock
from console.embedded import binaries, ports
from console.embedded.data_directory import write_private
from console.embedded.orphans import ends_with_parent
from console.errors import Unavailable

HOST = "127.0.0.1"
START_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 1.0

_CONFIG = """\
# Written by Celeriac at every start.
bind {host}
port {port}
requirepass "{password}"
dir "{directory}"
daemonize no
appendonly yes
appendfsync everysec
save ""
tcp-backlog 128
locale-collate "C"
"""


@dataclass(frozen=True, slots=True)
class Valkey:
    """A server that keeps its data in `directory`. Port and password stay the same from one start to the next."""

    directory: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """The broker URL, with the password."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    @property
    def command(self) -> list[str]:
        """What starts it, in the foreground, logging to its standard output."""
        return [str(binaries.valkey_server()), str(self.directory / "valkey.conf")]

    def is_ready(self) -> bool:
        """Whether it takes commands; false while it loads its append-only file."""
        return b"+PONG" in self._ask("PING")

    def end_orphan(self) -> None:
        """Stops a server that an earlier run left behind on this directory; two on one would spoil it.

        Raises `Unavailable` when it does not go.
        """
        if b"+OK" not in self._ask("PING"):  # the reply to AUTH, which one that still loads its file gives, too
            return
        self._ask("SHUTDOWN")
        limit = clock.monotonic() + 10
        while not ports.is_free(self.port):
            if clock.monotonic() > limit:
                raise Unavailable(f"A Valkey that an earlier run left on {self.directory} does not stop.")
            time.sleep(0.02)

    def _ask(self, command: str) -> bytes:
        """The replies to AUTH and one inline command; empty when nobody answers.

        No client library is used: `up` stays small.
        """
        with suppress(OSError), closing(socket.create_connection((HOST, self.port), ANSWER_TIMEOUT_S)) as connection:
            connection.sendall(f"AUTH {self.password}\r\n{command}\r\nQUIT\r\n".encode())
            answer = b""
            while chunk := connection.recv(1024):
                answer += chunk
            return answer
        return b""


def prepare(directory: Path) -> Valkey:
    """A server for this directory, with its configuration written. Nothing is started."""
    directory.mkdir(parents=True, exist_ok=True)
    password = _kept(directory / "password", secrets.token_urlsafe(24))
    server = Valkey(directory.absolute(), int(_kept(directory / "port", str(ports.find_free()))), password)
    server.end_orphan()
    if not ports.is_free(server.port):
        (directory / "port").unlink()
        server = Valkey(server.directory, int(_kept(directory / "port", str(ports.find_free()))), password)
    quoted = str(server.directory).replace("\\", "\\\\").replace('"', '\\"')
    write_private(
        directory / "valkey.conf",
        _CONFIG.format(host=HOST, port=server.port, password=password, directory=quoted),
    )
    return server


@contextmanager
def running(directory: Path) -> Iterator[Valkey]:
    """A server for the length of the block, for tests and measurements. Raises `Unavailable` when it does not start."""
    server = prepare(directory)
    with (directory / "valkey.log").open("ab") as log:
        process = subprocess.Popen(
            server.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            process_group=0, preexec_fn=ends_with_parent(),
        )
    try:
        limit = clock.monotonic() + START_TIMEOUT_S
        while not server.is_ready():
            if process.poll() is not None or clock.monotonic() > limit:
                raise Unavailable(f"Valkey did not start; {directory / 'valkey.log'} says why.")
            time.sleep(0.01)
        yield server
    finally:
        process.terminate()
        process.wait()


def _kept(path: Path, made: str) -> str:
    """The text of a small file, made now with `made` in it if there was none."""
    with suppress(FileNotFoundError):
        if text := path.read_text().strip():
            return text
    write_private(path, made)
    return made
