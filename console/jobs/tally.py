"""Counts and rollups that follow from changes of state, written in the transaction that changes them.

Each writer has a shard of its own (a recorder the number of its stream, everybody else `CONSOLE`), so that recorders
never wait for each other's rows; whoever reads adds the shards up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from console.jobs import histogram
from console.jobs.histogram import Histogram, bucket_of
from console.jobs.rules import FAILURES, State

_CANCELLED = State.CANCELLED.value
_FAILURES = frozenset(state.value for state in FAILURES)
CONSOLE = -1
"""The shard of services, commands and beat."""
BULK = -2
"""That of what is done to many jobs at once, so that nobody who dispatches one waits for it."""
GRAINS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
"""Lengths in ms; all three are written at once, so that none has to be made from another and late events count."""
MEASURES = ("enqueued", "completed", "failed", "retried", "cancelled", "wait_ms", "runtime_ms")
_HISTOGRAMS = ("waits", "runtimes")
_COUNT_KEY = ("type", "queue", "state", "shard")
_ROLLUP_KEY = ("grain", "dimension", "at", "name", "shard")
Key: TypeAlias = tuple[str, str, int, str]
"""Of a rollup: grain, dimension, beginning in ms since 1970, name."""


def coarsest_grain(length_ms: int) -> str:
    """The longest grain that a bucket of this length, counted from 1970, is made of."""
    return [grain for grain, length in GRAINS.items() if length_ms % length == 0][-1]


@dataclass(slots=True)
class Sums:
    """What happened in one bucket of time."""

    enqueued: int = 0
    completed: int = 0
    failed: int = 0
    retried: int = 0
    cancelled: int = 0
    wait_ms: int = 0
    runtime_ms: int = 0
    waits: Histogram = field(default_factory=Counter)
    runtimes: Histogram = field(default_factory=Counter)

    def add(self, other: Sums) -> None:
        """Takes another bucket in."""
        for name in MEASURES:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.waits.update(other.waits)
        self.runtimes.update(other.runtimes)


class Tally:
    """Collects changes; `write` adds them to the tables, in key order so that two writers cannot deadlock."""

    def __init__(self, shard: int = CONSOLE) -> None:
        self.shard = shard
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._minutes: dict[tuple[int, str, str], Sums] = {}

    def moved(self, before: tuple[str, str, str] | None, after: tuple[str, str, str] | None, jobs: int = 1) -> None:
        """Jobs went from one (type, queue, state) to another; None: they did not exist before, or are gone."""
        if before != after:
            if before:
                self._counts[before] -= jobs
            if after:
                self._counts[after] += jobs

    def enqueued(self, at_ms: int, job_type: str, queue: str, jobs: int = 1) -> None:
        """Jobs were heard of for the first time."""
        self._at(at_ms, job_type, queue).enqueued += jobs

    def retried(self, at_ms: int, job_type: str, queue: str, times: int) -> None:
        """Attempts failed and another was planned."""
        self._at(at_ms, job_type, queue).retried += times

    def ended(
        self, state: str, at_ms: int, job_type: str, queue: str, wait_ms: int | None, runtime_ms: int | None
    ) -> None:
        """A job reached an end for the first time."""
        sums = self._at(at_ms, job_type, queue)
        if state == _CANCELLED:
            sums.cancelled += 1
            return
        if state in _FAILURES:
            sums.failed += 1
        else:
            sums.completed += 1
        if wait_ms is not None:
            sums.wait_ms += max(wait_ms, 0)
            sums.waits[bucket_of(wait_ms)] += 1
        if runtime_ms is not None:
            sums.runtime_ms += max(runtime_ms, 0)
            sums.runtimes[bucket_of(runtime_ms)] += 1

    def write(self, into: Session | Connection) -> None:
        """Adds everything collected and forgets it."""
        connection = into.connection() if isinstance(into, Session) else into
        counts = [(*key, self.shard, n) for key, n in sorted(self._counts.items()) if n]
        if counts:
            add(connection, "job_count", _COUNT_KEY, ("n",), (), counts)
        if rollups := self._rollups():
            self._write_rollups(connection, rollups)
        self._counts.clear()
        self._minutes.clear()

    def _at(self, at_ms: int, job_type: str, queue: str) -> Sums:
        key = (at_ms // 60_000, job_type, queue)
        found = self._minutes.get(key)
        if found is None:
            found = self._minutes[key] = Sums()
        return found

    def _rollups(self) -> dict[Key, Sums]:
        """Per grain and per queue and per type, never their product."""
        rollups: dict[Key, Sums] = {}
        for (minute, job_type, queue), sums in self._minutes.items():
            for grain, length in GRAINS.items():
                at_ms = minute * 60_000 // length * length
                for key in ((grain, "queue", at_ms, queue), (grain, "type", at_ms, job_type)):
                    found = rollups.get(key)
                    if found is None:
                        found = rollups[key] = Sums()
                    found.add(sums)
        return rollups

    def _write_rollups(self, connection: Connection, rollups: dict[Key, Sums]) -> None:
        """Sums are added by the database; histograms are read, merged and written back: only this shard writes them."""
        timed = {key: sums for key, sums in rollups.items() if sums.waits or sums.runtimes}
        if timed:
            self._take_in_stored(connection, timed)
        for of_which, replaced in ((timed, _HISTOGRAMS), (rollups.keys() - timed.keys(), ())):
            rows = [
                (*key, self.shard, *(getattr(rollups[key], name) for name in MEASURES),
                 *(histogram.dump(getattr(rollups[key], name)) for name in replaced))
                for key in sorted(of_which)
            ]  # fmt: skip
            if rows:
                add(connection, "job_rollup", _ROLLUP_KEY, MEASURES, replaced, rows)

    def _take_in_stored(self, connection: Connection, rollups: dict[Key, Sums]) -> None:
        """Adds the stored histograms of this shard to those that are to be written."""
        places = {(grain, dimension, at_ms) for grain, dimension, at_ms, _ in rollups}
        marks = ", ".join(["(?, ?, ?)"] * len(places))
        stored = _run(
            connection,
            f"SELECT grain, dimension, at, name, waits, runtimes FROM job_rollup"
            f" WHERE (grain, dimension, at) IN (VALUES {marks}) AND shard = ?",
            (*(value for place in places for value in place), self.shard),
        )
        for grain, dimension, at_ms, name, waits, runtimes in stored:
            sums = rollups.get((grain, dimension, at_ms, name))
            if sums is not None:
                sums.waits.update(histogram.load(waits))
                sums.runtimes.update(histogram.load(runtimes))


def add(
    connection: Connection,
    table: str,
    key: tuple[str, ...],
    measures: tuple[str, ...],
    replaced: tuple[str, ...],
    rows: list[tuple[Any, ...]],
) -> None:
    """Adds the measures to what is stored and replaces the other columns named."""
    columns = (*key, *measures, *replaced)
    sets = [f"{name} = {table}.{name} + excluded.{name}" for name in measures]
    sets += [f"{name} = excluded.{name}" for name in replaced]
    rest = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(sets)}"
    begin = f"INSERT INTO {table} ({', '.join(columns)})"
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"{begin} VALUES ({', '.join('?' * len(columns))}) {rest}", rows)
        return
    lists = [list(column) for column in zip(*rows, strict=True)]  # one statement, the same however many rows
    kinds = ["bigint" if isinstance(column[0], int) else "text" for column in lists]
    values = ", ".join([f"%s::{kind}[]" for kind in kinds])
    connection.exec_driver_sql(f"{begin} SELECT * FROM unnest({values}) {rest}", tuple(lists))


def _run(connection: Connection, statement: str, values: tuple[Any, ...]) -> Any:
    """A statement with the mark for a value that the database's driver wants."""
    if connection.dialect.name == "postgresql":
        statement = statement.replace("?", "%s")
    return connection.exec_driver_sql(statement, values)
