"""Counts and rollups that follow from changes of state, written in the transaction that changes them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from console import clock
from console.jobs.models import JobCount, JobRollup
from console.jobs.rules import FAILURES, State

MINUTE_MS = 60_000
_MEASURES = ("enqueued", "completed", "failed", "retried", "cancelled", "wait_ms", "runtime_ms")


class Tally:
    """Collects changes; `write` adds them to the tables, in key order so that two writers cannot deadlock."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._rollups: Counter[tuple[int, str, str, str]] = Counter()

    def moved(self, before: tuple[str, str, str] | None, after: tuple[str, str, str] | None) -> None:
        """A job went from one (type, queue, state) to another; None: it did not exist before, or is gone."""
        if before != after:
            if before:
                self._counts[before] -= 1
            if after:
                self._counts[after] += 1

    def happened(self, measure: str, at_ms: int, job_type: str, queue: str, amount: int = 1) -> None:
        """Adds to a measure of `JobRollup` in the minute of `at_ms`, for the job's type and for its queue."""
        minute = at_ms - at_ms % MINUTE_MS
        self._rollups[minute, "queue", queue, measure] += amount
        self._rollups[minute, "type", job_type, measure] += amount

    def ended(
        self, state: str, at_ms: int, job_type: str, queue: str, wait_ms: int | None, runtime_ms: int | None
    ) -> None:
        """A job reached an end for the first time."""
        if state == State.CANCELLED:
            self.happened("cancelled", at_ms, job_type, queue)
            return
        self.happened("failed" if state in FAILURES else "completed", at_ms, job_type, queue)
        self.happened("wait_ms", at_ms, job_type, queue, max(wait_ms or 0, 0))
        self.happened("runtime_ms", at_ms, job_type, queue, max(runtime_ms or 0, 0))

    def write(self, into: Session | Connection) -> None:
        """Adds everything collected and forgets it."""
        connection = into.connection() if isinstance(into, Session) else into
        counts = [
            {"type": job_type, "queue": queue, "state": state, "n": n}
            for (job_type, queue, state), n in sorted(self._counts.items())
            if n
        ]
        if counts:
            _add(connection, JobCount.__table__, ("type", "queue", "state"), ("n",), counts)  # type: ignore[arg-type]
        rollups: dict[tuple[int, str, str], dict[str, Any]] = {}
        for (minute, dimension, name, measure), amount in self._rollups.items():
            row = rollups.setdefault((minute, dimension, name), dict.fromkeys(_MEASURES, 0))
            row[measure] += amount
        if rollups:
            rows = [
                {"minute": clock.from_ms(minute), "dimension": dimension, "name": name}
                | rollups[minute, dimension, name]
                for minute, dimension, name in sorted(rollups)
            ]
            _add(connection, JobRollup.__table__, ("minute", "dimension", "name"), _MEASURES, rows)  # type: ignore[arg-type]
        self._counts.clear()
        self._rollups.clear()


def _add(
    connection: Connection, table: Table, key: tuple[str, ...], measures: tuple[str, ...], rows: list[dict[str, Any]]
) -> None:
    insert = pg_insert if connection.dialect.name == "postgresql" else sqlite_insert
    statement = insert(table)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(key), set_={name: table.c[name] + statement.excluded[name] for name in measures}
        ),
        rows,
    )
