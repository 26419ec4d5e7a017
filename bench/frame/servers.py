"""Servers of a bench's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.embedded import valkey as embedded
from console.embedded.valkey import Valkey
from tests.servers import postgres
from tests.servers.postgres import PostgreSQL

DURABLE = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB
"""
"""As it would be run: every commit is on the disk. What the tests leave out for speed would flatter the figures."""


@contextmanager
def directory() -> Iterator[Path]:
    """A temporary directory for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="celeriac-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def valkey() -> Iterator[Valkey]:
    """An empty Valkey, as `celeriac up` embeds it."""
    with directory() as home, embedded.running(home / "valkey") as server:
        yield server


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """An empty PostgreSQL; `server.create("template1")` makes a database in it, `server.url(name)` names that."""
    with postgres.running(DURABLE) as server:
        yield server
