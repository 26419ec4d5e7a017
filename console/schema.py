"""The schema of the database: which revision it has, whether that is the one needed, and how to get there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect

from console import db, revisions
from console.config import RESOURCES
from console.errors import Conflict

if TYPE_CHECKING:
    from alembic.config import Config

LOCK_KEY = 0x43454C45
"""Any number, the same in every version: the PostgreSQL advisory lock that migrations take turns by."""


def current(engine: Engine | None = None) -> str:
    """The revision that the database has; empty for a new one."""
    with (engine or db.engine()).connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return ""
        return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "")


def is_current(engine: Engine | None = None) -> bool:
    """Whether the database has the schema that this version needs."""
    return current(engine) == revisions.head()


def upgrade(engine: Engine | None = None) -> bool:
    """Brings the database to the schema of this version; true when there was something to do.

    Any number of processes may call it at once: they take turns. Raises `Conflict`, and changes nothing, when
    the database was written by a newer version.
    """
    used = engine or db.engine()
    before = current(used)
    if before == revisions.head():
        return False
    from alembic import command

    _refuse_newer(before)
    with used.connect().execution_options(write=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        command.upgrade(_config(connection), "head")
    return True


def _refuse_newer(revision: str) -> None:
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    try:
        ScriptDirectory.from_config(_config()).get_revisions(revision or ())
    except CommandError as error:
        raise Conflict(
            f"The database was written by a newer Celeriac (schema {revision}; this one knows {revisions.head()}). "
            "Install that version, or use another --data or DATABASE_URL."
        ) from error


def _config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, made here so that an installed wheel needs no alembic.ini."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(RESOURCES / "migrations").replace("%", "%%"))
    return config
