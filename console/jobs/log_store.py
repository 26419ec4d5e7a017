"""What jobs logged, as rows. A block of events that comes twice changes nothing: rows have numbers of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from console import clock
from console.jobs.models import JobLog
from console.jobs.rules import MAX_NAME
from console.tracking.events import Event

MOST_LINES = 2_147_483_647
MOST_RUNS = 32_767

_FORGET = (
    "DELETE FROM job_log WHERE job_id = {0} AND attempt = {0} AND run = {0} AND seq >= {0} AND seq < {0}"
)  # an attempt's rows beyond its beginning, when later ones take their place


def store(connection: Connection, events: Iterable[Event]) -> None:
    """Stores events of the kind LOGGED. Raises `ValueError`, `TypeError` or `KeyError` for one that cannot be."""
    rows: list[dict[str, Any]] = []
    forgotten: dict[tuple[str, int, int], tuple[int, int]] = {}
    for event in events:
        row = _row(event)
        rows.append(row)
        if event.data.get("forget"):
            begin, end = map(int, event.data["forget"])
            place = (row["job_id"], row["attempt"], row["run"])
            forgotten[place] = (begin, max(end, forgotten.get(place, (0, 0))[1]))
    is_postgresql = connection.dialect.name == "postgresql"
    insert: Any = pg_insert if is_postgresql else sqlite_insert
    connection.execute(insert(JobLog).on_conflict_do_nothing(), rows)
    if forgotten:
        statement = _FORGET.format("%s" if is_postgresql else "?")
        connection.exec_driver_sql(statement, [(*place, *lines) for place, lines in sorted(forgotten.items())])


def ids_of(events: Sequence[Event]) -> list[str]:
    """The jobs that events are of, each once."""
    return list(dict.fromkeys(event.job_id for event in events))


def _row(event: Event) -> dict[str, Any]:
    data = event.data
    if len(event.job_id) > MAX_NAME:
        raise ValueError(f"a job's id has {len(event.job_id)} characters; at most {MAX_NAME} can be stored")
    if not isinstance(data["lines"], str):
        raise TypeError("the lines of a log are no text")
    return {
        "job_id": event.job_id,
        "attempt": event.retries + 1,
        "run": min(event.run, MOST_RUNS),
        "seq": min(int(data["seq"]), MOST_LINES),
        "n": min(int(data["n"]), MOST_LINES),
        "level": min(max(int(data["level"]), 0), MOST_RUNS),
        "at": clock.from_ms(event.at_ms),
        "lines": data["lines"],
    }
