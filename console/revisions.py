"""Which schema this version needs. Read from the migrations' text, so that a start pays for no migration library."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
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


def is_prepared(database: Path, people: Iterable[str] = ()) -> bool:
    """Whether this SQLite file has that schema and somebody who can sign in: nothing is left to do before a start.

    `people`: the addresses of those who have to be among them.
    """
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        is_known = [connection.execute('SELECT 1 FROM "user" WHERE email = ?', (email,)).fetchone() for email in people]
        anybody = connection.execute('SELECT 1 FROM "user" LIMIT 1').fetchone()
        return revision == (head(),) and None not in (anybody, *is_known)
    return False
