"""One change to many jobs, in one statement however many they are.

The values come as one JSON text and are joined with the table by id. Each change is a compare-and-set on rows that the
caller has locked: if fewer are changed than named, something is wrong, and nothing of it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from console.jobs.rules import WAITING, State

COPIED = ("type", "queue", "payload", "message", "priority", "max_attempts", "tags", "internal")
"""What a job that retries another has from it."""

# PostgreSQL is to look each job up by its id. Left alone, it reads the whole table for a few thousand of them. It must
# not be told of a state either: it often has a number from another time for that, and then joins the other way round,
# which takes seconds. Of `coalesce` it only thinks that it holds for every other row.
_BY_ID = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
_WAITING = ", ".join(f"'{state}'" for state in sorted(WAITING))


def retry(connection: Connection, new_ids: Mapping[str, str], begun: Mapping[str, Any]) -> None:
    """Failed jobs, by the ids of the jobs that retry them; those are made.

    `begun`: what is the same in all of them, times in ms since 1970.
    """
    pairs = list(new_ids.items())
    sets, where = f"state = '{State.FAILED}', retried_as = given.new_id", f"state = '{State.RETRYABLE}'"
    insert = f"INSERT INTO job_status ({', '.join(('id', 'retry_of', 'root_id', *COPIED, *begun))})"
    values = ", ".join(map(_literal, begun.values()))
    if _is_postgresql(connection):
        given, parameters = _given(connection, ("id", "new_id"), pairs)
        changed = ", ".join(f"job_status.{name}" for name in ("id", "root_id", *COPIED))
        made = connection.exec_driver_sql(
            f"WITH job AS ({_updating(connection, sets, given, where)} RETURNING {changed}, given.new_id)"
            f" {insert} SELECT new_id, id, coalesce(root_id, id), {', '.join(COPIED)}, {values} FROM job",
            parameters,
        )
        _check(made.rowcount, pairs)
        return
    _update(connection, ("id", "new_id"), pairs, sets, where)
    given, parameters = _given(connection, ("id", "new_id"), pairs)
    copied = ", ".join(f"job.{name}" for name in COPIED)
    connection.exec_driver_sql(
        f"{insert} SELECT given.new_id, job.id, coalesce(job.root_id, job.id), {copied}, {values}"
        f" FROM {given} CROSS JOIN job_status AS job WHERE job.id = given.id",
        parameters,
    )


def mark_cancelled(connection: Connection, now_ms: int, changes: Sequence[tuple[str, int, str]]) -> None:
    """Waiting jobs: id, new version, new timeline."""
    sets = (
        f"state = '{State.CANCELLED}', reason = 'cancelled', finished_at = {now_ms}, due_at = NULL, unique_lock = NULL,"
        " ver = given.ver, fver = given.ver, timeline = given.timeline"
    )
    _update(connection, ("id", "ver", "timeline"), changes, sets, f"state IN ({_WAITING})")


def mark_unsendable(connection: Connection, job_ids: Collection[str]) -> None:
    """Failed jobs that cannot be run again."""
    given = [(job_id,) for job_id in job_ids]
    _update(connection, ("id",), given, f"state = '{State.FAILED}'", f"state = '{State.RETRYABLE}'")


def mark_fingerprints(connection: Connection, given: Sequence[tuple[str, str]]) -> None:
    """Failed jobs: id, fingerprint."""
    _update(connection, ("id", "found"), given, "fingerprint = given.found", "fingerprint IS NULL")


def mark_published(connection: Connection, job_ids: Collection[str]) -> None:
    """Those of them that still wait need no sweeping."""
    where = f"state = '{State.PENDING}' AND due_at IS NOT NULL"
    _update(connection, ("id",), [(job_id,) for job_id in job_ids], "due_at = NULL", where, some=True)


def delete(connection: Connection, job_ids: Collection[str]) -> None:
    """Jobs with their attempts and what they logged."""
    given, parameters = _given(connection, ("id",), [(job_id,) for job_id in job_ids])
    for table, column in (("job_attempt", "job_id"), ("job_log", "job_id"), ("job_status", "id")):
        if _is_postgresql(connection):
            statement = f"DELETE FROM {table} USING {given} WHERE {table}.{column} = given.id"
        else:
            statement = f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM {given})"
        connection.exec_driver_sql(statement, parameters)


def _update(
    connection: Connection,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    sets: str,
    where: str,
    *,
    some: bool = False,
) -> None:
    """`some`: not all of them need be in the state that `where` asks for."""
    given, parameters = _given(connection, columns, rows)
    changed = connection.exec_driver_sql(_updating(connection, sets, given, where), parameters).rowcount
    if not some:
        _check(changed, rows)


def _updating(connection: Connection, sets: str, given: str, where: str) -> str:
    hidden = f"coalesce({where}, false)" if _is_postgresql(connection) else f"+({where})"
    return f"UPDATE job_status SET {sets} FROM {given} WHERE job_status.id = given.id AND {hidden}"


def _check(changed: int, rows: Sequence[Any]) -> None:
    if changed != len(rows):
        raise RuntimeError(f"{changed} of {len(rows)} locked jobs were in the state that they were chosen for")


def _given(
    connection: Connection, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> tuple[str, tuple[Any, ...]]:
    """Rows as a table `given`, and the parameters that carry them."""
    if _is_postgresql(connection):
        connection.exec_driver_sql(_BY_ID)
        kinds = ["bigint" if isinstance(value, int) else "text" for value in rows[0]]
        values = ", ".join(f"(value->>{n})::{kinds[n]} AS {name}" for n, name in enumerate(columns))
        return f"(SELECT {values} FROM json_array_elements(%s::json)) AS given", (json.dumps(rows),)
    values = ", ".join(f"json_extract(value, '$[{n}]') AS {name}" for n, name in enumerate(columns))
    return f"(SELECT {values} FROM json_each(?)) AS given", (json.dumps(rows),)


def _literal(value: str | int | None) -> str:
    """Of a value that comes from the code."""
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
