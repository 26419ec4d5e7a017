"""Which columns the list of jobs has: those of the address, those that the person chose, or the usual ones."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete
from sqlalchemy.orm import Session

from console.actor import Actor
from console.errors import InvalidInput
from console.jobs.models import ChosenColumns

COLUMNS = {
    "id": "Id",
    "queue": "Queue",
    "worker": "Worker",
    "reason": "Reason",
    "tags": "Tags",
    "priority": "Priority",
    "attempts": "Attempts",
    "runtime": "Run time",
    "started": "Started",
    "finished": "Finished",
    "enqueued": "Enqueued",
}
"""Beside the state and the job itself, which are always there. Each has its cell in templates/jobs/columns."""
USUAL = ("id", "queue", "attempts", "runtime", "enqueued")


def columns_of(session: Session, actor: Actor, asked: str) -> tuple[str, ...]:
    """The names of the columns to show. `asked`: those of the address. Raises `InvalidInput`."""
    if asked:
        return _known(asked.split(","))
    row = session.get(ChosenColumns, actor.name)
    kept = tuple(name for name in row.names.split(",") if name in COLUMNS) if row else ()
    return kept or USUAL


def choose_columns(session: Session, actor: Actor, names: Iterable[str]) -> None:
    """Remembers them for this person; none, or the usual ones: forgets what was chosen. Raises `InvalidInput`."""
    chosen = _known(names)
    session.execute(delete(ChosenColumns).where(ChosenColumns.owner == actor.name))
    if chosen and chosen != USUAL:
        session.add(ChosenColumns(owner=actor.name, names=",".join(chosen)))


def _known(names: Iterable[str]) -> tuple[str, ...]:
    """In the order of `COLUMNS`, so that a column has its place."""
    asked = {name.strip() for name in names if name.strip()}
    if unknown := sorted(asked - COLUMNS.keys()):
        message = f"There is no column {unknown[0]!r}. Columns are {', '.join(COLUMNS)}."
        raise InvalidInput(message, [{"field": "columns", "message": message}])
    return tuple(name for name in COLUMNS if name in asked)
