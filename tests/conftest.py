"""What all tests share: real servers for the session, a fresh database and settings for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from argon2 import PasswordHasher
from sqlalchemy import Engine, create_engine

from console import config, db, schema
from console import redis as console_redis
from console.access import service
from console.broker import valkey as broker_port
from console.embedded import valkey
from console.embedded.valkey import Valkey
from tests.servers import browser as browsers
from tests.servers import postgres
from tests.servers.postgres import PostgreSQL

OURS = ("CELERIAC_", "QUEUE_", "MAIL_", "DATABASE_URL", "BROKER_URL", "SECRET_KEY")
FOR_THE_TESTS = (browsers.EXECUTABLE, browsers.MAY_INSTALL)


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> None:
    """A password is hashed by the real algorithm, with as little work as it takes."""
    service._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No setting of the machine reaches a test; each has a data directory of its own."""
    for name in list(os.environ):
        if name.startswith(OURS) and name not in FOR_THE_TESTS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("CELERIAC_DATA", str(tmp_path / "data"))
    forget_settings()
    yield
    forget_settings()


def forget_settings() -> None:
    """Closes what was opened with the settings so far; the next use reads them anew."""
    config.settings.cache_clear()
    _close_engine()
    _close_broker()


def _close_engine() -> None:
    if db.engine.cache_info().currsize:
        db.engine().dispose()
        db.engine.cache_clear()


def _close_broker() -> None:
    broker_port.broker.cache_clear()
    for client in (console_redis.client, console_redis.quick_client):
        if client.cache_info().currsize:
            client().close()
            client.cache_clear()


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Sets an environment variable for this test; what it makes wrong of the things already open is closed."""

    def put(name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        config.settings.cache_clear()
        if name in ("DATABASE_URL", "CELERIAC_DATA"):
            _close_engine()
        if name in ("BROKER_URL", "CELERIAC_DATA"):
            _close_broker()

    return put


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A real Valkey; tests use it through `broker`, which empties it first."""
    with valkey.running(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def broker(valkey_server: Valkey, setting: Callable[[str, str], None]) -> Iterator[redis.Redis]:
    """An empty Valkey that BROKER_URL names; gives a client to look into it."""
    setting("BROKER_URL", valkey_server.url)
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgreSQL]:
    """A real PostgreSQL with a migrated template database."""
    with postgres.running() as server:
        server.create("template1")
        server.execute(f"ALTER DATABASE test_0 RENAME TO {postgres.TEMPLATE}")
        _migrate(server.url(postgres.TEMPLATE).replace("postgresql://", "postgresql+psycopg://"))
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "celeriac.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path, setting: Callable[[str, str], None]) -> Engine:
    """A fresh, migrated SQLite database, in force."""
    path = tmp_path / "data" / "celeriac.db"
    path.parent.mkdir(exist_ok=True)
    shutil.copyfile(sqlite_template, path)
    setting("DATABASE_URL", f"sqlite:///{path}")
    return db.engine()


@pytest.fixture
def postgresql_database(postgres_server: PostgreSQL, setting: Callable[[str, str], None]) -> Iterator[Engine]:
    """A fresh, migrated PostgreSQL database, in force."""
    name = postgres_server.take()
    setting("DATABASE_URL", postgres_server.url(name))
    yield db.engine()
    _close_engine()
    postgres_server.give_back(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Engine:
    """A fresh, migrated database, in force; the test runs once on each kind."""
    engine: Engine = request.getfixturevalue(f"{request.param}_database")
    return engine


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Playwright's arguments with the browser that was found to launch."""
    return browser_type_launch_args | browsers.launch_args()


def pytest_collection_finish(session: pytest.Session) -> None:
    """When a selected test needs a browser, finds one before any test runs; without one, all stops here."""
    needed = any("browser" in getattr(item, "fixturenames", ()) for item in session.items)
    if not needed or session.config.option.collectonly:
        return
    try:
        browsers.launch_args()
    except browsers.NoBrowser as error:
        pytest.exit(str(error), returncode=3)


def _migrate(url: str) -> None:
    engine = create_engine(url)
    db.configure_engine(engine)
    schema.upgrade(engine)
    engine.dispose()
