"""Rows of jobs in SQLite: `executemany` of prepared statements, the quickest that it offers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from console.jobs.rows.columns import (
    ALL,
    ATTEMPT,
    FIRST,
    READ,
    STEP,
    attempts_of,
    changes,
    first_of,
    step_of,
    values_of,
)  # fmt: skip
from console.jobs.rules import Row

_SELECT = f"SELECT {', '.join(READ)}, payload IS NOT NULL FROM job_status WHERE id IN (SELECT value FROM json_each(?))"
_FIRST = f"INSERT INTO job_status ({', '.join(FIRST)}) VALUES ({', '.join('?' * len(FIRST))})"
_INSERT = f"INSERT INTO job_status ({', '.join(ALL)}) VALUES ({', '.join('?' * len(ALL))})"
_UPDATE = f"UPDATE job_status SET {changes(lambda name: f'?{ALL.index(name) + 1}', '')} WHERE id = ?1"
_STEP = f"UPDATE job_status SET {changes(lambda name: f'?{STEP.index(name) + 1}', '', rarely=False)} WHERE id = ?1"
_REPLACE_ATTEMPT = (
    f"INSERT OR REPLACE INTO job_attempt (job_id, {', '.join(ATTEMPT)}) VALUES (?, {', '.join('?' * len(ATTEMPT))})"
)


def read(connection: Connection, job_ids: Iterable[str]) -> dict[str, Row]:
    """The stored ones of these jobs. The transaction has the write lock, so nobody changes them meanwhile."""
    found = connection.exec_driver_sql(_SELECT, (json.dumps(list(job_ids)),))
    return {values[0]: Row(*values) for values in found}


def write(connection: Connection, new: Sequence[Row], known: Sequence[Row]) -> None:
    """Writes rows that are not stored yet, those that are, and the attempts that ended."""
    if first := [first_of(row) for row in new if row.sver == row.fver == row.pver == 0]:
        connection.exec_driver_sql(_FIRST, first)
    if others := [values_of(row) for row in new if row.sver or row.fver or row.pver]:
        connection.exec_driver_sql(_INSERT, others)
    if steps := [step_of(row) for row in known if not row.redescribed]:
        connection.exec_driver_sql(_STEP, steps)
    if redescribed := [values_of(row) for row in known if row.redescribed]:
        connection.exec_driver_sql(_UPDATE, redescribed)
    if attempts := attempts_of([*new, *known]):
        connection.exec_driver_sql(_REPLACE_ATTEMPT, attempts)
