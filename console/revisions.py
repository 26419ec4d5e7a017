"""Which schema this version needs. Read from the migrations' text, so that a start pays for no migration library."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

from console.config import RESOURCES

_STATEMENT = re.compile(r"""^(revision|down_revision)\b[^=]*=\s*["']([^"']+)["']""", re.MULTILINE)


@cache
def head() -> str:
    """The revision that no other one follows; empty when there is none."""
    found = [dict(_STATEMENT.findall(path.read_text())) for path in (RESOURCES / "migrations/versions").glob("*.py")]
    followed = {one.get("down_revision") for one in found}
    return next((one["revision"] for one in found if one["revision"] not in followed), "")


def is_prepared(database: Path) -> bool:
    """Whether this SQLite file has that schema and somebody who can sign in: nothing is left to do before a start."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        people = connection.execute('SELECT 1 FROM "user" LIMIT 1').fetchone()
        return revision == (head(),) and people is not None
    return False
