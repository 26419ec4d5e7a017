"""Rows of jobs in PostgreSQL: COPY, into the table for new rows and into a temporary one for changed rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from console.jobs.rows.columns import ALL, ATTEMPT, READ, STEP, attempts_of, changes, step_of, values_of
from console.jobs.rules import Row

_SELECT = f"SELECT {', '.join(READ)}, payload IS NOT NULL FROM job_status WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_COPY_NEW = f"COPY job_status ({', '.join(ALL)}) FROM STDIN"
_MAKE_CHANGED = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS job_changed ON COMMIT DELETE ROWS
    AS SELECT {", ".join(ALL)} FROM job_status LIMIT 0
"""
_COPY_CHANGED = f"COPY job_changed ({', '.join(ALL)}) FROM STDIN"
_COPY_STEPS = f"COPY job_changed ({', '.join(STEP)}) FROM STDIN"
# The planner knows nothing of the temporary table; a hash join would read all of job_status.
_PLAN = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
_UPDATE, _STEP = (
    f"""
    UPDATE job_status AS stored SET {changes("changed.{}".format, "stored.", rarely=rarely)}
    FROM job_changed AS changed WHERE stored.id = changed.id
"""
    for rarely in (True, False)
)
_MAKE_ATTEMPT = "CREATE TEMPORARY TABLE IF NOT EXISTS attempt_made (LIKE job_attempt) ON COMMIT DELETE ROWS"
_COPY_ATTEMPT = f"COPY attempt_made (job_id, {', '.join(ATTEMPT)}) FROM STDIN"
_REPLACE_ATTEMPT = f"""
    INSERT INTO job_attempt (job_id, {", ".join(ATTEMPT)})
    SELECT DISTINCT ON (job_id, run, attempt) job_id, {", ".join(ATTEMPT)} FROM attempt_made
    ORDER BY job_id, run, attempt
    ON CONFLICT (job_id, run, attempt) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in ATTEMPT[2:])}
"""


def read(connection: Connection, job_ids: Iterable[str]) -> dict[str, Row]:
    """The stored ones of these jobs, locked against services, in id order so that locks do not cross."""
    with _cursor(connection) as cursor:
        cursor.execute(_SELECT, (list(job_ids),))
        return {values[0]: Row(*values) for values in cursor}


def write(connection: Connection, new: Sequence[Row], known: Sequence[Row]) -> None:
    """Writes rows that are not stored yet, those that are, and the attempts that ended."""
    with _cursor(connection) as cursor:
        if new:
            _copy(cursor, _COPY_NEW, map(values_of, new))
        if known:
            cursor.execute(_MAKE_CHANGED)
            cursor.execute(_PLAN)
        if steps := [step_of(row) for row in known if not row.redescribed]:
            _change(cursor, _COPY_STEPS, steps, _STEP)
        if others := [values_of(row) for row in known if row.redescribed]:
            _change(cursor, _COPY_CHANGED, others, _UPDATE)
        if attempts := attempts_of([*new, *known]):
            cursor.execute(_MAKE_ATTEMPT)
            _copy(cursor, _COPY_ATTEMPT, attempts)
            cursor.execute(_REPLACE_ATTEMPT)
            cursor.execute("TRUNCATE attempt_made")


def _change(cursor: psycopg.Cursor[Any], copy: str, rows: list[tuple[Any, ...]], update: str) -> None:
    _copy(cursor, copy, rows)
    cursor.execute(update)
    cursor.execute("TRUNCATE job_changed")


def _copy(cursor: psycopg.Cursor[Any], statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with cursor.copy(statement.encode()) as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def _cursor(connection: Connection) -> Iterator[psycopg.Cursor[Any]]:
    """The driver's cursor, for COPY. Its errors come out as SQLAlchemy's, as for every other statement."""
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    try:
        with driver.cursor() as cursor:
            yield cursor
    except psycopg.DataError as error:
        raise DataError(None, None, error) from error
    except psycopg.IntegrityError as error:
        raise IntegrityError(None, None, error) from error
    except psycopg.Error as error:
        raise OperationalError(None, None, error) from error
