"""Which columns of `job_status` the recorder reads and writes, in the order in which rows travel as tuples."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from console.jobs.rules import Attempt, Row

EVERY_STEP = (
    "state", "attempts", "progress", "progress_note", "worker", "started_at", "finished_at", "runtime_ms", "run", "ver",
    "sver", "fver", "pver", "timeline",
)  # fmt: skip
"""What may change with every event of a job."""
_OF_ATTEMPTS = frozenset(EVERY_STEP) - {"state", "attempts", "run", "ver", "sver", "fver", "pver", "timeline"}
"""Null before the first attempt."""
RARELY = ("type", "queue", "enqueued_at", "due_at", "retried_as", "unique_lock", "internal")
"""What mostly stays; indexes that begin with these are then left alone (`Row.redescribed`)."""
READ = ("id", *EVERY_STEP, *RARELY)
"""Read before events are applied, as the first fields of `Row`, and written back."""
FIRST_KNOWN = (
    "max_attempts", "priority", "tags", "source", "arguments", "retry_of", "parent_id", "root_id", "group_id",
    "chord_id", "payload", "message",
)  # fmt: skip
"""Not read; written where nothing is stored yet."""
OF_THE_END = ("reason", "error_type", "error_message", "result", "traceback", "fingerprint")
"""Not read; written when the row learnt of a later end."""
ALL = READ + FIRST_KNOWN + OF_THE_END
STEP = ("id", *EVERY_STEP, *OF_THE_END)
"""Enough for a row that is not redescribed."""
FIRST = (*(name for name in READ if name not in _OF_ATTEMPTS), *FIRST_KNOWN)
"""Enough for a row of a job that no attempt was heard of."""
ATTEMPT = (
    "run", "attempt", "state", "reason", "started_at", "finished_at", "worker", "error_type", "error_message",
    "traceback",
)  # fmt: skip

values_of: Callable[[Row], tuple[Any, ...]] = attrgetter(*ALL)
"""A row as a tuple in the order of `ALL`."""
first_of: Callable[[Row], tuple[Any, ...]] = attrgetter(*FIRST)
"""The same, in the order of `FIRST`."""
step_of: Callable[[Row], tuple[Any, ...]] = attrgetter(*STEP)
"""The same, in the order of `STEP`."""
_attempt_values: Callable[[Attempt], tuple[Any, ...]] = attrgetter(*ATTEMPT)


def attempts_of(rows: list[Row]) -> list[tuple[Any, ...]]:
    """The new attempts of all the rows: the job's id, then the columns of `ATTEMPT`."""
    return [(row.id, *_attempt_values(attempt)) for row in rows for attempt in row.attempts_made]


def changes(new: Callable[[str], str], stored: str, *, rarely: bool = True) -> str:
    """The SET clause of an update. `new` gives a column's new value in SQL; `stored` goes before a stored column.

    `rarely`: with the columns that mostly stay.
    """
    sets = [f"{name} = {new(name)}" for name in (*EVERY_STEP, *(RARELY if rarely else ()))]
    sets += [f"{name} = coalesce({stored}{name}, {new(name)})" for name in (FIRST_KNOWN if rarely else ())]
    sets += [
        f"{name} = CASE WHEN {stored}fver < {new('fver')} THEN {new(name)} ELSE {stored}{name} END"
        for name in OF_THE_END
    ]
    return ", ".join(sets)
