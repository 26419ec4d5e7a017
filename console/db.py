"""The database: declarative base, column types, engines and sessions. Models live in the capabilities."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Dialect, Engine, MetaData, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, registry
from sqlalchemy.types import TypeDecorator

from console import clock
from console.config import settings

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

SQLITE_BUSY_MS = 30_000
SQLITE_LOOK_S = 0.001


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as milliseconds since 1970 in a BIGINT: the same order, size and SQL everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else clock.to_ms(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else clock.from_ms(value)


class Base(DeclarativeBase):
    """Base of every model. Plain SQLAlchemy, so that beat and the recorder need no Flask application."""

    registry = registry(metadata=MetaData(naming_convention=NAMING), type_annotation_map={datetime: Instant()})


def configure_engine(engine: Engine) -> None:
    """SQLite: write-ahead log, full sync, and transactions that begin as they will go on (see `writing`)."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy, not the driver, says BEGIN
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={SQLITE_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "wal_autocheckpoint=10000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    if not connection.get_execution_options().get("write", False):
        connection.exec_driver_sql("BEGIN")
    elif not _sqlite_begin_soon(connection.connection.driver_connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _sqlite_begin_soon(driver: Any) -> bool:
    """Begins to write as soon as another one has ended; false: that did not happen in time.

    SQLite itself looks only every 100 ms after a while, and so hardly ever between two writes of somebody who writes
    batch after batch.
    """
    driver.execute("PRAGMA busy_timeout=0")
    try:
        limit = clock.monotonic() + SQLITE_BUSY_MS / 1000
        while clock.monotonic() < limit:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    return False  # the caller meets it again
                time.sleep(SQLITE_LOOK_S)
            else:
                return True
    finally:
        driver.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
    return False


def engine_options(url: str) -> dict[str, Any]:
    """`create_engine` options. PostgreSQL connections are tested before use, so a restarted server costs one retry."""
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": SQLITE_BUSY_MS / 1000, "check_same_thread": False}}
    return {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 60, "connect_args": {"connect_timeout": 5}}


@cache
def engine() -> Engine:
    """The engine of processes without Flask: workers, beat, recorder, commands."""
    url = settings().database
    made = create_engine(url, **engine_options(url))
    configure_engine(made)
    return made


def begin_write(session: Session) -> Session:
    """Marks the session's next transaction as one that writes.

    On SQLite it then takes the write lock at once: a transaction that first reads and then writes would
    fail with "database is locked" as soon as another one wrote in between. Elsewhere it changes nothing.
    """
    session.connection(execution_options={"write": True})
    return session


@contextmanager
def writing() -> Iterator[Session]:
    """A session whose transaction commits at the end of the block and rolls back when it raises."""
    with Session(engine(), expire_on_commit=False) as session, session.begin():
        yield begin_write(session)


@contextmanager
def reading() -> Iterator[Session]:
    """A session for reads; what it reads is one consistent state on SQLite."""
    with Session(engine(), expire_on_commit=False) as session:
        yield session


def dispose() -> None:
    """Drops connections inherited by a fork; the next use makes new ones."""
    if engine.cache_info().currsize:
        engine().dispose(close=False)
        engine.cache_clear()
